# SPDX-License-Identifier: GPL-3.0-or-later
"""What changed about a topic between two days, in all documents, with citations to both versions."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from rich.console import Console

from tars_app.documents.visible import NoHistoryError
from tars_app.retrieval.places import open_passage
from tars_app.timeline.service import WrongOrderError
from tars_app.timeline.topic import topic_difference
from tars_provision.commands.history import TopicDifference

from .conftest import Server
from .past import Store, open_store, remember

pytestmark = pytest.mark.integration

BEGIN = datetime(2024, 1, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
TOPIC = "the rent of the flat"


@pytest.fixture(scope="module")
def store(postgres: Server) -> Iterator[Store]:
    """A lease, its copy, a letter that comes, a note that goes, and what is about something else."""
    with open_store(postgres) as store:
        garden = "Apple trees were cut. " * 25
        lease = "The rent of the flat is {} euros a month. " + "The landlord signs in spring. " * 30
        for path in ("lease.txt", "copy of lease.txt"):
            store.observe(path, remember(f"{lease.format(800)}\n\n{garden}"), BEGIN)
        store.observe("note.txt", remember("Ask about the rent of the flat."), BEGIN)
        store.observe("stays.txt", remember("The rent of the flat is due on the first day."), BEGIN)
        store.observe("broken.txt", remember("The rent of the flat, part two."), BEGIN)
        store.observe("lease.txt", remember(f"{lease.format(900)}\n\n{garden} And a pear tree."), BEGIN + 2 * DAY)
        store.observe("letter.txt", remember("The rent of the flat rises to 900 euros."), BEGIN + 2 * DAY)
        store.observe("garden.txt", remember("A pear tree was planted."), BEGIN + 2 * DAY)
        store.delete("note.txt", BEGIN + 3 * DAY)
        store.observe("broken.txt", None, BEGIN + 3 * DAY)
        yield store


def test_changes_about_the_topic_come_with_citations_to_both_versions(store: Store) -> None:
    result = topic_difference(store.dependencies, TOPIC, BEGIN + DAY, BEGIN + 4 * DAY)
    changes = {}
    with store.pool.connection() as connection:
        names = {row["id"]: row["path"] for row in connection.execute("SELECT id, path FROM documents")}
    for document in result.documents:
        quotes = [([q.quote for q in change.removed], [q.quote for q in change.added]) for change in document.changes]
        changes[names[document.document_id]] = quotes
        for change in document.changes:
            for quote in (*change.removed, *change.added):
                opened = open_passage(store.pool, quote.chunk_id)
                assert opened and quote.quote in opened[0].text, "each quotation opens in its version"
    assert changes == {
        "lease.txt": [(["The rent of the flat is 800 euros a month."], ["The rent of the flat is 900 euros a month."])],
        "letter.txt": [([], ["The rent of the flat rises to 900 euros."])],
        "note.txt": [(["Ask about the rent of the flat."], [])],
    }
    assert {place.path for place in result.unchanged} == {"copy of lease.txt", "stays.txt"}
    assert [(place.path, place.reason.endswith("is not on record: The file cannot be read.")) for place in
            result.not_compared] == [("broken.txt", True)]  # fmt: skip
    shown = StringIO()
    TopicDifference(result.model_dump(mode="json")).show(Console(file=shown, width=200))
    lines = shown.getvalue().splitlines()
    assert "- The rent of the flat is 800 euros a month." in lines and "unchanged: LLM_docs/stays.txt" in lines
    assert any(line.startswith("not compared: LLM_docs/broken.txt: The text of broken.txt") for line in lines)


def test_times_are_checked_first(store: Store) -> None:
    with pytest.raises(NoHistoryError):
        topic_difference(store.dependencies, TOPIC, BEGIN - DAY, BEGIN)
    with pytest.raises(WrongOrderError):
        topic_difference(store.dependencies, TOPIC, BEGIN + DAY, BEGIN)
    nothing = topic_difference(store.dependencies, "zebra", BEGIN, BEGIN + DAY)
    assert (nothing.documents, nothing.unchanged, nothing.not_compared) == ([], [], [])
