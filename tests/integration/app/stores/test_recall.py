# SPDX-License-Identifier: GPL-3.0-or-later
"""Chroma has to return the nearest passages: it is compared with an exact scan, and filled again where it does not."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from tars_app.adapters.chroma import LEAST_RECALL
from tars_app.adapters.postgres import migrate
from tars_app.dependencies import Dependencies, make_dependencies
from tars_app.documents import repository
from tars_app.documents.follow import follow_changes, in_line
from tars_app.documents.parsers.model import Section
from tars_app.documents.recall import check_recall, measure_recall
from tars_app.documents.vectors import answering_vectors
from tars_app.health.checks import Check, check_all
from tars_app.maintenance import MaintenanceLoop

from ..conftest import Server, wait_for
from ..databases import empty_database
from ..test_history import SOURCE, searchable, vector_of, write

pytestmark = pytest.mark.integration

PAGES = [Section(number, f"Page {number} names the {number}th apple tree.") for number in range(1, 61)]


@pytest.fixture(scope="module")
def dependencies(
    postgres: Server, own_chroma: Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Dependencies]:
    """A database with passages that Chroma has."""
    with empty_database(postgres) as options:
        own = {
            "chroma_url": own_chroma.environment["CHROMA_URL"],
            "embedding_model": "recall",
            "heartbeat": tmp_path_factory.mktemp("worker") / "heartbeat",
        }
        made = make_dependencies(options.model_copy(update=own))
        migrate(made.settings)
        with made.pool:
            repository.note_source(made.pool, SOURCE, Path("/documents/LLM_docs"), available=True, detail=None)
            repository.note_scan(made.pool, SOURCE)
            write(made, "trees.pdf", PAGES)
            follow_changes(made)
            yield replace(made, embedder=None)  # type: ignore[arg-type]  # so that any use of it fails


def confuse(dependencies: Dependencies) -> None:
    """Give all passages in Chroma vectors of others, as a damaged index has: the ids and their number are right."""
    hashes = [bytes.fromhex(value) for value in sorted(dependencies.vectors.ids())]
    generator = random.Random(4)
    dependencies.vectors.add(hashes, [[generator.gauss(0, 1) for _ in range(384)] for _ in hashes])


def chroma_check(dependencies: Dependencies) -> Check:
    """What the check of Chroma states; one that takes too long, on a busy computer, is repeated."""

    def in_time() -> Check | None:
        check = anyio.run(check_all, dependencies).checks["chroma"]
        return None if (check.detail or "").startswith("no answer within") else check

    check: Check = wait_for(in_time, "the check to end in time")
    return check


def answers_from_chroma(dependencies: Dependencies) -> bool:
    with dependencies.pool.connection() as connection:
        return answering_vectors(connection, dependencies.settings.embedding_model)[1]


def test_vectors_of_others_are_noticed_and_replaced_without_the_embedding_model(dependencies: Dependencies) -> None:
    confuse(dependencies)
    assert in_line(dependencies), "counts and ids do not show it"
    assert measure_recall(dependencies) < 0.5
    MaintenanceLoop(dependencies, lambda _: None, lambda _: None, lambda _: None).run_pass()
    assert measure_recall(dependencies) == 1.0 and set(dependencies.vectors.ids()) == searchable(dependencies.pool)
    for value in map(bytes.fromhex, dependencies.vectors.ids()):
        assert dependencies.vectors.nearest(vector_of(value), 1)[0][0] == value
    check = chroma_check(dependencies)
    assert check.ok and check.detail == f"{len(PAGES)} of {len(PAGES)} vectors"


def test_a_low_recall_is_an_alarm_and_questions_are_compared_with_all_vectors(dependencies: Dependencies) -> None:
    confuse(dependencies)
    assert check_recall(dependencies, lambda: None, rebuild=False) < LEAST_RECALL
    check = chroma_check(dependencies)
    assert not check.ok and "of the nearest passages of a sample, expected at least 98%" in str(check.detail)
    assert not answers_from_chroma(dependencies)
    progress: list[bool] = []
    assert check_recall(dependencies, lambda: progress.append(answers_from_chroma(dependencies)), rebuild=True) == 1.0
    assert progress == [False], "while it is filled, it does not answer"
    assert chroma_check(dependencies).ok and answers_from_chroma(dependencies)


def test_passages_that_are_missing_are_misses_and_changes_that_are_noted_are_not(dependencies: Dependencies) -> None:
    hashes = sorted(dependencies.vectors.ids())
    dependencies.vectors.remove(hashes[::2])
    assert measure_recall(dependencies) < 0.8
    with dependencies.pool.connection() as connection:
        noted = [bytes.fromhex(value) for value in hashes[::2]]
        connection.execute("INSERT INTO volatile.vector_changes (hash) SELECT unnest(%s::bytea[])", (noted,))
    assert measure_recall(dependencies) == 1.0
    follow_changes(dependencies)
    assert measure_recall(dependencies) == 1.0 and in_line(dependencies)


def test_a_collection_that_is_being_filled_does_not_answer(dependencies: Dependencies) -> None:
    def count(expected: int, present: int) -> None:
        with dependencies.pool.connection() as connection:
            connection.execute("UPDATE volatile.vector_index SET expected = %s, present = %s", (expected, present))

    for expected, present, answers in [(50_000, 50_000, True), (50_000, 48_999, False), (900_000, 890_000, True)]:
        count(expected, present)
        assert answers_from_chroma(dependencies) == answers, present
    count(900, 0)
    assert answers_from_chroma(dependencies), "it has them within seconds"
    assert in_line(dependencies)
