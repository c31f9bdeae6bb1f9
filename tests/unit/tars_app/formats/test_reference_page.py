# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

from tars_app.documents.parsers.reference import page

PAGE = Path(__file__).parents[4] / "docs/reference/formats.md"


def test_the_committed_page_is_what_the_registry_generates() -> None:
    regenerate = "PYTHONPATH=app python -m tars_app.documents.parsers.reference > docs/reference/formats.md"
    assert PAGE.read_text() == page(), f"docs/reference/formats.md is stale: {regenerate}"
