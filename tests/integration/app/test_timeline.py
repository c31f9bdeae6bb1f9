# SPDX-License-Identifier: GPL-3.0-or-later
"""The history of a document, the difference between two times, and questions about the past over HTTP."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from tars_app.documents.lookup import NoDocumentError, SeveralDocumentsError, find_document
from tars_app.documents.visible import NoHistoryError
from tars_app.retrieval.places import open_passage
from tars_app.timeline.repository import read_history
from tars_app.timeline.service import NoTextError, WrongOrderError, difference
from tars_provision.commands import history as commands

from .conftest import Stack
from .helpers import ask, wait_for_state, wait_until_gone
from .past import Store, remember

pytestmark = pytest.mark.integration

BEGIN = datetime(2024, 1, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def test_the_history_lists_versions_paths_and_dates(store: Store) -> None:
    store.observe("lease 2023.txt", remember("The rent is 800 euros."), BEGIN)
    store.move("lease 2023.txt", "flat/lease.txt", BEGIN + DAY)
    store.observe("flat/lease.txt", remember("Date: 1 January 2024\n\nThe rent is 900 euros."), BEGIN + 2 * DAY)
    store.observe("flat/lease.txt", None, BEGIN + 3 * DAY)
    store.delete("flat/lease.txt", BEGIN + 4 * DAY)
    history = read_history(store.pool, find_document(store.pool, "lease.txt"))
    assert (history.path, history.source, history.deleted) == ("flat/lease.txt", "LLM_docs", BEGIN + 4 * DAY)
    assert [(entry.path, entry.observed) for entry in history.paths] == [
        ("lease 2023.txt", BEGIN),
        ("flat/lease.txt", BEGIN + DAY),
    ]
    assert [(v.path, v.observed, v.until, v.dated, v.dated_by, v.state, v.kept) for v in history.versions] == [
        ("flat/lease.txt", BEGIN, BEGIN + 2 * DAY, "2023", "name", "indexed", True),
        ("flat/lease.txt", BEGIN + 2 * DAY, BEGIN + 3 * DAY, "2024-01-01", "text", "indexed", True),
        ("flat/lease.txt", BEGIN + 3 * DAY, BEGIN + 4 * DAY, None, None, "failed", False),
    ]


def test_a_document_is_found_by_id_path_name_and_earlier_path(store: Store) -> None:
    for path in ("house/lease.txt", "flat/lease.txt", "old.txt", "gone/plan.txt"):
        store.observe(path, remember(f"This is {path}."), BEGIN)
    store.move("old.txt", "new.txt", BEGIN + DAY)
    store.delete("gone/plan.txt", BEGIN + DAY)
    store.observe("plan.txt", remember("This is the new plan."), BEGIN + DAY)
    by_path = find_document(store.pool, "house/lease.txt")
    assert find_document(store.pool, "LLM_docs/house/lease.txt") == find_document(store.pool, str(by_path)) == by_path
    assert find_document(store.pool, "old.txt") == find_document(store.pool, "new.txt")
    assert read_history(store.pool, find_document(store.pool, "plan.txt")).path == "plan.txt"
    assert read_history(store.pool, find_document(store.pool, "gone/plan.txt")).deleted
    with pytest.raises(SeveralDocumentsError, match=r"LLM_docs/flat/lease.txt, LLM_docs/house/lease.txt"):
        find_document(store.pool, "lease.txt")
    for name in ("ease.txt", "%", "house/lease_txt", "house"):
        with pytest.raises(NoDocumentError):
            find_document(store.pool, name)


def test_the_difference_cites_both_versions(store: Store) -> None:
    rules = "No shoes on the sofa. " * 40
    for day, rent in enumerate((800, 850, 900)):
        text = f"{rules}\n\nThe rent is {rent} euros. It is due on the third day.\n\nPets are\nallowed."
        store.observe("lease.txt", remember(text.replace("\nallowed", " allowed") if day else text), BEGIN + day * DAY)
    document = find_document(store.pool, "lease.txt")
    result = difference(store.pool, document, BEGIN, BEGIN + 2 * DAY)
    assert result.before and result.after and result.unchanged >= 1
    [change] = result.changes
    [removed], [added] = change.removed, change.added
    assert (removed.quote, added.quote) == ("The rent is 800 euros.", "The rent is 900 euros.")
    for quote, version in ((removed, result.before), (added, result.after)):
        opened = open_passage(store.pool, quote.chunk_id)
        assert opened and quote.quote in opened[0].text and opened[0].version_id == version.version_id
    same = difference(store.pool, document, BEGIN + DAY, BEGIN + 2 * DAY - timedelta(seconds=1))
    assert same.changes == [] and same.before == same.after and same.unchanged


def test_a_difference_with_a_time_without_the_document(store: Store) -> None:
    store.observe("first.txt", remember("The first document."), BEGIN)
    store.observe("lease.txt", remember("The rent is 800 euros."), BEGIN + DAY)
    store.observe("lease.txt", remember("The rent is 900 euros."), BEGIN + 2 * DAY, read=False)
    store.delete("lease.txt", BEGIN + 3 * DAY)
    document = find_document(store.pool, "lease.txt")
    appeared = difference(store.pool, document, BEGIN, BEGIN + DAY)
    assert appeared.before is None and [q.quote for c in appeared.changes for q in c.added] == [
        "The rent is 800 euros."
    ]
    vanished = difference(store.pool, document, BEGIN + DAY, BEGIN + 3 * DAY)
    assert vanished.after is None and not any(change.added for change in vanished.changes)
    with pytest.raises(NoTextError, match=r"lease.txt as it was on 2024-01-03 is not on record: it was replaced"):
        difference(store.pool, document, BEGIN + DAY, BEGIN + 2 * DAY)
    with pytest.raises(NoHistoryError, match="no history before 2024-01-01 12:00 UTC"):
        difference(store.pool, document, BEGIN - DAY, BEGIN)
    with pytest.raises(WrongOrderError):
        difference(store.pool, document, BEGIN + DAY, BEGIN)


SENTENCES = st.lists(st.sampled_from([f"Sentence {number} names an apple tree." for number in range(8)]), max_size=12)


@settings(max_examples=15, deadline=None)
@given(old=SENTENCES.filter(bool), new=SENTENCES.filter(bool))
def test_the_difference_turns_one_version_into_the_other(database: Store, old: list[str], new: list[str]) -> None:
    database.clear()
    for day, lines in enumerate((old, new)):
        database.observe("a.txt", remember("\n\n".join(line + " So it is. " * 20 for line in lines)), BEGIN + day * DAY)
    result = difference(database.pool, find_document(database.pool, "a.txt"), BEGIN, BEGIN + DAY)
    removed = [q.quote for change in result.changes for q in change.removed]
    added = [q.quote for change in result.changes for q in change.added]
    expected = {text: new.count(text) - old.count(text) for text in {*old, *new}}
    assert {text: added.count(text) - removed.count(text) for text in {*old, *new}} == expected


@pytest.fixture(scope="module")
def lease(stack: Stack) -> Iterator[tuple[Stack, datetime, datetime]]:
    """A lease whose rent was raised; the times of its two versions."""
    file = stack.share / "cabin lease.txt"
    file.write_text("The rent of the cabin by the lake is 310 euros a month.\n")
    first = wait_for_state(stack, "cabin lease.txt", "indexed")
    between = datetime.now(UTC)
    time.sleep(0.05)
    file.write_text("The rent of the cabin by the lake is 345 euros a month.\n")
    while (second := wait_for_state(stack, "cabin lease.txt", "indexed"))["observed"] == first["observed"]:
        time.sleep(0.1)
    yield stack, between, datetime.fromisoformat(second["observed"])
    file.unlink()
    wait_until_gone(stack, "cabin lease.txt")


def refusal(stack: Stack, path: str, **query: Any) -> tuple[int, dict[str, Any]]:
    answer = httpx.get(f"{stack.url}{path}", params=query, timeout=60, trust_env=False)
    return answer.status_code, answer.json()


def test_an_answer_of_the_past_has_the_sources_of_that_time(lease: tuple[Stack, datetime, datetime]) -> None:
    stack, between, changed = lease
    question = "What is the rent of the cabin by the lake?"
    [now] = [r for r in stack.get("/api/search", q=question)["results"] if r["title"] == "cabin lease.txt"]
    assert "345" in now["text"] and now["superseded"] is None
    past = stack.get("/api/search", q=question, as_of=between.isoformat())
    [result] = [r for r in past["results"] if r["title"] == "cabin lease.txt"]
    assert "310" in result["text"] and datetime.fromisoformat(past["as_of"]["at"]) == between
    assert result["superseded"]["chunk_id"] == now["chunk_id"]
    assert datetime.fromisoformat(result["superseded"]["at"]) == changed
    events = ask(stack, question, as_of=between.isoformat())
    assert events[0][1]["as_of"]["at"] == past["as_of"]["at"]
    sources = {source["id"]: source for source in events[0][1]["sources"]}
    assert any("310" in source["excerpt"] and source["superseded"] for source in sources.values())
    assert not any("345" in source["excerpt"] for source in sources.values())
    assert any("310 euros" in citation["quote"] for citation in events[-1][1]["citations"])


def test_history_and_difference_over_http(lease: tuple[Stack, datetime, datetime]) -> None:
    stack, between, _ = lease
    history = stack.get("/api/history", document="cabin lease.txt")
    assert [version["until"] is None for version in history["versions"]] == [False, True]
    changes = stack.get("/api/diff", document="cabin lease.txt", since=between.isoformat())["changes"]
    assert ["310" in changes[0]["removed"][0]["quote"], "345" in changes[0]["added"][0]["quote"]] == [True, True]
    listed = {d["path"]: d for d in stack.get("/api/documents", as_of=between.isoformat())["documents"]}
    assert listed["cabin lease.txt"]["observed"] == history["versions"][0]["observed"]
    assert refusal(stack, "/api/history", document="no such.txt")[1]["code"] == "no_document"
    differences = stack.get("/api/diff", document="cabin lease.txt", since=between.isoformat())
    shown = StringIO()
    console = Console(file=shown, width=200)
    commands.History(Path("/site"), history).show(console)
    commands.Difference(differences).show(console)
    lines = shown.getvalue().splitlines()
    assert lines[0] == "LLM_docs/cabin lease.txt" and " until " in lines[1] and lines[2].endswith(" current")
    assert "diff --since" in lines[3] and lines[4].startswith("- cabin lease.txt, observed ")
    assert lines[-2:] == [
        "- The rent of the cabin by the lake is 310 euros a month.",
        "+ The rent of the cabin by the lake is 345 euros a month.",
    ]


def test_the_days_of_changes_and_a_topic_over_http(lease: tuple[Stack, datetime, datetime]) -> None:
    stack, between, changed = lease
    timeline = stack.get("/api/timeline")
    assert timeline["zone"] == "UTC" and timeline["days"] == sorted(timeline["days"], key=lambda day: day["day"])
    days = dict(stack.sql("SELECT (seen_from AT TIME ZONE 'UTC')::date::text, count(*) FROM versions GROUP BY 1"))
    assert {day["day"]: day["changes"] for day in timeline["days"]} == days and f"{changed:%Y-%m-%d}" in days
    topic = stack.get("/api/topic", q="the rent of the cabin by the lake", since=between.isoformat())
    [document] = [d for d in topic["documents"] if d["after"] and d["after"]["path"] == "cabin lease.txt"]
    assert "310" in document["changes"][0]["removed"][0]["quote"]
    assert "345" in document["changes"][0]["added"][0]["quote"]
    assert refusal(stack, "/api/topic", q="rent", since="2001")[1]["code"] == "no_history"


def test_a_time_before_the_first_observation_is_refused_for_people_and_programs(
    lease: tuple[Stack, datetime, datetime],
) -> None:
    stack, _, _ = lease
    status, body = refusal(stack, "/api/search", q="rent", as_of="2001")
    assert (status, body["code"]) == (404, "no_history") and body["message"].startswith("There is no history before")
    [(begins,)] = stack.sql("SELECT min(seen_from) FROM versions")
    assert datetime.fromisoformat(body["history_begins"]) == begins
    assert refusal(stack, "/api/documents", as_of="2001-02-03")[1]["code"] == "no_history"
    assert refusal(stack, "/api/diff", document="cabin lease.txt", since="2001")[1]["code"] == "no_history"
    [(_, sources), (name, done)] = ask(stack, "What is the rent?", as_of="2001")
    assert sources["sources"] == [] and name == "done" and done["answer"] == body["message"]
    assert datetime.fromisoformat(done["history_begins"]) == begins


@pytest.mark.parametrize("as_of", ["yesterday", "2024-02-30", "2999", "", "24"])
def test_what_is_not_a_past_time_is_refused(lease: tuple[Stack, datetime, datetime], as_of: str) -> None:
    stack, _, _ = lease
    status, body = refusal(stack, "/api/search", q="rent", as_of=as_of)
    assert status == 422 and repr(as_of) in body["message"] and "expected a day" in body["message"]


def test_the_time_in_a_question_is_understood_and_overridden(lease: tuple[Stack, datetime, datetime]) -> None:
    stack, _, _ = lease
    question = "What did the lease say about the rent of the cabin in 2001?"
    status, body = refusal(stack, "/api/search", q=question)
    assert (status, body["code"]) == (404, "no_history")
    [(_, sources), (_, done)] = ask(stack, question)
    assert sources["understood"] == {"kind": "as_of", "text": "2001", "first": "2001-01-01", "last": "2001-12-31"}
    assert done["history_begins"]
    literal = stack.get("/api/search", q=question, interpret="false")
    assert literal["understood"] is None and literal["as_of"] is None
    latest = stack.get("/api/search", q="the latest rent of the cabin by the lake")
    assert latest["understood"]["kind"] == "latest" and "345" in latest["results"][0]["text"]
    everything = stack.get("/api/search", q="rent of the cabin by the lake", since="2001")
    assert {"310", "345"} <= {word for r in everything["results"] for word in r["text"].split()}
