# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the service is alive and what it can reach."""
