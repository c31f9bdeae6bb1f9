# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare a NAS with what the modules assume of DSM: twelve read-only checks, recorded and replayed."""
