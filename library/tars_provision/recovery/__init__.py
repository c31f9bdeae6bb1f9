# SPDX-License-Identifier: GPL-3.0-or-later
"""The recovery sheet, and the way from the sheet back to a site."""
