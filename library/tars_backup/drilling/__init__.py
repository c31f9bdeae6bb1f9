# SPDX-License-Identifier: GPL-3.0-or-later
"""A recovery drill: the services on a restored backup, fenced off from the household, and what they answer."""
