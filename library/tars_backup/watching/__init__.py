# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of the backups for those who watch it: the page, the metrics, a person, and the alarms."""
