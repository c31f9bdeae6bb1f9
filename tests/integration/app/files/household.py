# SPDX-License-Identifier: GPL-3.0-or-later
"""A share with snapshots, and the steps that the worker does on it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID
from zlib import crc32

from tars_app.documents import repository
from tars_app.documents.ingest import ingest
from tars_app.documents.reconcile import reconcile
from tars_app.kit.instants import TimeRequest
from tars_app.retrieval.service import search
from tars_app.snapshots import service
from tars_app.snapshots.ingest import ingest_earlier

from ..helpers import INVARIANTS
from ..past import SOURCE, Store


def day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


class Household:
    """A share with snapshots, and the worker's steps on it."""

    def __init__(self, store: Store, share: Path) -> None:
        self.store = store
        self.share = share
        self.settings = store.dependencies.settings
        share.mkdir(parents=True)

    def write(self, path: str, text: str, modified: datetime | None = None) -> None:
        file = self.share / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        moment = (modified or day("2023-12-31")).timestamp()
        os.utime(file, (moment, moment))

    def snapshot(self, name: str, **files: str) -> Path:
        """Add a snapshot with text files. Files with the same text were last changed at the same time."""
        for stem, text in files.items():
            self.write(
                f"#snapshot/{name}/{stem}.txt",
                text,
                day("2023-01-01") + timedelta(seconds=crc32(text.encode()) % 10**7),
            )
        (self.share / "#snapshot" / name).mkdir(parents=True, exist_ok=True)
        return self.share / "#snapshot" / name

    def scan(self) -> None:
        reconcile(self.store.pool, self.settings, lambda: None)
        self.read()

    def read(self) -> None:
        for version in repository.waiting(self.store.pool):
            ingest(self.store.dependencies, version)

    def import_slice(self, progress: Callable[[], None] = lambda: None) -> list[UUID]:
        """Do the steps of one pass; return the versions that were queued."""
        service.import_snapshots(self.store.pool, self.settings, progress)
        queued: list[UUID] = []
        service.queue_earlier(self.store.pool, queued.append)
        return queued

    def import_all(self) -> None:
        while queued := self.import_slice():
            for version in queued:
                ingest_earlier(self.store.dependencies, version)
        with self.store.pool.connection() as connection:
            for wrong in INVARIANTS:
                assert connection.execute(wrong).fetchall() == [], wrong

    def states(self) -> dict[str, str]:
        with self.store.pool.connection() as connection:
            rows = connection.execute("SELECT name, state FROM volatile.snapshots").fetchall()
        return {row["name"]: row["state"] for row in rows}

    def detail(self, name: str) -> str:
        with self.store.pool.connection() as connection:
            [row] = connection.execute("SELECT detail FROM volatile.snapshots WHERE name = %s", (name,)).fetchall()
        return str(row["detail"])

    def answers(self, question: str, at: datetime) -> list[tuple[str, str]]:
        results = search(self.store.dependencies, question, 5, TimeRequest(at)).passages
        return [(passage.path, passage.text) for passage in results]

    def unwatched(self, since: datetime, until: datetime) -> None:
        """Record that the share was not scanned then."""
        with self.store.pool.connection() as connection:
            connection.execute("INSERT INTO unwatched VALUES (%s, %s, %s)", (SOURCE, since, until))


def new_household(store: Store, folder: Path) -> Household:
    """A share below a folder, and an empty database."""
    store.clear()
    with store.pool.connection() as connection:
        connection.execute(
            "TRUNCATE sources, volatile.scans, volatile.snapshots, volatile.queued, volatile.vector_changes"
        )
        connection.execute("TRUNCATE unwatched")
    own = {
        "documents": [folder / "documents"],
        "require_mount": False,
        "settle_s": 0.05,
        "history_shares": [SOURCE],
        "history_days": 36500,
        "chroma_url": "http://127.0.0.1:9",
    }
    settings = store.dependencies.settings.model_copy(update=own)
    store.dependencies = replace(store.dependencies, settings=settings)
    return Household(store, folder / "documents" / SOURCE)
