# SPDX-License-Identifier: GPL-3.0-or-later
"""What a citation test needs: the sentences that may be quoted, and the places that they are cited with."""

from __future__ import annotations

from tars_app.documents.parsers import registry
from tars_app.documents.parsers.model import Parsed, Section
from tars_app.kit.sentences import sentences


def parse(name: str, content: bytes) -> Parsed:
    return registry.parse(name, content)


def quotations(section: Section) -> list[str]:
    """Return what may be quoted from a section."""
    return [section.text[span.start : span.end] for span in sentences(section.text)]


def by_label(parsed: Parsed) -> dict[str, Section]:
    return {section.label: section for section in parsed.sections}
