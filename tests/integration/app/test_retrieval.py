# SPDX-License-Identifier: GPL-3.0-or-later
"""Identifiers, names of files, copies, compounds and search syntax, in a database of PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from tars_app.kit.errors import UnavailableError
from tars_app.kit.instants import TimeRequest
from tars_app.retrieval import service
from tars_app.retrieval.service import load_current, search

from .conftest import Server
from .past import Store, open_store, remember

pytestmark = pytest.mark.integration

BEGIN = datetime(2024, 1, 1, 12, tzinfo=UTC)
CODES = {
    "a.txt": "Invoice RE-2024-00815 of the plumber, 120 euros.",
    "b.txt": "Invoice A/2024/118 of the painter, 95 euros.",
    "c.txt": "Spare part HB.12.44 for the pump, 30 euros.",
    "d.txt": "Invoice INV-2023-0042 of the roofer, 400 euros.",
    "e.txt": "Delivery QX88213 with the ladder, 80 euros.",
    "f.txt": "Invoices of the year 2024 are paid by the 12th, with 44 cents of postage and 118 steps.",
}


@pytest.fixture(scope="module")
def store(postgres: Server) -> Iterator[Store]:
    with open_store(postgres) as opened:
        yield opened


def fill(store: Store, texts: dict[str, str]) -> None:
    store.clear()
    for number, (path, text) in enumerate(texts.items()):
        store.observe(path, remember(text), BEGIN + timedelta(minutes=number))


def results(store: Store, question: str, *, operators: bool = True, by_words: bool = True) -> list[str]:
    """The paths of what is found now, by words alone unless `by_words` is false."""
    dependencies = store.dependencies
    nearest = SimpleNamespace(nearest=lambda vector, limit: [])
    if by_words:
        dependencies = replace(dependencies, vectors=nearest)  # type: ignore[arg-type]  # there is no Chroma
        return [p.path for p in search(dependencies, question, 5, operators=operators).passages]
    at = TimeRequest(store.latest_record())
    return [p.path for p in search(dependencies, question, 5, at, operators=operators).passages]


@pytest.mark.parametrize(
    ("question", "first"),
    [
        ("RE-2024-00815", "a.txt"),
        ("00815", "a.txt"),
        ("RE 2024 00815", "a.txt"),
        ("re-2024-00815", "a.txt"),
        ("2024/118", "b.txt"),
        ("A/2024/118", "b.txt"),
        ("12.44", "c.txt"),
        ("HB.12.44", "c.txt"),
        ("0042", "d.txt"),
        ("INV-2023-0042", "d.txt"),
        ("QX88213", "e.txt"),
        ("qx88213", "e.txt"),
    ],
)
@pytest.mark.parametrize("by_words", [True, False])
def test_identifiers_are_found_as_a_whole_and_by_part(store: Store, question: str, first: str, by_words: bool) -> None:
    fill(store, CODES)
    assert results(store, question, by_words=by_words)[0] == first


def test_an_identifier_is_found_within_a_polite_sentence(store: Store) -> None:
    fill(store, CODES)
    question = (
        "Hello, could you please be so kind as to tell me whatever became of our dear delivery numbered QX88213, which "
        "my neighbour forgot about?"
    )
    assert results(store, question)[0] == "e.txt"
    assert results(store, question, by_words=False)[0] == "e.txt"


@pytest.mark.parametrize(
    ("question", "path"),
    [
        ("Jane Doe", "People/Jane Doe.txt"),
        ("the bill of 2022", "Bills/bill-2022.pdf"),
        ("What is in GardenPlan?", "GardenPlan.md"),
        ("people", "People/Jane Doe.txt"),
    ],
)
def test_names_of_files_and_folders_are_found(store: Store, question: str, path: str) -> None:
    fill(
        store,
        {
            "People/Jane Doe.txt": "She likes tulips.",
            "Bills/bill-2022.pdf": "Total: 80 euros, thank you.",
            "Bills/bill-2021.pdf": "Total: 70 euros, thank you.",
            "GardenPlan.md": "Beans beside the fence.",
        },
    )
    assert results(store, question)[0] == path


def test_a_name_counts_at_the_time_of_the_question(store: Store) -> None:
    fill(store, {"tulips.txt": "Plant them in October.", "roses.txt": "Cut them in spring."})
    before = store.latest_record()
    store.move("tulips.txt", "bulbs.txt", BEGIN + timedelta(days=1))
    assert results(store, "bulbs") == ["bulbs.txt"] and results(store, "tulips") == []
    then = search(store.dependencies, "tulips", 5, TimeRequest(before)).passages
    assert [passage.path for passage in then if passage.score > 0.5] == ["tulips.txt"]


def test_copies_do_not_crowd_out_the_rest(store: Store) -> None:
    text = "The guarantee of the dishwasher lasts five years from the day of the purchase; keep the receipt"
    copies = {f"copy {number}.txt": f"{text}, copy {number}." for number in range(6)}
    fill(store, {**copies, "receipt.txt": "Receipt for the dishwasher, 749 euros, guarantee included."})
    assert "receipt.txt" in results(store, "guarantee of the dishwasher")[:2]


@pytest.mark.parametrize("word", ["Heizkosten", "Haftpflichtversicherung", "Nebenkostenabrechnung"])
def test_compounds_are_found(store: Store, word: str) -> None:
    fill(
        store,
        {
            "a.txt": "Die Heizkostenabrechnung kommt im Mai.",
            "b.txt": "Die Privathaftpflichtversicherung kostet 71 Euro.",
            "c.txt": "Nebenkosten: 210 Euro im Monat.",
            "d.txt": "Die Versicherung des Hausrats, die Abrechnung der Bank.",
        },
    )
    expected = {"Heizkosten": "a.txt", "Haftpflichtversicherung": "b.txt", "Nebenkostenabrechnung": "c.txt"}
    assert results(store, f"Wie ist das mit {word}?")[0] == expected[word]


def test_words_of_another_time_do_not_change_which_parts_count(store: Store) -> None:
    """In the past no passage begins like the word, so its end counts, as in a store that never had the later one."""
    fill(store, {"a.txt": "Die Versicherung des Hausrats kostet 80 Euro.", "b.txt": "Der Garten ist groß."})
    before = store.latest_record()
    store.observe("c.txt", remember("Die Haftpflicht kostet 70 Euro."), BEGIN + timedelta(days=1))
    assert results(store, "Haftpflichtversicherung") == ["c.txt"]
    then = search(store.dependencies, "Haftpflichtversicherung", 5, TimeRequest(before)).passages
    assert then and then[0].path == "a.txt" and then[0].score > 0.9


def test_search_syntax_is_for_the_search_box(store: Store) -> None:
    fill(
        store,
        {
            "flat.txt": "The rent of the flat is 900 euros, quiet hours are at noon.",
            "garage.txt": "The rent of the garage is 70 euros; hours of quiet do not matter.",
            **{f"{number}.txt": f"Receipt number {number} of the bakery, 3 euros." for number in range(9)},
        },
    )
    assert results(store, '"quiet hours"') == ["flat.txt"]
    assert results(store, "rent -garage") == ["flat.txt"]
    assert sorted(results(store, "garage OR noon")) == ["flat.txt", "garage.txt"]
    assert results(store, 'rent of "nothing of the kind"') == []
    for question in ('a 27" rent', "the rent -9", 'the rent "', "rent and OR"):
        assert sorted(results(store, question)) == ["flat.txt", "garage.txt"], question
    assert sorted(results(store, 'What does "the rent" cost?', operators=False)) == ["flat.txt", "garage.txt"]


def test_the_words_are_loaded_once_the_database_answers(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(store, CODES)
    store.forget_index()
    index = store.dependencies.passages
    assert not index.loading.complete and index.loading.words == 0
    failures = [UnavailableError("The database does not answer.", "Wait.")] * 2
    real = store.pool.connection

    def connection(*arguments: Any, **options: Any) -> Any:
        if failures:
            raise failures.pop()
        return real(*arguments, **options)

    monkeypatch.setattr(service, "LOAD_AGAIN_S", 0.01)
    monkeypatch.setattr(store.pool, "connection", connection)
    load_current(store.dependencies, threading.Event())
    assert index.loading.complete and index.loading.words == index.loading.passages == len(CODES)


def test_loading_ends_with_the_application(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped = threading.Event()

    def connection(*_: Any, **__: Any) -> Any:
        stopped.set()
        raise UnavailableError("The database does not answer.", "Wait.")

    store.forget_index()
    monkeypatch.setattr(store.pool, "connection", connection)
    load_current(store.dependencies, stopped)
    assert not store.dependencies.passages.loading.complete
