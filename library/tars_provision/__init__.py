# SPDX-License-Identifier: GPL-3.0-or-later
"""Provisioning library of T.A.R.S. and its command line, tars-provision."""

__version__ = "0.1.0"
"""Version of the project; the collection and the application have the same."""
