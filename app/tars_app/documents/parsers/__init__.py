# SPDX-License-Identifier: GPL-3.0-or-later
"""Parsers of file formats. They run in a process of their own, and import nothing else of the application."""
