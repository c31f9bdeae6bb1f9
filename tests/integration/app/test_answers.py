# SPDX-License-Identifier: GPL-3.0-or-later
"""An answer is streamed, and its citations occur on the cited pages."""

from __future__ import annotations

import subprocess

import pytest

from .conftest import Stack
from .helpers import ask, wait_for_state, write_pdf

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
    assert citation["page"] == 2 and "1.2 and 1.8 bar" in squeezed(citation["quote"])
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
