# SPDX-License-Identifier: GPL-3.0-or-later
"""Parsers of texts, spreadsheets and presentations."""
