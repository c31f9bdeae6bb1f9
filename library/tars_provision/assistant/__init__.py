# SPDX-License-Identifier: GPL-3.0-or-later
"""The application on the desktop as a client sees it: questions and answers, benchmark history, sample documents."""
