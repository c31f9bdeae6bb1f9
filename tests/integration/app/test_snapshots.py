# SPDX-License-Identifier: GPL-3.0-or-later
"""Earlier versions are imported from the snapshots in a share, each snapshot by itself."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tars_app.documents.lookup import find_document
from tars_app.documents.reconcile import reconcile
from tars_app.documents.visible import NoHistoryError
from tars_app.forgetting import repository as forgetting
from tars_app.kit.errors import UnavailableError
from tars_app.kit.instants import TimeRequest
from tars_app.main import create_app
from tars_app.retrieval.service import search
from tars_app.snapshots import service
from tars_app.snapshots.ingest import ingest_earlier
from tars_app.snapshots.repository import live_work_waits, load_record
from tars_app.timeline.repository import read_history

from .conftest import Server, wait_for
from .databases import connect, public_rows
from .files.household import Household, day, new_household
from .past import SOURCE, Store, open_store

pytestmark = pytest.mark.integration

RENTS = ["800", "850", "900"]
NAMES = ["GMT+01-2024.01.14-05.00.00", "GMT+02-2024.06.01-05.00.00", "GMT+01-2025.01.01-05.00.00"]


@pytest.fixture(scope="module")
def store(postgres: Server) -> Iterator[Store]:
    with open_store(postgres) as store:
        yield store


@pytest.fixture
def household(store: Store, tmp_path: Path) -> Household:
    return new_household(store, tmp_path)


def leases(household: Household) -> None:
    """Three snapshots with three rents; the last one is that of now."""
    for name, rent in zip(NAMES, RENTS, strict=True):
        household.snapshot(name, lease=f"The rent of the flat is {rent} euros.")
    household.write("lease.txt", "The rent of the flat is 900 euros.")
    household.scan()


def test_questions_about_the_time_before_the_first_scan_are_answered(household: Household) -> None:
    leases(household)
    household.import_all()
    assert household.answers("rent", day("2024-02-01")) == [("lease.txt", "The rent of the flat is 800 euros.")]
    assert household.answers("rent", day("2024-12-31")) == [("lease.txt", "The rent of the flat is 850 euros.")]
    assert household.answers("rent", day("2025-06-01")) == [("lease.txt", "The rent of the flat is 900 euros.")]
    with pytest.raises(NoHistoryError, match="no history before 2024-01-14 04:00 UTC"):
        household.answers("rent", day("2024-01-14"))
    [passage] = search(household.store.dependencies, "rent", 5, TimeRequest(day("2024-02-01"))).passages
    assert passage.superseded and passage.superseded.at == day("2024-06-01T03:00")
    history = read_history(household.store.pool, find_document(household.store.pool, "lease.txt"))
    assert [version.snapshot for version in history.versions] == NAMES
    assert [version.kept for version in history.versions] == [True] * 3
    assert history.deleted is None and history.versions[-1].until is None
    household.write("lease.txt", "The rent of the flat is 950 euros.", datetime.now(UTC) - timedelta(hours=1))
    household.scan()
    history = read_history(household.store.pool, history.document_id)
    assert [version.snapshot for version in history.versions] == [*NAMES, None], "seen in the share itself"


def remove(household: Household, path: str) -> None:
    forgotten = forgetting.remove(household.store.pool, find_document(household.store.pool, path))
    assert forgotten


@pytest.mark.parametrize("imported", [False, True], ids=["before the import", "after it"])
def test_a_forgotten_document_is_not_imported(household: Household, imported: bool) -> None:
    """Neither a version that was observed, nor one that was not, nor under another path; a copy keeps its past."""
    for name, rent in zip(NAMES, RENTS, strict=True):
        text = f"The rent of the flat is {rent} euros."
        household.snapshot(name, lease=text, moved="The rent of the flat is 900 euros.", other=f"{rent} apple trees.")
    household.write("lease.txt", "The rent of the flat is 900 euros.")
    household.write("copy.txt", "The rent of the flat is 900 euros.")
    household.snapshot(NAMES[2], copy="The rent of the flat is 900 euros.")
    household.scan()
    if imported:
        household.import_all()
        remove(household, "moved.txt")
    remove(household, "lease.txt")
    household.import_all()
    with household.store.pool.connection() as connection:
        rows = connection.execute(
            "SELECT d.path, count(*) AS versions FROM documents d JOIN versions v ON v.document_id = d.id GROUP BY path"
        ).fetchall()
    versions = {row["path"]: row["versions"] for row in rows}
    assert versions == {"other.txt": 3, "copy.txt": 1}
    assert set(household.states().values()) == {"imported"}
    assert household.answers("rent", day("2024-12-31")) == []


def test_an_import_during_which_a_document_is_forgotten_is_done_again(household: Household) -> None:
    leases(household)
    left = ["lease.txt"]
    household.import_slice(lambda: remove(household, left.pop()) if left else None)
    household.import_all()
    with household.store.pool.connection() as connection:
        assert connection.execute("SELECT path FROM documents").fetchall() == []


def test_a_second_import_changes_nothing(household: Household) -> None:
    leases(household)
    household.import_all()
    with connect(household.settings) as connection:
        before = public_rows(connection)
        household.import_all()
        assert public_rows(connection) == before
        shutil.rmtree(household.share / "#snapshot")
        household.import_all()
        assert public_rows(connection) == before, "what was imported stays when the NAS deletes the snapshots"
    assert set(household.states().values()) == {"imported"}


def test_the_scan_reads_no_snapshot(household: Household) -> None:
    leases(household)
    assert [document.path for document in load_record(household.store.pool, SOURCE).documents] == ["lease.txt"]


def test_documents_that_were_deleted_renamed_or_came_back_are_found_as_they_were(household: Household) -> None:
    household.snapshot(NAMES[0], old="The rent is 800 euros.", gone="The gas costs 90 euros.")
    household.snapshot(NAMES[1], new="The rent is 800 euros.")
    household.snapshot(NAMES[2], new="The rent is 900 euros.", gone="The gas costs 99 euros.")
    household.write("new.txt", "The rent is 900 euros.")
    household.scan()
    household.import_all()
    assert household.answers("rent", day("2024-02-01")) == [("old.txt", "The rent is 800 euros.")]
    assert household.answers("rent", day("2024-07-01")) == [("new.txt", "The rent is 800 euros.")]
    assert household.answers("gas", day("2024-02-01")) == [("gone.txt", "The gas costs 90 euros.")]
    assert household.answers("gas", day("2024-07-01")) == []
    assert household.answers("gas", day("2025-02-01")) == [("gone.txt", "The gas costs 99 euros.")]
    record = load_record(household.store.pool, SOURCE)
    assert len(record.documents) == 2, "a file that was renamed, and one that came back, are one document each"


@pytest.mark.parametrize(
    ("name", "state"),
    [
        ("before the move", "no time"),
        ("GMT+01-2024.13.14-05.00.00", "no time"),
        ("GMT+00-2099.01.01-00.00.00", "ahead"),
        ("GMT+00-1915.01.01-00.00.00", "old"),
    ],
)
def test_a_snapshot_that_is_not_imported_has_a_state_and_the_others_are(
    household: Household, name: str, state: str
) -> None:
    household.snapshot(name, lease="The rent of the flat is 1 euro.")
    leases(household)
    household.import_all()
    states = household.states()
    assert states.pop(name) == state and household.detail(name)
    assert states == dict.fromkeys(NAMES, "imported")


def test_a_snapshot_of_a_watched_time_is_left_alone(household: Household) -> None:
    leases(household)
    time.sleep(1.1)  # the name has no fraction of a second, and the first scan ended in this one
    watched = f"GMT+00-{datetime.now(UTC):%Y.%m.%d-%H.%M.%S}"
    household.snapshot(watched, lease="The rent of the flat is 1 euro.")
    household.import_all()
    assert household.states()[watched] == "watched"


def test_what_changed_while_the_worker_was_off_is_imported(household: Household) -> None:
    """Snapshots of the first of June 2024, while nobody scanned from May to July."""
    household.write("lease.txt", "The rent of the flat is 800 euros.")
    household.write("house.txt", "The house rules: no shoes on the sofa.")
    household.scan()
    with household.store.pool.connection() as connection:
        connection.execute("UPDATE versions SET seen_from = '2024-01-01'")
        connection.execute("UPDATE document_paths SET seen_from = '2024-01-01'")
        connection.execute("UPDATE unwatched SET until = '2024-01-01'")
    household.unwatched(day("2024-05-01"), day("2024-07-01"))
    rules = "The house rules: no shoes on the sofa."
    household.snapshot(NAMES[1], lease="The rent of the flat is 850 euros.", house=rules)
    household.snapshot("GMT+02-2024.08.01-05.00.00", lease="The rent of the flat is 1 euro.")
    household.import_all()
    assert household.states() == {NAMES[1]: "imported", "GMT+02-2024.08.01-05.00.00": "watched"}
    for moment, rent in (("2024-05-31", 800), ("2024-06-02", 850), ("2024-07-02", 800)):
        assert household.answers("rent", day(moment)) == [("lease.txt", f"The rent of the flat is {rent} euros.")]
        assert household.answers("sofa", day(moment)) == [("house.txt", rules)]
    history = read_history(household.store.pool, find_document(household.store.pool, "lease.txt"))
    assert [version.snapshot for version in history.versions] == [None, NAMES[1], None]


def test_a_pause_that_ended_before_the_clock_was_set_back_an_hour_is_not_filled_yet(household: Household) -> None:
    household.write("lease.txt", "The rent of the flat is 800 euros.")
    household.scan()
    now = datetime.now(UTC)
    household.unwatched(now - timedelta(hours=2), now + timedelta(hours=1))
    name = f"GMT+00-{now - timedelta(hours=1):%Y.%m.%d-%H.%M.%S}"
    with household.store.pool.connection() as connection:
        connection.execute("UPDATE unwatched SET until = '2024-01-01' WHERE since = '-infinity'")
        connection.execute("UPDATE versions SET seen_from = '2024-01-01'")
    household.snapshot(name, lease="The rent of the flat is 1 euro.")
    household.import_all()
    assert household.states() == {name: "watched"}
    assert household.answers("rent", datetime.now(UTC)) == [("lease.txt", "The rent of the flat is 800 euros.")]


def test_snapshots_of_the_hour_that_occurs_twice_are_in_the_order_of_time(household: Household) -> None:
    household.snapshot("GMT+01-2024.10.27-02.30.00", lease="The rent of the flat is 850 euros.")
    household.snapshot("GMT+02-2024.10.27-02.30.00", lease="The rent of the flat is 800 euros.")
    household.write("lease.txt", "The rent of the flat is 900 euros.")
    household.scan()
    household.import_all()
    for moment, rent in (("2024-10-27T00:30", 800), ("2024-10-27T01:29", 800), ("2024-10-27T01:30", 850)):
        assert household.answers("rent", day(moment)) == [("lease.txt", f"The rent of the flat is {rent} euros.")]


def test_a_pause_of_the_scans_is_recorded(household: Household) -> None:
    def periods() -> list[tuple[bool, datetime]]:
        with household.store.pool.connection() as connection:
            rows = connection.execute(
                "SELECT since = '-infinity' AS first, until FROM unwatched ORDER BY since"
            ).fetchall()
        return [(row["first"], row["until"]) for row in rows]

    household.write("a.txt", "An apple.")
    began = datetime.now(UTC)
    household.scan()
    ended = datetime.now(UTC)
    household.scan()
    [(first, until)] = periods()
    assert first and began <= until <= ended, "it ends with the first scan"
    with household.store.pool.connection() as connection:
        connection.execute("UPDATE volatile.scans SET scanned_at = now() - interval '16 minutes'")
    household.scan()
    assert [first for first, _ in periods()] == [True, False]
    with household.store.pool.connection() as connection:
        connection.execute("DELETE FROM volatile.scans")  # as in a restored database
        connection.execute("UPDATE versions SET seen_from = now() - interval '1 hour'")
    household.scan()
    assert [first for first, _ in periods()] == [True, False, False]


def test_a_snapshot_with_later_files_was_not_taken_at_the_time_in_its_name(household: Household) -> None:
    leases(household)
    file = household.snapshot("GMT+00-2022.01.01-00.00.00", lease="The rent of the flat is 1 euro.") / "lease.txt"
    os.utime(file)
    household.import_all()
    assert household.states() == {**dict.fromkeys(NAMES, "imported"), "GMT+00-2022.01.01-00.00.00": "wrong time"}
    assert "contains lease.txt, which was written on" in household.detail("GMT+00-2022.01.01-00.00.00")


def test_a_snapshot_that_vanishes_during_the_import_is_left_out(household: Household) -> None:
    leases(household)
    middle = household.share / "#snapshot" / NAMES[1]
    calls = 0

    def delete_while_reading() -> None:
        nonlocal calls
        calls += 1
        if calls == 4:  # the folder and the file of the first snapshot, its end, and the folder of the second one
            shutil.rmtree(middle)

    queued = household.import_slice(delete_while_reading)
    assert household.states() == {NAMES[0]: "imported", NAMES[1]: "gone", NAMES[2]: "imported"}
    for version in queued:
        ingest_earlier(household.store.dependencies, version)
    assert household.answers("rent", day("2024-12-31")) == [("lease.txt", "The rent of the flat is 800 euros.")]
    household.snapshot(NAMES[1], lease="The rent of the flat is 850 euros.")
    household.import_all()
    assert household.states()[NAMES[1]] == "imported", "it is there again"
    assert household.answers("rent", day("2024-12-31")) == [("lease.txt", "The rent of the flat is 850 euros.")]


def test_a_version_whose_snapshots_were_deleted_before_it_was_read_fails_with_that_reason(household: Household) -> None:
    leases(household)
    queued = household.import_slice()
    shutil.rmtree(household.share / "#snapshot" / NAMES[0])
    for version in queued:
        ingest_earlier(household.store.dependencies, version)
    history = read_history(household.store.pool, find_document(household.store.pool, "lease.txt"))
    assert [version.state for version in history.versions] == ["failed", "indexed", "indexed"]
    assert history.versions[0].error and "deleted the snapshots" in history.versions[0].error


def test_a_version_is_read_from_any_snapshot_that_still_has_it(household: Household) -> None:
    household.snapshot(NAMES[0], lease="The rent of the flat is 800 euros.")
    household.snapshot("GMT+01-2024.02.01-05.00.00", lease="The rent of the flat is 800 euros.")
    household.write("lease.txt", "The rent of the flat is 900 euros.")
    household.scan()
    queued = household.import_slice()
    shutil.rmtree(household.share / "#snapshot" / NAMES[0])
    for version in queued:
        ingest_earlier(household.store.dependencies, version)
    assert household.answers("rent", day("2024-01-20")) == [("lease.txt", "The rent of the flat is 800 euros.")]


def test_nothing_is_concluded_from_a_share_that_is_away(household: Household) -> None:
    leases(household)
    shutil.move(household.share, household.share.with_name("away"))
    assert household.import_slice() == [] and household.states() == {}
    shutil.move(household.share.with_name("away"), household.share)
    queued = household.import_slice()
    shutil.move(household.share, household.share.with_name("away"))
    for version in queued:
        with pytest.raises(UnavailableError):
            ingest_earlier(household.store.dependencies, version)
    shutil.move(household.share.with_name("away"), household.share)
    with household.store.pool.connection() as connection:
        connection.execute("DELETE FROM volatile.queued")
    household.import_all()
    assert household.answers("rent", day("2024-02-01")) == [("lease.txt", "The rent of the flat is 800 euros.")]


def test_documents_of_the_share_come_first(household: Household) -> None:
    leases(household)
    household.write("new.txt", "The gas costs 90 euros.", datetime.now(UTC) - timedelta(hours=1))
    reconcile(household.store.pool, household.settings, lambda: None)
    assert live_work_waits(household.store.pool)
    assert household.import_slice() == [] and household.states() == {}
    household.read()
    queued = household.import_slice()
    assert len(queued) == 2
    household.write("newer.txt", "The water costs 30 euros.", datetime.now(UTC) - timedelta(hours=1))
    reconcile(household.store.pool, household.settings, lambda: None)
    for version in queued:
        ingest_earlier(household.store.dependencies, version)
    household.read()
    assert len(household.import_slice()) == 2, "they are queued again"
    with household.store.pool.connection() as connection:
        connection.execute("DELETE FROM volatile.queued")
    household.import_all()


@pytest.fixture
def faulty(tmp_path: Path) -> Iterator[Callable[[Path, Path], Path]]:
    """Mount a folder on which chosen calls fail; return the file whose presence makes all calls fail."""
    servers: list[tuple[Server, Path]] = []

    def mount(source: Path, mount_point: Path) -> Path:
        mount_point.mkdir(parents=True, exist_ok=True)
        dead = tmp_path / f"dead{len(servers)}"
        program = [sys.executable, str(Path(__file__).with_name("faulty_share.py"))]
        server = Server([*program, str(source), str(mount_point), str(dead)], tmp_path / "log", mount_point.is_mount)
        server.start()
        servers.append((server, mount_point))
        return dead

    yield mount
    for server, mount_point in servers:
        subprocess.run(["umount", "--lazy", mount_point], check=True)
        server.stop()


def test_a_snapshot_that_cannot_be_read_is_tried_again_and_the_others_are_imported(
    household: Household, faulty: Callable[[Path, Path], Path], tmp_path: Path
) -> None:
    leases(household)
    bad = household.share / "#snapshot" / NAMES[1]
    shutil.move(bad, tmp_path / "real")
    dead = faulty(tmp_path / "real", bad)
    dead.touch()
    household.import_all()
    assert household.states() == {NAMES[0]: "imported", NAMES[1]: "unreadable", NAMES[2]: "imported"}
    assert "Input/output error" in household.detail(NAMES[1])
    dead.unlink()
    household.import_all()
    assert household.states()[NAMES[1]] == "imported"
    assert household.answers("rent", day("2024-12-31")) == [("lease.txt", "The rent of the flat is 850 euros.")]


def test_what_cannot_be_read_in_a_snapshot_is_named_and_the_rest_is_imported(
    household: Household, faulty: Callable[[Path, Path], Path], tmp_path: Path
) -> None:
    """A folder that cannot be listed shows nothing of its files; a file that cannot be read is a version."""
    real = tmp_path / "real"
    for path in ("lease.txt", "open-EIO.txt", "list-EIO/inside.txt"):
        (real / path).parent.mkdir(parents=True, exist_ok=True)
        (real / path).write_text("The rent of the flat is 850 euros.")
        os.utime(real / path, (1_700_000_000, 1_700_000_000))
        household.write(path, "The rent of the flat is 900 euros.")
    faulty(real, household.share / "#snapshot" / NAMES[1])
    household.scan()
    household.import_all()
    with household.store.pool.connection() as connection:
        [row] = connection.execute("SELECT name, detail FROM snapshots").fetchall()
    assert row == {"name": NAMES[1], "detail": "cannot read list-EIO (Input/output error)"}
    assert household.answers("rent", day("2024-12-31")) == [("lease.txt", "The rent of the flat is 850 euros.")]
    assert household.store.unread(day("2024-12-31")) == 1


def test_a_slice_ends_in_time_and_the_next_one_goes_on(household: Household, monkeypatch: pytest.MonkeyPatch) -> None:
    leases(household)
    monkeypatch.setattr(service, "SLICE_S", 0.0)
    for number in (1, 2, 3):
        household.import_slice()
        states = household.states()
        assert [states[name] for name in NAMES] == ["waiting"] * (3 - number) + ["imported"] * number, (
            "the latest first"
        )


def test_unchanged_files_cost_neither_reading_nor_rows(household: Household) -> None:
    """200 snapshots of 20 files, of which one changes once."""
    text = "The rent of flat {} is 800 euros."
    for number in range(20):
        household.write(f"{number}.txt", text.format(number))
    household.scan()
    for number in range(200):
        folder = household.share / "#snapshot" / f"GMT+00-2024.01.01-{number // 60:02}.{number % 60:02}.00"
        shutil.copytree(household.share, folder, ignore=shutil.ignore_patterns("#snapshot"))
        if number < 100:
            (folder / "7.txt").write_text("The rent of flat 7 is 700 euros.")
            os.utime(folder / "7.txt", (1_600_000_000, 1_600_000_000))
    before = {path: path.stat().st_atime_ns for path in (household.share / "#snapshot").glob("*/[0-6].txt")}
    household.import_all()
    assert {path: path.stat().st_atime_ns for path in before} == before, "they were not read"
    with household.store.pool.connection() as connection:
        [row] = connection.execute("SELECT count(*) AS versions FROM versions").fetchall()
    assert row["versions"] == 21
    assert household.answers("flat 7", day("2024-01-01T01:30"))[0][1] == "The rent of flat 7 is 700 euros."
    assert household.answers("flat 7", day("2024-01-01T01:45"))[0][1] == "The rent of flat 7 is 800 euros."


def test_the_import_is_shown(household: Household, monkeypatch: pytest.MonkeyPatch) -> None:
    leases(household)
    monkeypatch.setattr(service, "SLICE_S", 0.0)
    household.import_slice()
    application = create_app(household.settings)
    with TestClient(application) as client:
        shown: dict[str, Any] = client.get("/api/snapshots").json()
        assert shown["shares"] == [
            {
                "source": SOURCE,
                "imported_back_to": "2025-01-01T04:00:00Z",
                "snapshots_imported": 1,
                "snapshots_left": 2,
                "versions_left": 0,
            }
        ]
        assert [(row["name"], row["state"]) for row in shown["snapshots"]] == [
            (NAMES[2], "imported"),
            (NAMES[1], "waiting"),
            (NAMES[0], "waiting"),
        ]
        metrics = client.get("/metrics").text
        assert 'tars_history_snapshots_left{source="LLM_docs"} 2.0' in metrics
        assert 'tars_history_imported_back_to_timestamp_seconds{source="LLM_docs"} 1.735704e+09' in metrics
        with household.store.pool.connection() as connection:
            connection.execute("INSERT INTO volatile.passes VALUES (true, now(), now(), now()) ON CONFLICT DO NOTHING")

        def detail() -> str:
            return str(client.get("/ready").json()["checks"]["documents"]["detail"])

        # A check that takes too long, on a busy computer, states that instead.
        wait_for(lambda: detail() == "LLM_docs; snapshots imported back to 2025-01-01, 2 left", "the check")
