# SPDX-License-Identifier: GPL-3.0-or-later
"""Offer the certificate of the household's certificate authority to devices."""
