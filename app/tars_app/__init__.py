# SPDX-License-Identifier: GPL-3.0-or-later
"""The assistant: keeps an index of the household's documents and answers questions from it, with citations."""

__version__ = "0.1.0"
