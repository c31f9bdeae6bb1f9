# SPDX-License-Identifier: GPL-3.0-or-later
"""The household's authority, for devices that are to trust it."""
