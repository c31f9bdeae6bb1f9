# SPDX-License-Identifier: GPL-3.0-or-later
"""Back up the services of a T.A.R.S. desktop into a restic repository, verify the backups and restore them.

Runs on the desktop without the controller: Python 3.9 or later, standard library only.
"""
