# SPDX-License-Identifier: GPL-3.0-or-later
"""The files behind citations: their state, their content, and their pages as pictures."""
