# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the services of a drill on a restored backup, and compare them with it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from ..actions import restore
from ..actions.restore import POSTGRES, Chosen
from ..components import Component
from ..components.postgres import identity
from ..components.postgres.load import records
from ..components.postgres.session import Session, connect
from ..context import Context
from ..contract import Contract
from ..deadline import Deadline
from ..errors import BackupError, InterruptionError
from ..restoring import database, folders
from . import questions
from .fence import Fence, applications
from .outcome import Check, Outcome, Step

FILL_S = 1800.0
"""Seconds for Chroma to hold all vectors."""

ASK_S = 1800.0
"""Seconds for the application to answer all questions."""

Value = TypeVar("Value")

_APPLICATION = "app"
_QUERY_S = 600.0
_PAUSE_S = 0.5

_READY = """
SELECT to_regclass('volatile.vector_index') IS NOT NULL AND to_regclass('volatile.scans') IS NOT NULL AS ready
"""
# Whether documents were deleted since the backup is not the question here, and no share is mounted.
_CONFIRM = "INSERT INTO volatile.scans (source) SELECT name FROM public.sources ON CONFLICT DO NOTHING"
_FILLED = "SELECT expected, present FROM volatile.vector_index"


class Rehearsal:
    """One drill: the steps of a recovery, in their order, and what they measured."""

    def __init__(self, living: Context, contract: Contract, fence: Fence, outcome: Outcome) -> None:
        """Restore with the services `fence` of `contract`; those of the context `living` are only read."""
        self._living = living
        self._context = Context(living.configuration, contract, fence, living.deadline, living.progress)
        self._contract = contract
        self._fence = fence
        self._outcome = outcome
        self._folder = living.configuration.drill / "backup"

    def carry_out(self, chosen: Chosen, components: Sequence[Component]) -> None:
        """Restore the backup, start the services on it, and ask them.

        Raises:
            BackupError: a step failed.
        """
        began = time.monotonic()
        with self._step("read and verify the backup"):
            self._read(chosen, components)
        with self._step("load and compare the database"):
            self._load(chosen)
        with self._step("start the services and fill the vectors"):
            self._start()
            self._fill(chosen)
        with self._step("answer the questions"):
            self._ask(chosen)
        self._outcome.recovery_s = round(time.monotonic() - began, 1)

    @contextmanager
    def _step(self, name: str) -> Iterator[None]:
        self._living.progress(f"drill: {name}")
        began = time.monotonic()
        try:
            yield
        finally:
            self._outcome.steps.append(Step(name, round(time.monotonic() - began, 1)))

    def _check(self, name: str, *, ok: bool, found: object, expected: object) -> None:
        self._outcome.checks.append(Check(name, ok, str(found), str(expected)))

    def _read(self, chosen: Chosen, components: Sequence[Component]) -> None:
        parts = chosen.manifest.components
        size = sum(part.bytes for part in parts.values())
        folder = self._living.configuration.drill
        folders.require_disk_space(folder, size, folder, parts[POSTGRES].bytes)
        folders.recreate(self._folder)
        restore.fetch(self._context, chosen, components, self._folder)
        count = sum(part.files for part in parts.values())
        self._check(
            "files of the backup", ok=True, found=f"{count:,} files, all equal", expected="equal to the manifest"
        )

    def _load(self, chosen: Chosen) -> None:
        store = str(self._contract.database["service"])
        living = ""
        if self._living.services.running([store]):
            living = identity(self._living.services, self._living.contract.database, deadline_s=_QUERY_S).identifier
        part = chosen.manifest.components[POSTGRES]
        place = folders.data_folder(self._contract, store)
        database.build(self._context, self._folder / POSTGRES, part, place, living=living)
        self._fence.launch(store)
        known = self._wait(lambda: identity(self._fence, self._contract.database, deadline_s=30), [store])
        self._check(
            "database of the drill",
            ok=known.identifier != living,
            found=f"the identifier {known.identifier}",
            expected=f"another one than {living or 'any'}, the household's",
        )
        if known.identifier == living:
            raise BackupError("database of the drill", found="the household's", expected="a database of its own")
        tables = {table.name: table.rows for table in records(self._folder / POSTGRES)[0]}
        present = database.rows(self._fence, self._contract.database)
        self._check(
            "rows of the database",
            ok=present == tables,
            found=f"{sum(present.values()):,} rows in {len(present)} tables, each compared",
            expected=f"{sum(tables.values()):,} rows in {len(tables)} tables",
        )

    def _start(self) -> None:
        stores = [str(entry["service"]) for entry in (self._contract.queue, self._contract.vectors)]
        for service in stores:
            folders.make(self._contract, service, folders.data_folder(self._contract, service))
        for service in stores:
            self._fence.launch(service)
        self._fence.relay_models()
        for service in applications(self._contract):
            self._fence.launch(service)

    def _fill(self, chosen: Chosen) -> None:
        """Wait until the worker has filled Chroma from the database."""
        names = [*applications(self._contract), str(self._contract.vectors["service"])]

        def ready() -> bool | None:
            return bool(self._query(_READY)[0]["ready"]) or None

        def filled() -> int | None:
            rows = self._query(_FILLED)
            return int(rows[0]["expected"]) if rows and rows[0]["expected"] == rows[0]["present"] else None

        self._wait(ready, names)
        with self._session() as session:
            session.execute(_CONFIRM)
        count = self._wait(filled, names)
        saved = chosen.manifest.components.get("chroma")
        then = saved.counts.get("vectors", 0) if saved else 0
        self._check(
            "vectors",
            ok=True,
            found=f"{count:,} in Chroma; {then:,} when the backup was made",
            expected=f"{count:,}, those of the database",
        )

    def _ask(self, chosen: Chosen) -> None:
        kept = list(self._living.configuration.questions)
        with self._session() as session:
            generated = questions.generate(session, chosen.mark.id)
        self._outcome.questions = questions.ask(
            self._fence, _APPLICATION, [*kept, *generated], len(kept), Deadline(ASK_S)
        )

    @contextmanager
    def _session(self) -> Iterator[Session]:
        with connect(self._fence, self._contract.database, deadline_s=_QUERY_S) as session:
            yield session

    def _query(self, statement: str) -> list[dict[str, Any]]:
        with self._session() as session:
            return session.query(statement.strip())

    def _wait(self, condition: Callable[[], Value | None], services: Sequence[str]) -> Value:
        """Return the first value of a condition that is not None; it may raise BackupError until then.

        Raises:
            BackupError: one of the services ended, or FILL_S seconds have passed.
        """
        deadline, shown = Deadline(FILL_S), ""
        while True:
            try:
                value = condition()
                if value is not None:
                    return value
            except InterruptionError:
                raise
            except BackupError as error:
                if str(error) != shown:
                    shown = str(error)
                    self._living.progress(f"waiting for {', '.join(services)}: {shown}")
            questions.require_running(self._fence, services)
            deadline.remaining_s(f"start of {', '.join(services)}")
            time.sleep(_PAUSE_S)
