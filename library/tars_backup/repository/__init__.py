# SPDX-License-Identifier: GPL-3.0-or-later
"""What is kept in and beside the repository: packs, locks, marks of good backups; and which of those stay."""
