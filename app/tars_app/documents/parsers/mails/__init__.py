# SPDX-License-Identifier: GPL-3.0-or-later
"""Parsers of mails, and of what is attached to them."""
