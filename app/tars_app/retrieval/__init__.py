# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding the passages that fit a question."""
