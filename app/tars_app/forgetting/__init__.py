# SPDX-License-Identifier: GPL-3.0-or-later
"""Remove a document with its whole history, and erase what the files of the database still hold of it."""
