# SPDX-License-Identifier: GPL-3.0-or-later
"""Which name of an unread file fits a question better than the names of the documents that were read."""

from __future__ import annotations

from typing import Any, cast

import pytest

from tars_app.adapters.postgres import Pool
from tars_app.answers.unread import incomplete_files, unread_file
from tars_app.library import repository
from tars_app.library.schemas import File


def row(path: str) -> dict[str, Any]:
    nothing = dict.fromkeys(File.model_fields)
    return {**nothing, "source": "LLM_docs", "path": path, "state": "waiting", "earlier": False, "error": None}


@pytest.mark.parametrize(
    ("question", "files", "read", "expected"),
    [
        ("When was the boiler serviced?", ["boiler.pdf"], [], "boiler.pdf"),
        ("When was the boiler serviced?", ["boiler.pdf"], ["house/boiler.md"], None),
        (
            "When was the boiler serviced?",
            ["house/BoilerService_2024.pdf"],
            ["boiler.md"],
            "house/BoilerService_2024.pdf",
        ),
        ("How much was the gas bill of 2024?", ["trip 2024.pdf", "bills/gas.pdf"], [], "bills/gas.pdf"),
        ("How much was the gas bill of 2024?", ["trip 2024.pdf"], [], None),
        ("What does invoice RE-00815 say?", ["RE-00815.pdf", "RE-00816.pdf"], [], "RE-00815.pdf"),
        ("Was kosten die Heizkosten?", ["Heizkostenabrechnung.pdf"], [], "Heizkostenabrechnung.pdf"),
        ("Wie hoch ist die Heizkostenabrechnung?", ["heizkosten.pdf"], [], "heizkosten.pdf"),
        ("Where are the invoices?", ["invoice.pdf"], [], "invoice.pdf"),
        ("What did we pay?", ["pay.pdf"], [], None),
        ("What is it?", ["it.pdf"], [], None),
        ("When does the lease of the flat end?", ["lease of the garage.pdf"], ["lease of the flat.txt"], None),
    ],
)
def test_the_name_that_fits_best(
    monkeypatch: pytest.MonkeyPatch, question: str, files: list[str], read: list[str], expected: str | None
) -> None:
    monkeypatch.setattr(repository, "unread", lambda *_: [row(path) for path in files])
    file = unread_file(cast(Pool, None), question, read)
    assert (file.path if file else None) == expected


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ([], []),
        ([("boiler.pdf", "failed")], ["1 document could not be read."]),
        (
            [("a.pdf", "failed"), ("b.pdf", "failed"), ("lease of the flat.pdf", "read"), ("lease.pdf", "read")],
            [
                "2 documents could not be read.",
                "2 documents have parts that were not read.",
                "The name of LLM_docs/lease of the flat.pdf, which is one of them, fits the question.",
            ],
        ),
        ([("garden.pdf", "read")], ["1 document has parts that were not read."]),
    ],
)
def test_files_that_may_have_the_answer_are_counted(
    monkeypatch: pytest.MonkeyPatch, files: list[tuple[str, str]], expected: list[str]
) -> None:
    rows = [{"source": "LLM_docs", "path": path, "state": state} for path, state in files]
    monkeypatch.setattr(repository, "incomplete", lambda _: rows)
    assert incomplete_files(cast(Pool, None), "When does the lease of the flat end?") == expected
