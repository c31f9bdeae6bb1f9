# SPDX-License-Identifier: GPL-3.0-or-later
"""The right version comes first, and questions that no document answers are refused."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..integration.servers import Server, start_postgres
from .corpus import load_household
from .household import evaluate
from .retrieval import score_all, summarize
from .store import Embedder, observed

pytestmark = pytest.mark.integration

LEAST_REFUSED = 0.92
"""Of the questions that no document answers."""
MOST_WRONGLY_REFUSED = 3


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    workspace = Path(tempfile.mkdtemp(prefix="tars-eval-"))
    workspace.chmod(0o755)
    started = start_postgres(workspace)
    yield started
    started.stop()
    shutil.rmtree(workspace)


@pytest.fixture(scope="module")
def measured(server: Server) -> dict[str, Any]:
    return evaluate(server, load_household("questions", "held_out"), Embedder())


def test_the_right_version_is_first(measured: dict[str, Any]) -> None:
    right = measured["retrieval"]["right_first"]
    timed = {kind: right[kind] for kind in ("content", "versions", "change", "unannounced")}
    assert timed == dict.fromkeys(timed, 1.0), measured["retrieval"]["wrong"]
    assert right["now"] == 1.0 and right["latest"] >= 0.9, measured["retrieval"]["wrong"]


def test_what_no_document_answers_is_refused(measured: dict[str, Any]) -> None:
    assert measured["retrieval"]["right_first"]["unanswerable"] >= LEAST_REFUSED, measured["retrieval"]["wrong"]
    assert measured["retrieval"]["refused_answerable"] <= MOST_WRONGLY_REFUSED, measured["retrieval"]["refused"]


@pytest.fixture(scope="module")
def by_language(server: Server, measured: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The results for the same household in German, and for documents and questions that mix both languages."""
    results = {"english": measured["retrieval"]}
    for name in ("german", "mixed"):
        with observed(server, load_household(name), Embedder()) as dependencies:
            results[name] = summarize(score_all(dependencies, load_household(name)))
    return results


@pytest.mark.parametrize("name", ["german", "mixed"])
def test_other_languages_come_near_english(by_language: dict[str, dict[str, Any]], name: str) -> None:
    english = by_language["english"]["by_language"]["en"]["first"]
    rates = [entry["first"] for entry in by_language[name]["by_language"].values()]
    assert min(rates) >= english - 0.03, by_language[name]["wrong"]
    assert by_language[name]["refused_answerable"] <= MOST_WRONGLY_REFUSED, by_language[name]["refused"]
    assert by_language[name]["right_first"]["unanswerable"] >= LEAST_REFUSED, by_language[name]["wrong"]


def test_both_searches_together_are_at_least_as_good_as_the_better_one(measured: dict[str, Any]) -> None:
    together = measured["retrieval"]["mean_reciprocal_rank"]
    assert together >= max(measured["retrieval"]["mean_reciprocal_rank_of_parts"].values())
