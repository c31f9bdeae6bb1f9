# SPDX-License-Identifier: GPL-3.0-or-later
"""One check per dependency. Each really asks it, within `TIMEOUT_S`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import anyio
import httpx
from anyio.to_thread import run_sync
from pydantic import BaseModel

from tars_app.adapters.postgres import found_schema, wanted_schema
from tars_app.dependencies import Dependencies

TIMEOUT_S = 3.0


class Check(BaseModel):
    """Whether one dependency does its part, and what was found."""

    ok: bool
    detail: str | None = None


class Readiness(BaseModel):
    """Ready when every check is ok."""

    ready: bool
    checks: dict[str, Check]


class Problem(Exception):
    """What a check found wrong."""


async def check_all(dependencies: Dependencies) -> Readiness:
    """Ask every dependency at the same time."""
    checks: dict[str, Callable[[Dependencies], str | None]] = {
        "postgres": _postgres,
        "redis": _redis,
        "chroma": _chroma,
        "ollama": _ollama,
        "documents": _documents,
    }
    results: dict[str, Check] = {}

    async def run(name: str, check: Callable[[Dependencies], str | None]) -> None:
        try:
            with anyio.fail_after(TIMEOUT_S):
                results[name] = Check(ok=True, detail=await run_sync(check, dependencies, abandon_on_cancel=True))
        except TimeoutError:
            results[name] = Check(ok=False, detail=f"no answer within {TIMEOUT_S:g} s")
        except Exception as error:  # whatever a client raises, the dependency is not usable
            results[name] = Check(ok=False, detail=_one_line(error))

    async with anyio.create_task_group() as group:
        for name, check in checks.items():
            group.start_soon(run, name, check)
    return Readiness(ready=all(c.ok for c in results.values()), checks={name: results[name] for name in checks})


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text[:300]


def _postgres(dependencies: Dependencies) -> str:
    with dependencies.pool.connection(timeout=TIMEOUT_S) as connection:
        found = found_schema(connection)
    if found != (wanted := wanted_schema()):
        raise Problem(f"schema is {found or 'empty'}, wanted {wanted}: the worker brings it up to date at its start")
    return f"schema {found}"


def _redis(dependencies: Dependencies) -> None:
    dependencies.redis.ping()


def _chroma(dependencies: Dependencies) -> None:
    httpx.get(
        f"{dependencies.settings.chroma_url}/api/v2/heartbeat", timeout=TIMEOUT_S, trust_env=False
    ).raise_for_status()


def _ollama(dependencies: Dependencies) -> str:
    url = f"{dependencies.settings.ollama_url}/api/tags"
    answer = httpx.get(url, timeout=TIMEOUT_S, trust_env=False).raise_for_status().json()
    there = {model["name"] for model in answer["models"]}
    wanted = (dependencies.settings.chat_model, dependencies.settings.embedding_model)
    missing = [name for name in wanted if (name if ":" in name else f"{name}:latest") not in there]
    if missing:
        raise Problem(f"not installed: {', '.join(missing)}")
    return ", ".join(wanted)


def _documents(dependencies: Dependencies) -> str:
    with dependencies.pool.connection(timeout=TIMEOUT_S) as connection:
        rows = connection.execute("SELECT name, available, detail, scanned_at FROM sources ORDER BY name").fetchall()
    if not rows:
        raise Problem("no share was found yet: the worker has not looked, or nothing is mounted")
    away = [f"{row['name']}: {row['detail']}" for row in rows if not row["available"]]
    if away:
        raise Problem("; ".join(away))
    oldest = min(row["scanned_at"] for row in rows)
    # A round that reads many new files takes its time; a worker that is gone never looks again.
    if datetime.now(UTC) - oldest > timedelta(seconds=600 + 5 * dependencies.settings.scan_interval_s):
        raise Problem(f"the worker last looked at {oldest.isoformat(timespec='seconds')}: check that it is running")
    return ", ".join(row["name"] for row in rows)
