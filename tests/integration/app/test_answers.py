# SPDX-License-Identifier: GPL-3.0-or-later
"""An answer is streamed, and its citations occur on the cited pages."""

from __future__ import annotations

import re
import subprocess
from email.message import EmailMessage
from io import BytesIO

import pytest
from openpyxl import Workbook, load_workbook

from .conftest import Stack, wait_for
from .helpers import RECOGNITION_S, SCANNED, ask, document, wait_for_state, wait_until_gone, write_pdf

pytestmark = pytest.mark.integration

HEATING = [
    "Heating manual\n\nThis manual describes the condensing boiler in the cellar.\nKeep it beside the boiler.",
    "Maintenance\n\nThe boiler is serviced every September by the company Brandt.\n"
    "The water pressure has to be between 1.2 and 1.8 bar.\nRefill water through the blue valve when it falls below.",
    "Faults\n\nFault F28 means that the burner did not ignite.\nPress the reset button for three seconds.",
]


def squeezed(text: str) -> str:
    return " ".join(text.split())


@pytest.fixture(scope="module")
def heating(stack: Stack) -> Stack:
    write_pdf(stack.share / "house" / "heating.pdf", HEATING)
    assert wait_for_state(stack, "house/heating.pdf", "indexed")["pages"] == 3
    return stack


def test_the_answer_streams_and_its_quote_is_on_the_cited_page(heating: Stack) -> None:
    events = ask(heating, "What water pressure does the boiler need?")
    names = [name for name, _ in events]
    assert names[0] == "sources" and names[-1] == "done" and set(names[1:-1]) == {"token", "sentence"}
    sources = events[0][1]["sources"]
    assert [source["id"] for source in sources] == list(range(1, len(sources) + 1))
    assert all(len(source["excerpt"]) <= 300 for source in sources)
    done = events[-1][1]
    assert done["answer"] == "".join(event["text"] for name, event in events if name == "token").strip()
    assert done["model"] == "smollm2:135m" and 0 < done["prompt_tokens"] <= 2048 and 0 < done["answer_tokens"] <= 60
    cited = {citation["source"]: citation for citation in done["citations"]}
    [right] = [source for source in sources if source["path"] == "house/heating.pdf" and source["page"] == 2]
    citation = cited[right["id"]]
    assert (citation["page"], citation["label"]) == (2, "page 2") and "1.2 and 1.8 bar" in squeezed(citation["quote"])
    pdf = heating.share / "house" / "heating.pdf"
    page = subprocess.run(
        ["pdftotext", "-f", "2", "-l", "2", pdf, "-"], capture_output=True, text=True, check=True
    ).stdout
    assert squeezed(citation["quote"]) in squeezed(page)


def test_the_cited_passage_opens_with_what_stands_around_it(heating: Stack) -> None:
    [first, *_] = heating.get("/api/search", q="fault F28 burner")["results"]
    view = heating.get(f"/api/passages/{first['chunk_id']}")
    assert view["page"] == 3 and "F28" in view["text"] and view["title"] == "heating.pdf"
    whole = squeezed(view["before"] + view["text"] + view["after"])
    assert whole == squeezed(HEATING[2])


def test_scanned_pages_are_named_beside_the_document_and_beside_the_answer(heating: Stack) -> None:
    path = "flat/lease.pdf"
    rent = "Lease of the flat\n\nThe tenant of the flat pays a monthly rent of 900 euros to the landlord."
    write_pdf(heating.share / path, [rent, SCANNED, SCANNED, SCANNED, SCANNED, "Signed by landlord and tenant."])
    note = "4 of 6 pages have no text: 2-5."
    assert wait_for_state(heating, path, "indexed")["pages"] == 2
    # The pages, which show nothing, are recognised first.
    wait_for(lambda: (document(heating, path) or {}).get("note") == note, "the pages to be recognised", RECOGNITION_S)
    events = ask(heating, "What deposit does the tenant of the flat pay to the landlord?")
    cited = {citation["source"] for citation in events[-1][1]["citations"]}
    assert {source["note"] for source in events[0][1]["sources"] if source["id"] in cited} == {note}
    (heating.share / path).unlink()
    wait_until_gone(heating, path)


def test_a_question_that_the_documents_do_not_answer_has_no_citation(heating: Stack) -> None:
    events = ask(heating, "Who won the football championship in Brazil?")
    assert [name for name, _ in events] == ["sources", "done"]
    assert events[0][1] == {"sources": [], "as_of": None, "understood": None}
    assert events[1][1]["answer"].startswith("Nothing in the documents") and events[1][1]["citations"] == []


def test_words_find_what_meaning_misses_and_the_reverse(heating: Stack) -> None:
    assert heating.get("/api/search", q="F28")["results"][0]["page"] == 3
    assert heating.get("/api/search", q="the furnace does not light up")["results"][0]["path"] == "house/heating.pdf"


def test_a_phrase_in_quotes_has_to_occur(heating: Stack) -> None:
    results = heating.get("/api/search", q='"reset button"')["results"]
    assert results and all("reset button" in result["text"] for result in results)


@pytest.mark.parametrize("question", ["", "   ", "x" * 2001])
def test_a_question_out_of_bounds_is_refused(heating: Stack, question: str) -> None:
    with pytest.raises(Exception, match="422"):
        ask(heating, question)


def test_strange_questions_do_no_harm(heating: Stack) -> None:
    for question in ("'; DROP TABLE chunks; --", "a & b | !c <-> :*", '"', "\\", "-", "?!", "🔥", "\u0000 null"):
        assert "results" in heating.get("/api/search", q=question)


ITEMS = [f"Repair of window {number}" for number in range(1, 120)]
PRICES = [100.25 + 7 * number for number in range(1, 120)]


def costs() -> bytes:
    """A spreadsheet of many passages, whose table begins at B3."""
    book = Workbook()
    sheet = book.active
    sheet.title = "Costs"
    sheet["B3"], sheet["C3"] = "Item", "Amount"
    for number, (item, price) in enumerate(zip(ITEMS, PRICES, strict=True)):
        sheet.cell(5 + number, 2, item)
        sheet.cell(5 + number, 3, price).number_format = "#,##0.00"
    sheet["B90"] = "Chimney sweep Kowalski"
    out = BytesIO()
    book.save(out)
    return out.getvalue()


@pytest.fixture(scope="module")
def files(stack: Stack) -> Stack:
    folder = stack.share / "formats"
    folder.mkdir()
    (folder / "costs.xlsx").write_bytes(costs())
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "Brandt <brandt@example.org>", "jane@example.org", "Your tiles"
    mail["Date"] = "Fri, 01 Mar 2024 12:00:00 +0100"
    mail.set_content("The tiles of the terrace are called Basalto Grigio.\n")
    mail.add_attachment(b"Plant,Distance\nLavender,40 cm\n", maintype="text", subtype="csv", filename="plants.csv")
    (folder / "tiles.eml").write_bytes(mail.as_bytes())
    for name in ("costs.xlsx", "tiles.eml"):
        wait_for_state(stack, f"formats/{name}", "indexed")
    return stack


def test_a_cell_is_cited_with_its_row_and_column(files: Stack) -> None:
    done = ask(files, "What did the chimney sweep Kowalski cost?")[-1][1]
    assert "citations" in done, done
    citation = next(entry for entry in done["citations"] if "Kowalski" in entry["quote"])
    match = re.fullmatch(r"sheet Costs, row (\d+), columns B \(Item\) to C \(Amount\)", citation["label"])
    assert match and citation["page"] == 1
    # openpyxl reads the same words in that row.
    sheet = load_workbook(BytesIO(costs()))["Costs"]
    item, price = citation["quote"].split("\t")
    row = int(match[1])
    assert sheet.cell(row, 2).value == item == "Chimney sweep Kowalski"
    assert f"{sheet.cell(row, 3).value:,.2f}" == price


def test_a_mail_and_its_attachment_have_places_and_a_date(files: Stack) -> None:
    mail, *_ = files.get("/api/search", q="Basalto Grigio")["results"]
    assert (mail["path"], mail["label"], mail["dated"]) == ("formats/tiles.eml", "message", "2024-03-01")
    assert mail["dated_by"] == "mail header"
    table, *_ = files.get("/api/search", q="Lavender")["results"]
    assert (table["path"], table["label"]) == ("formats/tiles.eml", "attachment plants.csv, table")
    view = files.get(f"/api/passages/{table['chunk_id']}")
    assert view["header"].splitlines()[0] == "Subject: Your tiles"
