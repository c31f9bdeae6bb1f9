# SPDX-License-Identifier: GPL-3.0-or-later
"""The verbs of the command line: a function each, which returns a result for cli.py to print."""
