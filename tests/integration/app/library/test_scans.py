# SPDX-License-Identifier: GPL-3.0-or-later
"""Scans of a share as it is on a NAS: what changes without a trace, is being written, or is not a document."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tars_app.adapters.postgres import Pool, make_pool, migrate
from tars_app.documents import reconcile as reconciling
from tars_app.documents import repository
from tars_app.documents.index import fail, start_task
from tars_app.documents.reconcile import FAST_QUEUED, SLOW_QUEUED, queue_waiting, reconcile
from tars_app.library import service
from tars_app.library.repository import Selection
from tars_app.settings import Settings

from ..conftest import Server
from ..databases import connect, empty_database, public_rows

pytestmark = pytest.mark.integration

OLD_S = 1_700_000_000


class Share:
    """A share, and the worker's scans of it. `days` of files that are written are in the past, unless they are new."""

    def __init__(self, pool: Pool, settings: Settings, folder: Path) -> None:
        self.pool, self.settings, self.folder = pool, settings, folder
        self.unfinished: dict[str, datetime] = {}

    def write(self, path: str, content: str | bytes, at: float | None = OLD_S) -> Path:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        if at:
            os.utime(file, (at, at))
        return file

    def scan(self, progress: Callable[[], None] = lambda: None) -> bool:
        return reconcile(self.pool, self.settings, progress, self.unfinished)

    def rows(self, query: str, *parameters: Any) -> list[dict[str, Any]]:
        with self.pool.connection() as connection:
            return connection.execute(query, parameters).fetchall()

    def entries(self) -> dict[str, str]:
        return {row["path"]: row["because"] for row in self.rows("SELECT path, because FROM volatile.entries")}

    def states(self, **selection: Any) -> dict[str, str]:
        return {file.path: file.state for file in service.files(self.pool, Selection(**selection), 1000, 0).files}

    def versions(self, path: str) -> int:
        [row] = self.rows(
            "SELECT count(*) AS n FROM versions v JOIN documents d ON d.id = v.document_id WHERE d.path = %s", path
        )
        return int(row["n"])


@pytest.fixture(scope="module")
def database(postgres: Server) -> Iterator[tuple[Pool, Settings]]:
    with empty_database(postgres) as settings:
        migrate(settings)
        with make_pool(settings) as pool:
            yield pool, settings


@pytest.fixture
def share(database: tuple[Pool, Settings], tmp_path: Path) -> Share:
    pool, settings = database
    with pool.connection() as connection:
        connection.execute("TRUNCATE sources, documents, unwatched, volatile.scans CASCADE")
        connection.execute(
            "TRUNCATE volatile.entries, volatile.listings, volatile.file_checks, volatile.queued, volatile.readings"
        )
    folder = tmp_path / "documents/LLM_docs"
    folder.mkdir(parents=True)
    settings = settings.model_copy(
        update={"documents": [folder.parent], "require_mount": False, "settle_s": 0.05, "max_file_bytes": 1000}
    )
    return Share(pool, settings, folder)


def test_other_content_of_the_same_size_and_time_is_noticed(share: Share) -> None:
    share.write("key.txt", "under the mat")
    share.scan()
    share.write("key.txt", "in the garage")
    share.scan()
    assert share.versions("key.txt") == 2
    replaced = share.write("new.txt", "on the shelf.")
    replaced.rename(share.folder / "key.txt")
    share.scan()
    assert share.versions("key.txt") == 3


def test_a_change_without_any_trace_is_noticed_within_a_month(share: Share) -> None:
    share.write("key.txt", "under the mat")
    share.write("other.txt", "the same")
    share.scan()
    share.write("key.txt", "in the garage")
    # As on a file system without change times.
    changed_ns = (share.folder / "key.txt").stat().st_ctime_ns
    share.rows(
        """UPDATE volatile.file_checks SET ctime_ns = %s
           WHERE document_id = (SELECT id FROM documents WHERE path = 'key.txt') RETURNING 1""",
        changed_ns,
    )
    share.scan()
    assert share.versions("key.txt") == 1
    share.rows("UPDATE volatile.file_checks SET checked_at = now() - interval '29 days' RETURNING 1")
    share.scan()
    assert (share.versions("key.txt"), share.versions("other.txt")) == (2, 1)
    due = "SELECT 1 FROM volatile.file_checks WHERE checked_at < now() - interval '1 day'"
    assert share.rows(due) == []


def test_change_times_that_are_not_on_record_are_taken_without_reading_the_files(share: Share) -> None:
    share.write("key.txt", "under the mat")
    share.scan()
    share.rows("DELETE FROM volatile.file_checks RETURNING 1")
    share.write("key.txt", "in the garage")
    share.scan()
    assert share.versions("key.txt") == 1
    share.write("key.txt", "on the shelf.")
    share.scan()
    assert share.versions("key.txt") == 2


def test_while_no_content_changes_no_row_changes(share: Share) -> None:
    for number in range(5):
        share.write(f"{number}.txt", f"letter {number}")
    share.write("film.mkv", "x")
    share.scan()
    with connect(share.settings) as connection:
        before = public_rows(connection)
        volatile = "SELECT xmin::text, path FROM volatile.entries ORDER BY path"
        entries = connection.execute(volatile).fetchall()
        (share.folder / "1.txt").chmod(0o600)  # changes the change time alone
        share.scan()
        share.scan()
        assert public_rows(connection) == before
        assert connection.execute(volatile).fetchall() == entries


def test_what_is_not_a_document_is_on_record_with_the_reason(share: Share) -> None:
    share.write("#12 Rechnung.txt", "paid")
    share.write("@home/wifi.txt", "secret")
    for path in ("@eaDir/a.txt", ".hidden.txt", "~$a.docx", "a.mkv", "letters/Thumbs.db"):
        share.write(path, "x")
    (share.folder / "link.txt").symlink_to(share.folder / "a.txt")
    os.mkfifo(share.folder / "pipe")
    share.write("large.txt", "x" * 1001)
    share.write("empty.txt", "")
    share.scan()
    expected = {
        "@eaDir": "system", ".hidden.txt": "hidden", "~$a.docx": "temporary", "a.mkv": "format",
        "letters/Thumbs.db": "system", "link.txt": "link", "pipe": "special",
    }  # fmt: skip
    assert share.entries() == expected
    assert share.states(states=("failed",)) == {"large.txt": "failed", "empty.txt": "failed"}
    assert share.states(states=("waiting",)) == {"#12 Rechnung.txt": "waiting", "@home/wifi.txt": "waiting"}
    for path in ("a.mkv", "link.txt"):
        (share.folder / path).unlink()
        del expected[path]
    share.write("b.iso", "x")
    share.scan()
    assert share.entries() == {**expected, "b.iso": "format"}


def test_files_of_any_name_are_recorded_and_read_by_their_bytes(share: Share) -> None:
    names = [b"B\xfccher.txt", b"two\nlines.txt", "Mu\u0308ller.txt".encode(), "M\u00fcller.txt".encode()]
    for number, name in enumerate(names):
        file = os.fsencode(share.folder) + b"/" + name
        Path(os.fsdecode(file)).write_text(f"letter {number}")
        os.utime(file, (OLD_S, OLD_S))
    share.scan()
    known = repository.living(share.pool, "LLM_docs")
    assert set(known) == {r"B\xfccher.txt", r"two\x0alines.txt", "Mu\u0308ller.txt", "M\u00fcller.txt"}
    assert len({document.sha256 for document in known.values()}) == 4
    share.scan()
    assert repository.living(share.pool, "LLM_docs") == known
    assert service.find(share.pool, "two\\x0alines.txt").state == "waiting"
    assert service.find(share.pool, "Mu\u0308ller.txt").path == "Mu\u0308ller.txt"
    with pytest.raises(service.SeveralFilesError):
        service.find(share.pool, "llm_docs/mu\u0308ller.TXT")
    (share.folder / "M\u00fcller.txt").unlink()
    share.scan()
    assert service.find(share.pool, "llm_docs/m\u00fcller.TXT").path == "Mu\u0308ller.txt"


def test_a_file_that_is_being_written_waits(share: Share) -> None:
    file = share.write("upload.txt", "first half", at=None)

    def write_on() -> None:
        with file.open("a") as opened:
            opened.write(", and more")

    share.scan(write_on)  # after the folder was listed
    assert share.entries() == {"upload.txt": "writing"} and share.states() == {"upload.txt": "found"}
    os.utime(file, (OLD_S, OLD_S))  # as a program that sets the old time while it writes on
    share.scan(write_on)
    assert share.entries() == {"upload.txt": "writing"}
    share.scan()
    assert share.entries() == {} and share.states() == {"upload.txt": "waiting"}


def test_a_long_scan_is_continued_and_retires_nothing_that_may_be_renamed(
    share: Share, monkeypatch: pytest.MonkeyPatch
) -> None:
    share.write("old name.txt", "the lease")
    share.scan()
    [document] = [known.document_id for known in repository.living(share.pool, "LLM_docs").values()]
    (share.folder / "old name.txt").rename(share.folder / "new name.txt")
    share.write("letter.txt", "dear aunt")
    scanned = share.rows("SELECT scanned_at FROM volatile.scans")
    monkeypatch.setattr(reconciling, "SLICE_S", 0.0)
    assert not share.scan()
    assert share.entries() == {"new name.txt": "found", "letter.txt": "found"}
    assert share.states() == {"new name.txt": "found", "letter.txt": "found", "old name.txt": "waiting"}
    assert share.rows("SELECT scanned_at FROM volatile.scans") == scanned
    began = share.unfinished["LLM_docs"]
    assert not share.scan() and share.unfinished["LLM_docs"] == began
    monkeypatch.setattr(reconciling, "SLICE_S", 60.0)
    assert share.scan() and share.unfinished == {}
    assert repository.living(share.pool, "LLM_docs")["new name.txt"].document_id == document
    assert share.entries() == {} and share.rows("SELECT scanned_at FROM volatile.scans") != scanned


def paths_of(share: Share, versions: list[UUID]) -> list[str]:
    rows = share.rows("SELECT v.id, d.path FROM versions v JOIN documents d ON d.id = v.document_id")
    by_id = {row["id"]: row["path"] for row in rows}
    return [by_id[version] for version in versions]


def test_text_precedes_scans_small_precedes_large_and_what_was_just_added_precedes_all(share: Share) -> None:
    for size, names in ((900, ("large.txt", "large.PDF")), (10, ("small.txt", "small.pdf"))):
        for name in names:
            share.write(name, f"{name}{'x' * size}")
        share.scan()  # the large ones are on record first
    share.write("today.txt", "x" * 950, at=None)
    share.scan()
    sent: dict[str, list[UUID]] = {"fast": [], "slow": []}
    queue_waiting(share.pool, sent["fast"].append, sent["slow"].append)
    assert paths_of(share, sent["fast"]) == ["today.txt", "small.txt", "large.txt"]
    assert paths_of(share, sent["slow"]) == ["small.pdf", "large.PDF"]
    queue_waiting(share.pool, sent["fast"].append, sent["slow"].append)
    assert [len(versions) for versions in sent.values()] == [3, 2]


def test_the_queue_is_short_and_filled_again(share: Share) -> None:
    for number in range(FAST_QUEUED + 20):
        share.write(f"{number}.txt", f"letter {number}")
    for number in range(SLOW_QUEUED + 2):
        share.write(f"{number}.pdf", f"scan {number}")
    share.scan()
    fast: list[UUID] = []
    slow: list[UUID] = []
    queue_waiting(share.pool, fast.append, slow.append)
    assert (len(fast), len(slow)) == (FAST_QUEUED, SLOW_QUEUED)
    for version in [*fast[: FAST_QUEUED // 2], *slow[:5]]:
        fail(share.pool, version, "It is read.")
    # What a person adds now, and asks for, comes before those that were found long ago.
    share.write("added.txt", "now", at=None)
    share.scan()
    service.retry(share.pool, "0.txt" if share.states()["0.txt"] == "waiting" else "219.txt", None)
    queue_waiting(share.pool, fast.append, slow.append)
    assert len(fast) == FAST_QUEUED + 21 and len(slow) == SLOW_QUEUED + 2
    assert "added.txt" in paths_of(share, fast[FAST_QUEUED : FAST_QUEUED + 2])


def test_a_version_that_cannot_be_queued_is_not_on_record_as_queued(share: Share) -> None:
    share.write("a.txt", "x")
    share.scan()

    def away(_: UUID) -> None:
        raise ConnectionError("the queue is away")

    with pytest.raises(ConnectionError):
        queue_waiting(share.pool, away, away)
    assert len(repository.waiting(share.pool)) == 1


def test_since_when_a_file_is_being_read_is_on_record(share: Share) -> None:
    share.write("a.txt", "x")
    share.scan()
    sent: list[UUID] = []
    queue_waiting(share.pool, sent.append, sent.append)
    assert share.states() == {"a.txt": "waiting"}
    start_task(share.pool, sent[0])
    [file] = service.files(share.pool, Selection(), 10, 0).files
    assert file.state == "reading" and file.since is not None
    repository.forget_queued(share.pool)  # the worker ended
    assert share.states() == {"a.txt": "waiting"}
