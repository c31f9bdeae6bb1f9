# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of the backups as one document without secrets, and the files that hold it for others."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from .. import files, instants, processes
from ..configuration import Configuration
from ..manifest import Mark
from ..state import State
from . import problems

SCHEMA = 1
NAME = "status.json"
LAST_GOOD = "last-good.json"
"""Name of the file beside the repository by which other computers see the age of the backups."""

SUBJECTS = ("run", "last_good", "history", "key", "verified", "share", "drill", "sheet", "watch", "alarms")


def facts_of(configuration: Configuration) -> dict[str, dict[str, Any]]:
    """Return what was recorded, by subject, and of each copy; an empty object for what was never recorded."""
    state = State(configuration.state)
    copies = {name: State(configuration.of_copy(name).state).read("copy") for name in configuration.copies}
    return {**{subject: state.read(subject) for subject in SUBJECTS}, "copies": copies}


def document(configuration: Configuration, now: datetime) -> dict[str, Any]:
    """Return the state: instants as texts in UTC, null for what never happened. It holds no text of a program."""
    facts = facts_of(configuration)
    run, share = facts["run"], facts["share"]
    return {
        "schema": SCHEMA,
        "written_at": instants.to_text(now),
        "host": configuration.host,
        "zone": configuration.zone,
        "last_run": _only(run, "at", "ok", "code", "last_ok"),
        "last_good": _only(facts["last_good"], "id", "made_at", "confirmed_at"),
        "verified": _only(facts["verified"], "at", "ok"),
        "read_back": {"at": share["at"], "ok": not share.get("problems")} if share.get("at") else None,
        "drill": _only(facts["drill"], "at", "ok", "backup"),
        "sheet": _only(facts["sheet"], "checked_at"),
        "copies": {
            name: _only(copy, "last_ok", "failed_since", "absent_since") for name, copy in facts["copies"].items()
        },
        "kept": run.get("kept"),
        "retention": dict(configuration.retention),
        "space": run.get("space"),
        "problems": [vars(problem) for problem in problems.find(configuration, facts, now)],
    }


def _only(fact: Mapping[str, Any], *keys: str) -> dict[str, Any] | None:
    return {key: fact.get(key) for key in keys} if fact else None


def publish(configuration: Configuration) -> dict[str, Any]:
    """Write the state for the application, which reads it without any right, and return it."""
    folder = configuration.status
    configuration.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = os.open(configuration.state / "status.lock", os.O_RDWR | os.O_CREAT, 0o600)
    mask = os.umask(0o022)
    try:
        # Held for one small file: commands that only read may end at the same time as a run.
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder.mkdir(parents=True, exist_ok=True, mode=0o755)
        state = document(configuration, instants.now())
        files.write(folder / NAME, _encoded(state), 0o644)
        return state
    finally:
        os.umask(mask)
        os.close(lock)


def write_last_good(configuration: Configuration, mark: Mark, confirmed_at: datetime) -> None:
    """Write the time of the last good backup beside the repository.

    Raises:
        DestinationError: the share cannot be written, or does not answer.
    """
    path = configuration.repository.parent / LAST_GOOD
    content = _encoded(
        {
            "schema": SCHEMA,
            "last_good": instants.to_text(confirmed_at),
            "backup": mark.id,
            "made_at": instants.to_text(mark.made_at),
            "host": configuration.host,
        }
    )
    processes.isolated(lambda: files.write(path, content, 0o644), subject=path)


def _encoded(state: Mapping[str, Any]) -> bytes:
    return (json.dumps(state, sort_keys=True, indent=1) + "\n").encode()
