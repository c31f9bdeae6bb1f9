# SPDX-License-Identifier: GPL-3.0-or-later
"""Readiness reports the state of each dependency, and the service survives the failure of each."""

from __future__ import annotations

import os
import random
import shutil
import time
from collections.abc import Iterator
from contextlib import nullcontext

import httpx
import psycopg
import pytest

from tars_app.adapters.postgres import Pool, make_pool
from tars_app.health import passes
from tars_app.settings import Settings

from .conftest import Stack, wait_for
from .databases import public_rows
from .helpers import (
    INVARIANTS,
    ask,
    assert_stores_agree,
    found_paths,
    log_entries,
    readiness,
    searchable_passages,
    wait_for_state,
    wait_until_gone,
)

pytestmark = pytest.mark.integration


ALL = {"postgres": True, "redis": True, "chroma": True, "ollama": True, "documents": True, "search": True}


def test_ready_when_everything_is_there(stack: Stack) -> None:
    wait_for(lambda: readiness(stack) == (200, ALL), "readiness")

    def chroma_detail() -> str:
        return str(httpx.get(f"{stack.url}/ready", timeout=30, trust_env=False).json()["checks"]["chroma"]["detail"])

    count = len(searchable_passages(stack))
    wait_for(lambda: chroma_detail() == f"{count} of {count} vectors", "all vectors to be in Chroma")


@pytest.mark.parametrize(
    ("server", "name"),
    [("redis", "redis"), ("chroma", "chroma"), ("model_server", "ollama"), ("postgres", "postgres")],
)
def test_not_ready_while_a_dependency_is_down_and_a_file_is_read_afterwards(
    stack: Stack, server: str, name: str
) -> None:
    wait_for(lambda: readiness(stack) == (200, ALL), "readiness")
    with getattr(stack, server).stopped():
        (stack.share / f"during-{server}.txt").write_text(f"Written while {server} was down.")
        expected = ALL | {name: False}
        if name == "postgres":
            expected["documents"] = False
        wait_for(lambda: readiness(stack) == (503, expected), "the report of the failure alone")
        assert httpx.get(f"{stack.url}/health", trust_env=False, timeout=60).status_code == 200
        if name != "redis":
            event, data = ask(stack, "Is anybody there?")[-1]
            assert event == "error" and data["message"] and data["next_step"]
            answer = httpx.get(f"{stack.url}/api/search", params={"q": "anybody"}, timeout=60, trust_env=False)
            assert answer.status_code == 503 and answer.json()["next_step"]
    wait_for(lambda: readiness(stack) == (200, ALL), "readiness again")
    wait_for_state(stack, f"during-{server}.txt", "indexed")
    assert_stores_agree(stack)


def test_a_killed_worker_loses_nothing(stack: Stack) -> None:
    reading = "SELECT 1 FROM versions v JOIN documents d ON d.id = document_id WHERE path = 'long.txt' AND attempts > 0"
    with stack.model_server.paused():
        text = "\n\n".join(f"Row {n} of the orchard has the {n}th apple tree." for n in range(600))
        (stack.share / "long.txt").write_text(text)
        wait_for(lambda: stack.sql(reading), "the worker to be at it")
        stack.worker.stop(kill=True)
    assert stack.sql("SELECT count(*) FROM passages WHERE text LIKE 'Row %% of the orchard%%'") == [(0,)]
    stack.worker.start()
    wait_for_state(stack, "long.txt", "indexed")
    assert_stores_agree(stack)


def test_a_killed_worker_leaves_the_old_version_or_the_new_one(stack: Stack) -> None:
    file, generator = stack.share / "ledger.txt", random.Random(5)

    def edition(number: int) -> str:
        return "\n\n".join(f"Entry {entry} of edition {number}." * 12 for entry in range(24))

    file.write_text(edition(0))
    wait_for_state(stack, file.name, "indexed")
    answered = """SELECT string_agg(e.before || p.text || e.after, '' ORDER BY e.ordinal)
        FROM documents d JOIN version_texts t ON t.version_id = d.answered_from,
             unnest(t.hashes, t.before, t.after) WITH ORDINALITY AS e (hash, before, after, ordinal)
        JOIN passages p ON p.hash = e.hash WHERE d.path = 'ledger.txt'"""
    states = """SELECT v.state, v.id = d.answered_from FROM documents d JOIN versions v ON v.document_id = d.id
        WHERE d.path = 'ledger.txt' AND v.seen_to IS NULL"""
    reading = """SELECT 1 FROM versions v JOIN documents d ON d.id = document_id
        WHERE d.path = 'ledger.txt' AND v.seen_to IS NULL AND v.id <> d.answered_from AND v.attempts > 0"""
    seen = set()
    for number in range(1, 6):
        # The first time certainly while it waits for vectors, then at any moment.
        with stack.model_server.paused() if number == 1 else nullcontext():
            file.write_text(edition(number))
            wait_for(lambda n=number: stack.sql(reading) or stack.sql(answered) == [(edition(n),)], "the worker")  # type: ignore[misc]  # mypy cannot infer the default
            time.sleep(generator.uniform(0, 1))
            stack.worker.stop(kill=True)
        state = stack.sql(states)
        assert state in ([("pending", False)], [("indexed", True)])
        assert stack.sql(answered) == [(edition(number if state[0][1] else number - 1),)]
        seen.add(state[0][0])
        for wrong in INVARIANTS:
            assert stack.sql(wrong) == [], wrong
        stack.worker.start()
        wait_for(lambda n=number: stack.sql(answered) == [(edition(n),)], f"edition {number}")  # type: ignore[misc]  # mypy cannot infer the default
    assert "pending" in seen, "the worker was never killed while it was reading"
    assert_stores_agree(stack)


def test_an_idle_hour_changes_no_row(stack: Stack) -> None:
    hour = stack.share / "from the future.txt"
    hour.write_text("The sundial shows four.")
    os.utime(hour, (0, 330 * 365 * 86400))
    wait_for_state(stack, hour.name, "indexed")
    assert_stores_agree(stack)
    with psycopg.connect(stack.database, autocommit=True) as connection:
        before = public_rows(connection)
        for _ in range(2):
            wait_for_pass(stack)
        stack.worker.stop()
        stack.worker.start()
        wait_for_pass(stack)
        assert public_rows(connection) == before


def test_what_a_restored_database_has_is_answered_after_the_first_scan(stack: Stack) -> None:
    attic, away = stack.documents / "Attic", stack.documents.parent / "attic away"
    attic.mkdir()
    (attic / "kept.txt").write_text("The gramophone of the attic plays shellac records.")
    (attic / "deleted.txt").write_text("The harmonium of the attic has moths.")
    for name in ("kept.txt", "deleted.txt"):
        wait_for_state(stack, name, "indexed")
    [passage] = [r for r in stack.get("/api/search", q="gramophone attic")["results"] if r["path"] == "kept.txt"]
    stack.worker.stop()
    attic.rename(away)
    (away / "deleted.txt").unlink()
    # What a backup does not contain, and so a restored database does not.
    with psycopg.connect(stack.database, autocommit=True) as connection:
        connection.execute("DROP SCHEMA volatile CASCADE")
    refused = httpx.get(f"{stack.url}/api/search", params={"q": "harmonium attic"}, timeout=60, trust_env=False)
    assert refused.status_code == 503 and "worker" in refused.json()["next_step"]
    stack.worker.start()
    (stack.share / "since.txt").write_text("The pianola of the attic was sold since.")
    wait_for_state(stack, "since.txt", "indexed")
    paths = found_paths(stack, "gramophone or harmonium of the attic")
    assert "kept.txt" not in paths and "deleted.txt" not in paths
    assert httpx.get(f"{stack.url}/api/passages/{passage['chunk_id']}", trust_env=False, timeout=60).status_code == 404
    answer = ask(stack, "shellac moths qqq")[-1][1]["answer"]
    assert answer.endswith("Those of Attic are used again when the share was scanned after the restore.")
    away.rename(attic)
    wait_for(lambda: "kept.txt" in found_paths(stack, "gramophone attic"), "the first scan")
    assert "deleted.txt" not in found_paths(stack, "harmonium attic")
    assert stack.get(f"/api/passages/{passage['chunk_id']}")["text"] == passage["text"]
    shutil.rmtree(attic)
    attic.mkdir()
    wait_until_gone(stack, "kept.txt")
    assert_stores_agree(stack)


def wait_for_pass(stack: Stack) -> None:
    """Wait until the worker has finished another pass over the shares."""
    last = stack.sql("SELECT finished_at FROM volatile.passes")
    wait_for(lambda: stack.sql("SELECT finished_at FROM volatile.passes") != last, "a pass over the shares")


@pytest.fixture
def pool(stack: Stack) -> Iterator[Pool]:
    """The application's own connections to the database, while no worker runs."""
    wait_for(lambda: readiness(stack) == (200, ALL), "readiness")
    stack.worker.stop()
    options = {name.removeprefix("TARS_").lower(): value for name, value in stack.settings.items()}
    with make_pool(Settings.model_validate({k: v for k, v in options.items() if k in Settings.model_fields})) as pool:
        yield pool
    stack.worker.start()
    wait_for(lambda: readiness(stack) == (200, ALL), "readiness")


def documents_check(stack: Stack) -> str:
    answer = httpx.get(f"{stack.url}/ready", timeout=30, trust_env=False).json()["checks"]["documents"]
    return str(answer["detail"] if answer["ok"] else f"not ready: {answer['detail']}")


def wait_for_check(stack: Stack, beginning: str) -> None:
    """Wait until the check of the documents begins like this; one that takes too long fails for another reason."""

    def begins() -> bool:
        detail = documents_check(stack)
        assert detail.startswith(beginning), detail
        return True

    wait_for(begins, "the check of the documents")


def wait_for_no_problem(stack: Stack) -> None:
    """Wait until the check of the documents reports no problem."""
    wait_for(lambda: not documents_check(stack).startswith("not ready"), "the documents to be ready")


def test_a_worker_that_never_finishes_a_pass_is_reported(stack: Stack, pool: Pool) -> None:
    passes.finish_pass(pool, None)
    for _ in range(3):
        passes.start_pass(pool)
    wait_for_no_problem(stack)
    passes.start_pass(pool)
    wait_for_check(stack, "not ready: the worker ended in 3 passes in succession")
    passes.finish_pass(pool, None)
    wait_for_no_problem(stack)


def test_a_worker_without_progress_is_reported(stack: Stack, pool: Pool) -> None:
    passes.finish_pass(pool, None)
    passes.start_pass(pool)
    stack.sql(
        "UPDATE volatile.passes SET (finished_at, progress_at) ="
        " (finished_at - interval '1 hour', progress_at - interval '1 hour') RETURNING 1"
    )
    wait_for_check(stack, "not ready: the worker made no progress for 36")
    passes.note_progress(pool)
    wait_for_no_problem(stack)  # a long pass that makes progress is not one


def test_the_first_pass_is_named(stack: Stack, pool: Pool) -> None:
    stack.sql("DELETE FROM volatile.passes RETURNING 1")
    wait_for_check(stack, "not ready: no share was found yet")
    passes.start_pass(pool)
    wait_for(lambda: "(the first pass is running)" in documents_check(stack), "the first pass")
    passes.finish_pass(pool, "reading the shares: ValueError: invented")
    failed = "last pass failed: reading the shares: ValueError: invented"
    wait_for(lambda: failed in documents_check(stack), "the failure")


def test_a_lost_collection_is_filled_without_the_embedding_model(stack: Stack) -> None:
    wait_for(lambda: readiness(stack) == (200, ALL), "readiness")
    stack.worker.stop()
    stack.model_server.stop()
    for collection in httpx.get(_collections(stack), trust_env=False, timeout=60).json():
        httpx.delete(f"{_collections(stack)}/{collection['name']}", trust_env=False, timeout=60).raise_for_status()
    stack.worker.start()
    assert_stores_agree(stack)
    assert searchable_passages(stack)
    stack.model_server.start()


def _collections(stack: Stack) -> str:
    return f"{stack.chroma_url}/api/v2/tenants/default_tenant/databases/default_database/collections"


def test_metrics_and_headers(stack: Stack) -> None:
    metrics = httpx.get(f"{stack.url}/metrics", trust_env=False, timeout=60).text
    for name in (
        'tars_documents{state="indexed"}',
        "tars_passages ",
        "tars_words_loaded 1.0",
        "tars_words_passages ",
        "tars_vectors_expected ",
        "tars_vectors_present ",
        "tars_ingest_seconds_sum",
        "tars_ask_seconds_count",
    ):
        assert name in metrics
    headers = httpx.get(f"{stack.url}/api/documents", trust_env=False, timeout=60).headers
    assert "default-src 'none'" in headers["content-security-policy"] and headers["cache-control"] == "no-store"
    large = httpx.post(f"{stack.url}/api/ask", content=b"x" * 70_000, trust_env=False, timeout=60)
    assert large.status_code == 413
    streamed = httpx.post(f"{stack.url}/api/ask", content=iter([b"x" * 40_000] * 3), trust_env=False, timeout=60)
    assert streamed.status_code == 413


def test_the_log_holds_no_content(stack: Stack) -> None:
    (stack.share / "private.txt").write_text("The diary mentions Zanzibar.")
    wait_for_state(stack, "private.txt", "indexed")
    stack.get("/api/search", q="diary Zanzibar")
    ask(stack, "What does the diary say of Zanzibar?")
    for server in (stack.serve, stack.worker):
        text = server.log.read_text()
        assert "Zanzibar" not in text and "test-secret" not in text
        assert log_entries(server), "each line is JSON"
