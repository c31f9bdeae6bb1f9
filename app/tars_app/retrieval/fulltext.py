# SPDX-License-Identifier: GPL-3.0-or-later
"""The syntax of a web search in a question."""

from __future__ import annotations

import re

_OPERATORS = re.compile(r'"|(?:^|\s)-\w|\sOR\s')


def has_operators(question: str) -> bool:
    """Return whether the question uses web search syntax ("a phrase", -without, OR), which results have to match."""
    return bool(_OPERATORS.search(question))
