# SPDX-License-Identifier: GPL-3.0-or-later
"""No figure that the passages do not have is shown unmarked: answers of the small model about the demo's documents."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from .conftest import Stack
from .helpers import ask, wait_for_state

pytestmark = pytest.mark.integration

INVOICES = {
    f"gas-{number}.txt": f"Invoice {number}\nGas\nDate 3 May 2024\nTotal {amount} EUR\n"
    for number, amount in (("RE-2024-00815", "1,284.20"), ("RE-2024-00816", "99.00"), ("RE-2024-00817", "412.75"))
}
QUESTIONS = [
    "When was the boiler installed?",
    "What water pressure does the boiler need?",
    "What is the policy number of the insurance?",
    "How many days do I have to report a claim?",
    "When was the dishwasher bought?",
    "How much is the total of invoice RE-2024-00816?",
    "Wann verlängert sich die Versicherung?",
]


@pytest.fixture(scope="module")
def household(stack: Stack, root: Path) -> Stack:
    folder = stack.share / "demo"
    shutil.copytree(root / "library/tars_provision/assistant/samples", folder)
    for name, text in INVOICES.items():
        (folder / name).write_text(text)
    for path in sorted(folder.iterdir()):
        wait_for_state(stack, f"demo/{path.name}", "indexed")
    return stack


def answer_of(events: list[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    name, done = events[-1]
    assert name == "done"
    return done


def read_by_model(stack: Stack, events: list[tuple[str, dict[str, Any]]]) -> str:
    """The text of the passages that the answer is based on, and their paths."""
    sources = events[0][1]["sources"]
    texts = [stack.get(f"/api/passages/{source['chunk_id']}")["text"] for source in sources]
    return " ".join([*texts, *(source["path"] for source in sources)])


@pytest.mark.parametrize(
    ("question", "invented"),
    [
        ("When was the boiler last serviced?", "2022"),
        ("What did the insurance cost last year?", "150"),
        ("What is the PIN of the bank card?", "1234567890"),
        ("What is the telephone number of Brandt Heating?", "0761"),
        ("Wann wurde der Kessel zuletzt gewartet?", "2022"),
    ],
)
def test_what_is_in_no_document_is_not_invented(household: Stack, question: str, invented: str) -> None:
    events = ask(household, question)
    done = answer_of(events)
    assert done["support"] in ("not_in_documents", "unsupported", "no_evidence"), done
    assert invented not in done["answer"] or any(sentence["unsupported"] for sentence in done["sentences"]), done
    assert question != "When was the boiler last serviced?" or done["support"] == "not_in_documents"
    if done["support"] == "not_in_documents":
        assert done["answer"].startswith("The documents do not say") and done["answer_tokens"] == 0
        assert [name for name, _ in events] == ["sources", "done"]
    if events[0][1]["sources"]:
        assert done["citations"], "the nearest passages have to be offered"


@pytest.mark.parametrize("question", QUESTIONS)
def test_every_number_is_in_the_passages_or_marked_and_in_the_quotes(household: Stack, question: str) -> None:
    """Checked without the program's own reading of figures: the digits stand in a passage or the question."""
    events = ask(household, question)
    done = answer_of(events)
    answer, sentences = done["answer"], done["sentences"]
    known = set(re.findall(r"\d+", f"{question} {read_by_model(household, events)}"))
    marked = [range(part["start"], part["end"]) for sentence in sentences for part in sentence["unsupported"]]
    for match in re.finditer(r"(?<!\[)\d{2,}", answer):
        assert match[0] in known or any(match.start() in span for span in marked), (answer, sentences)
    assert [event for name, event in events if name == "sentence"] == sentences
    for sentence in sentences:
        text = answer[sentence["start"] : sentence["end"]]
        quotes = " ".join(c["quote"] for c in done["citations"] if sentence["number"] in c["sentences"])
        if not sentence["unsupported"] and quotes:
            figures = set(re.findall(r"\d{2,}", text)) - set(re.findall(r"\d{2,}", question))
            assert figures <= set(re.findall(r"\d{2,}", quotes)), (text, quotes)


def test_the_amount_of_the_invoice_that_was_asked_for(household: Stack) -> None:
    done = answer_of(ask(household, "How much is the total of invoice RE-2024-00817?"))
    for amount in ("1,284.20", "99.00"):
        parts = [part["text"] for sentence in done["sentences"] for part in sentence["unsupported"]]
        assert amount not in done["answer"] or any(amount in part for part in parts), done
    assert any("412.75" in citation["quote"] for citation in done["citations"]), done
