# SPDX-License-Identifier: GPL-3.0-or-later
"""The schema of the database, one step a file."""
