# SPDX-License-Identifier: GPL-3.0-or-later
"""Each version has the time it was observed, its file's time, and the date that the document itself claims."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from tars_app.adapters.mounts import FileStatus
from tars_app.adapters.postgres import Pool, make_pool
from tars_app.documents import repository
from tars_app.documents.dates import date_versions
from tars_app.documents.index import start_task, swap
from tars_app.documents.model import NO_PAGE, FileObservation
from tars_app.documents.parsers.model import Section
from tars_app.documents.passages import place_passages
from tars_app.settings import Settings

from .conftest import Server, Stack
from .databases import connect, migrated_database
from .helpers import ask, wait_for_state, wait_until_gone, write_pdf

pytestmark = pytest.mark.integration

SOURCE = "LLM_docs"
NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


def test_documents_results_and_sources_have_three_dates(stack: Stack) -> None:
    before = datetime.now(UTC)
    file = stack.share / "gas-bill-2022.txt"
    file.write_text("Gas bill\n\nInvoice date: 3 May 2022\nThe consumption of methane was 4,000 kWh.\n")
    os.utime(file, (1_700_000_000, 1_700_000_000))
    entry = wait_for_state(stack, "gas-bill-2022.txt", "indexed")
    assert (entry["dated"], entry["dated_by"], entry["modified"][:10]) == ("2022-05-03", "text", "2023-11-14")
    assert before - timedelta(seconds=5) < datetime.fromisoformat(entry["observed"]) < datetime.now(UTC)
    question = "What was the consumption of methane?"
    [result] = [r for r in stack.get("/api/search", q=question)["results"] if r["path"] == "gas-bill-2022.txt"]
    events = ask(stack, question)
    [source] = [s for s in events[0][1]["sources"] if s["path"] == "gas-bill-2022.txt"]
    view = stack.get(f"/api/passages/{result['chunk_id']}")
    for place in (result, source, view):
        assert {name: place[name] for name in ("dated", "dated_by", "modified", "observed")} == {
            name: entry[name] for name in ("dated", "dated_by", "modified", "observed")
        }
    file.unlink()
    wait_until_gone(stack, "gas-bill-2022.txt")


def test_the_metadata_of_a_pdf_are_read(stack: Stack) -> None:
    write_pdf(stack.share / "turbine.pdf", ["The turbine has a flange of brass."])
    entry = wait_for_state(stack, "turbine.pdf", "indexed")
    assert entry["dated_by"] == "PDF metadata"
    assert abs(datetime.fromisoformat(entry["dated"]) - datetime.fromtimestamp(time.time())) < timedelta(days=2)
    (stack.share / "turbine.pdf").unlink()
    wait_until_gone(stack, "turbine.pdf")


@pytest.fixture
def database(postgres: Server) -> Iterator[tuple[Settings, Pool]]:
    with migrated_database(postgres) as settings, make_pool(settings) as pool:
        repository.note_source(pool, SOURCE, Path("/documents"), available=True, detail=None)
        yield settings, pool


def observe(pool: Pool, path: str, content: str, at: datetime) -> UUID:
    known = repository.living(pool, SOURCE).get(path)
    observation = FileObservation(FileStatus(9, 1_700_000_000_000_000_000), content, None)
    repository.observe(pool, SOURCE, path, known.document_id if known else None, observation, at)
    return repository.living(pool, SOURCE)[path].document_id


def intervals(settings: Settings) -> list[tuple[str, datetime, datetime | None]]:
    with connect(settings) as connection:
        rows = connection.execute("SELECT sha256, seen_from, seen_to FROM versions ORDER BY seen_from").fetchall()
    return [(row[0], row[1], row[2]) for row in rows]


def test_a_clock_that_was_set_back_keeps_the_order_of_observations(database: tuple[Settings, Pool]) -> None:
    settings, pool = database
    document = observe(pool, "lease.txt", "first", NOON)
    observe(pool, "lease.txt", "second", NOON - timedelta(hours=1))
    repository.rename(pool, document, "contract.txt", NOON - timedelta(hours=2))
    observe(pool, "contract.txt", "third", NOON - timedelta(hours=2))
    repository.retire(pool, document, NOON - timedelta(hours=3))
    observe(pool, "contract.txt", "fourth", NOON - timedelta(hours=3))
    history = intervals(settings)
    assert [content for content, _, _ in history] == ["first", "second", "third", "fourth"]
    assert all(end is None or begin < end for _, begin, end in history)
    assert all(history[n][2] <= history[n + 1][1] for n in range(3))  # type: ignore[operator]  # only the last is open
    assert history[3][1] - NOON < timedelta(milliseconds=1)
    with connect(settings) as connection:
        [(renamed,)] = connection.execute("SELECT max(seen_from) FROM document_paths").fetchall()
    assert history[1][1] < renamed < history[2][1]
    observe(pool, "contract.txt", "fifth", NOON + timedelta(days=1))
    assert intervals(settings)[4][1] == NOON + timedelta(days=1)


def test_versions_of_an_older_release_are_dated_once(database: tuple[Settings, Pool]) -> None:
    settings, pool = database
    expected = {}
    for number in range(3):
        path = f"{2020 + number} report.txt" if number else "undated.txt"
        observe(pool, path, f"{number}", NOON)
        expected[path] = (f"{2020 + number}", "name") if number else (None, "none")
    for version in repository.waiting(pool):
        task = start_task(pool, version)
        assert task and swap(pool, task, place_passages([Section(NO_PAGE, "Text.")], 180, 1000), {}, settings, 0.0)
    with connect(settings) as connection:
        connection.execute("UPDATE versions SET dated = NULL, dated_by = NULL")
        assert date_versions(pool) == 3
        rows = connection.execute(
            "SELECT path, dated, dated_by FROM documents d JOIN versions v ON v.document_id = d.id"
        )
        assert {row[0]: (row[1], row[2]) for row in rows} == expected
    assert date_versions(pool) == 0
