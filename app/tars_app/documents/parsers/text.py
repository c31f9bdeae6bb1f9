# SPDX-License-Identifier: GPL-3.0-or-later
"""Plain text."""

from __future__ import annotations

from tars_app.documents.parsers.encoding import decode
from tars_app.documents.parsers.model import Parsed, Section


def parse(content: bytes) -> Parsed:
    """Return the text as it stands, in UTF-8 or the encoding that fits best.

    Raises:
        UnreadableError: the content is not text.
    """
    decoded = decode(content)
    return Parsed([Section(0, decoded.text)], notes=[decoded.note] if decoded.note else [])
