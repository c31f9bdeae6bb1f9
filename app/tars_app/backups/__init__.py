# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of the household's backups, from the file that tars-backup writes on the desktop."""
