# SPDX-License-Identifier: GPL-3.0-or-later
"""Migrations in order of their numbers."""
