# SPDX-License-Identifier: GPL-3.0-or-later
"""A passage below another heading is another one in the index, and for people the same text."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tars_app.dependencies import Dependencies, make_dependencies
from tars_app.documents import repository
from tars_app.documents.model import NO_PAGE
from tars_app.documents.parsers.model import Section
from tars_app.documents.passages import place_passages
from tars_app.retrieval.successors import superseded
from tars_app.timeline.service import difference

from ..conftest import Server
from ..databases import migrated_database
from ..test_history import SOURCE, write

pytestmark = pytest.mark.integration

RENT, RULES = "The rent is 800 euros a month.", "No shoes on the sofa."


@pytest.fixture
def dependencies(postgres: Server) -> Iterator[Dependencies]:
    with migrated_database(postgres) as options:
        made = make_dependencies(options)
        with made.pool:
            repository.note_source(made.pool, SOURCE, Path("/documents/LLM_docs"), available=True, detail=None)
            yield made


def lease(rent: str, heading: str) -> list[Section]:
    return [Section(NO_PAGE, f"{RULES}\n\n", "", "Lease"), Section(NO_PAGE, rent, "", f"Lease > {heading}")]


def test_a_text_below_another_heading_has_not_changed(dependencies: Dependencies) -> None:
    pages = [lease(RENT, "Rent"), lease(RENT, "Costs"), lease("The rent is 900 euros a month.", "Costs")]
    versions = [write(dependencies, "lease.md", version) for version in pages[:2]]
    hashes = [place_passages(version, 180, 1000)[1].hash for version in pages]
    assert hashes[0] != hashes[1] and None not in versions
    place: Any = (hashes[0], versions[0], 2)
    [row] = rows(dependencies, "SELECT document_id, min(seen_from) AS first FROM versions GROUP BY document_id")
    with dependencies.pool.connection() as connection:
        assert superseded(connection, [place]) == {}
    unchanged = difference(dependencies.pool, row["document_id"], row["first"], a_moment_later())
    assert (unchanged.unchanged, unchanged.changes) == (2, [])

    last = write(dependencies, "lease.md", pages[2])
    with dependencies.pool.connection() as connection:
        [(index, entry)] = superseded(connection, [place]).items()
    assert (index, entry.state, entry.chunk_id) == (0, "changed", f"{last}.2")
    [change] = difference(dependencies.pool, row["document_id"], row["first"], a_moment_later()).changes
    assert "800" in str(change) and "900" in str(change)


def a_moment_later() -> datetime:
    """A time after everything that is on record, also where two observations got the same one."""
    return datetime.now(UTC) + timedelta(seconds=1)


def rows(dependencies: Dependencies, query: str) -> list[dict[str, Any]]:
    with dependencies.pool.connection() as connection:
        return connection.execute(query).fetchall()
