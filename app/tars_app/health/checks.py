# SPDX-License-Identifier: GPL-3.0-or-later
"""One check per dependency. Each sends it a request, and takes `TIMEOUT_S` at most."""

from __future__ import annotations

from collections.abc import Callable

import anyio
import httpx
from anyio.to_thread import run_sync
from pydantic import BaseModel

from tars_app.adapters.chroma import LEAST_RECALL
from tars_app.adapters.postgres import current_schema, required_schema
from tars_app.dependencies import Dependencies
from tars_app.health.passes import last_pass
from tars_app.kit.errors import MAX_SUMMARY_CHARACTERS, UnavailableError, summarize

TIMEOUT_S = 3.0
MAX_IDLE_S = 600.0
"""A worker that makes no progress for this long, and five intervals between passes, has a problem."""
MAX_UNFINISHED_PASSES = 3
_IMPORTING = """
SELECT (SELECT min(taken) FROM snapshots) AS back_to,
       (SELECT count(*) FROM volatile.snapshots WHERE state IN ('waiting', 'unreadable')) AS remaining
"""


class Check(BaseModel):
    """Whether one dependency works, and the details."""

    ok: bool
    detail: str | None = None


class Readiness(BaseModel):
    """Ready when every check is ok."""

    ready: bool
    checks: dict[str, Check]


class CheckFailedError(Exception):
    """A check failed; the message states why."""


async def check_all(dependencies: Dependencies) -> Readiness:
    """Run all checks at the same time."""
    checks: dict[str, Callable[[Dependencies], str | None]] = {
        "postgres": _postgres,
        "redis": _redis,
        "chroma": _chroma,
        "ollama": _ollama,
        "documents": _documents,
        "search": _search,
    }
    results: dict[str, Check] = {}

    async def run(name: str, check: Callable[[Dependencies], str | None]) -> None:
        try:
            with anyio.fail_after(TIMEOUT_S):
                results[name] = Check(ok=True, detail=await run_sync(check, dependencies, abandon_on_cancel=True))
        except TimeoutError:
            results[name] = Check(ok=False, detail=f"no answer within {TIMEOUT_S:g} s")
        except Exception as error:  # noqa: BLE001  whatever a client raises, the dependency is not usable
            results[name] = Check(ok=False, detail=_describe(error))

    async with anyio.create_task_group() as group:
        for name, check in checks.items():
            group.start_soon(run, name, check)
    return Readiness(ready=all(c.ok for c in results.values()), checks={name: results[name] for name in checks})


def _describe(error: Exception) -> str:
    """Return the message of an expected error, and the type too of any other."""
    if isinstance(error, CheckFailedError | UnavailableError):
        return str(error)[:MAX_SUMMARY_CHARACTERS]
    return summarize(error)


def _postgres(dependencies: Dependencies) -> str:
    with dependencies.pool.connection(timeout=TIMEOUT_S) as connection:
        current = current_schema(connection)
    if current != (required := required_schema()):
        reason = f"schema is {current or 'empty'}, expected {required}"
        raise CheckFailedError(f"{reason}: the worker upgrades it at its start")
    return f"schema {current}"


def _redis(dependencies: Dependencies) -> None:
    dependencies.redis.ping()


def _chroma(dependencies: Dependencies) -> str:
    """Chroma lags behind while it is filled; meanwhile the words of a question are still found."""
    httpx.get(
        f"{dependencies.settings.chroma_url}/api/v2/heartbeat", timeout=TIMEOUT_S, trust_env=False
    ).raise_for_status()
    present = dependencies.vectors.count()
    try:
        with dependencies.pool.connection(timeout=TIMEOUT_S / 3) as connection:
            row = connection.execute("SELECT passages, expected, model, recall FROM volatile.vector_index").fetchone()
    except UnavailableError:
        row = None  # the check of PostgreSQL reports it
    if row is None:
        return f"{present} vectors"
    detail = f"{present} of {row['expected']} vectors"
    without = row["passages"] - row["expected"]
    detail = f"{detail}; {without} passages have no vector yet" if without else detail
    if row["recall"] is not None and row["recall"] < LEAST_RECALL:
        raise CheckFailedError(
            f"{detail}; Chroma returned {row['recall']:.0%} of the nearest passages of a sample, expected at least "
            f"{LEAST_RECALL:.0%}: questions are compared with all vectors, which is slower; restart the worker, which "
            "fills Chroma again"
        )
    former = row["model"] != dependencies.settings.embedding_model
    return f"{detail}; until then, questions use the vectors of {row['model']}" if former else detail


def _search(dependencies: Dependencies) -> str:
    """The words of all passages are read after each start. Meanwhile a question waits, and is answered then."""
    loading = dependencies.passages.loading
    if loading.complete:
        return f"the words of {loading.words} passages are in memory"
    return f"loading: the words of {loading.words} of {loading.passages} passages are in memory; questions wait"


def _ollama(dependencies: Dependencies) -> str:
    url = f"{dependencies.settings.ollama_url}/api/tags"
    answer = httpx.get(url, timeout=TIMEOUT_S, trust_env=False).raise_for_status().json()
    installed = {model["name"] for model in answer["models"]}
    required = (dependencies.settings.chat_model, dependencies.settings.embedding_model)
    missing = [name for name in required if (name if ":" in name else f"{name}:latest") not in installed]
    if missing:
        raise CheckFailedError(f"not installed: {', '.join(missing)}")
    return ", ".join(required)


def _documents(dependencies: Dependencies) -> str:
    with dependencies.pool.connection(timeout=TIMEOUT_S) as connection:
        rows = connection.execute("SELECT name, available, detail FROM sources ORDER BY name").fetchall()
        record = last_pass(connection)
        importing = connection.execute(_IMPORTING).fetchone()
    if record is None or not rows:
        raise CheckFailedError("no share was found yet: the worker has not read any, or nothing is mounted")
    unavailable = [f"{row['name']}: {row['detail']}" for row in rows if not row["available"]]
    if unavailable:
        raise CheckFailedError("; ".join(unavailable))
    if record.problem:
        raise CheckFailedError(f"the worker's last pass failed: {record.problem}; check its container's log")
    if record.unfinished >= MAX_UNFINISHED_PASSES:
        raise CheckFailedError(
            f"the worker ended in {record.unfinished} passes in succession: check its container's log"
        )
    # A pass that reads many new files takes long, but makes progress.
    if record.idle_s > MAX_IDLE_S + 5 * dependencies.settings.scan_interval_s:
        raise CheckFailedError(
            f"the worker made no progress for {record.idle_s:.0f} s: check that its container is running"
        )
    names = ", ".join(row["name"] for row in rows)
    if not record.ever_finished:
        return f"{names} (the first pass is running)"
    if importing and importing["remaining"]:
        back_to = f"{importing['back_to']:%Y-%m-%d}" if importing["back_to"] else "now"
        return f"{names}; snapshots imported back to {back_to}, {importing['remaining']} left"
    return names
