# SPDX-License-Identifier: GPL-3.0-or-later
"""Restore over a real repository, PostgreSQL and Redis: what returns, what stays, and what is refused."""

from __future__ import annotations

import os
import time
from datetime import timedelta

import pytest

from tars_backup import instants
from tars_backup.components.postgres import Identity, Postgres
from tars_backup.errors import BackupError, BackupNotFoundError, UsageError
from tars_backup.restoring import checks, folders

from .household import Household
from .stack import CHROMA_USER, POSTGRES_USER, REDIS_USER, SERVICES, document


def test_a_restored_database_equals_its_backup(home: Household) -> None:
    preview = home.restore(preview=True)
    assert preview.code == 3 and preview.changed and home.documents_now == {"boiler", "roof"}
    assert any("documents: 1 rows, until now 2" in line for line in preview.lines())

    restored = home.restore()

    assert restored.changed and restored.code == 0 and home.documents_now == {"boiler"}
    assert sorted(home.running()) == sorted(SERVICES) and sorted(restored.services) == sorted(SERVICES)
    assert list((home.data / "chroma").iterdir()) == [], "vectors follow from the database"
    assert home.queue.get("task") is None, "a task may be about a document that is gone"
    assert home.execute("SELECT to_regnamespace('volatile') IS NULL") == [(True,)], "shows that it was restored"
    assert not home.run().changed, "the next backup finds nothing new"

    again = home.restore()
    assert not again.changed and home.restore(preview=True).code == 0
    assert len(home.extra()) == 3, home.extra()


def test_a_rollback_returns_to_the_data_before_and_can_be_taken_back(
    home: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.restore()
    assert home.roll_back(preview=True).code == 3 and home.documents_now == {"boiler"}
    now = instants.now()  # the kept folders are named by the second
    monkeypatch.setattr(instants, "now", lambda: now + timedelta(minutes=1))
    assert home.roll_back().changed
    home.wait()
    assert home.documents_now == {"boiler", "roof"} and home.queue.get("task") == b"read the roof"
    assert (home.data / "chroma/vectors").exists()
    monkeypatch.setattr(instants, "now", lambda: now + timedelta(minutes=2))
    home.roll_back()
    assert home.documents_now == {"boiler"}


def test_a_rollback_needs_kept_data(home: Household) -> None:
    with pytest.raises(BackupError, match="no data of before a restore"):
        home.roll_back()
    assert home.documents_now == {"boiler", "roof"}


@pytest.mark.parametrize("parts", [("postgres", "redis"), ("redis",)])
def test_the_queue_returns_on_request(home: Household, parts: tuple[str, ...]) -> None:
    home.restore(parts=parts)
    home.wait()
    assert home.queue.get("task") == b"read the boiler"
    assert home.documents_now == ({"boiler"} if "postgres" in parts else {"boiler", "roof"})
    assert (home.data / "chroma/vectors").exists() == ("postgres" not in parts)


def test_older_backups_by_time(home: Household) -> None:
    first = home.listing().backups[0]
    second = home.run()
    assert second.changed
    assert home.restore(instants.to_text(first.made_at), preview=True).id == first.id
    assert home.restore(first.id, preview=True).newer == (second.id,)
    assert not home.restore().changed
    assert home.restore(first.id).changed and home.documents_now == {"boiler"}
    with pytest.raises(BackupNotFoundError):
        home.restore("2020-01-01T00:00:00Z")


def test_services_that_were_stopped_stay_stopped(home: Household) -> None:
    home.services.stop(["worker", "chroma"], deadline_s=60)
    home.restore()
    assert home.running() == ["app", "postgres", "redis"] and home.documents_now == {"boiler"}


def test_a_stopped_stack_is_restored_and_stays_stopped(home: Household) -> None:
    home.services.stop(SERVICES, deadline_s=60)
    assert home.restore(preview=True).tables is None
    restored = home.restore()
    assert restored.services == () and home.running() == []
    home.services.start(SERVICES, deadline_s=60)
    home.wait()
    assert home.documents_now == {"boiler"}


def test_a_database_that_cannot_be_read_is_replaced(home: Household) -> None:
    home.execute("DROP DATABASE tars WITH (FORCE)", database="postgres")
    assert home.restore(preview=True).tables is None
    assert any("cannot be compared with the backup" in message for message in home.messages)
    assert home.restore().changed and home.documents_now == {"boiler"}


def test_folders_have_the_owner_and_mode_of_their_service(home: Household) -> None:
    mask = os.umask(0o777)
    try:
        home.restore(parts=("postgres", "redis"))
    finally:
        os.umask(mask)
    for service, user in (("postgres", POSTGRES_USER), ("redis", REDIS_USER), ("chroma", CHROMA_USER)):
        status = (home.data / service).stat()
        assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (user, user, 0o700), service
    assert home.documents_now == {"boiler"}


def test_other_names_of_project_host_and_containers(home: Household) -> None:
    stack = document(home.folder, home.ports)
    renamed = {name: {**service, "container": f"other-{name}"} for name, service in stack["services"].items()}
    home.write_contract(project="other", services=renamed)
    home.write_settings(host="another")
    assert home.restore().changed and home.documents_now == {"boiler"}


def test_a_slow_start_is_no_failure(home: Household, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time limit is half an hour; what is waited for is shown again and again."""
    slow = home.folder / "run/app.slow"

    class Messages(list[str]):
        def append(self, line: str) -> None:
            super().append(line)
            if self.count("waiting for app: starting") == 2:
                slow.unlink(missing_ok=True)  # other lines come while there are two

    home.messages = Messages()
    monkeypatch.setattr(checks, "_PROGRESS_S", 0.3)
    assert checks.LIMIT_S >= 10 * 180
    slow.write_text(str(time.time() + 1000))
    home.restore()
    assert home.documents_now == {"boiler"}
    assert home.messages.count("waiting for app: starting") == 2


class TestRefused:
    """What these services cannot read is refused in a sentence, before anything is touched."""

    def test_newer_application(self, home: Household) -> None:
        home.write_contract(application={"version": "0.1.9", "image": "tars-app:1"})
        before = home.running()
        with pytest.raises(BackupError, match=r"data of the application 0\.2\.0; expected data of 0\.1\.9"):
            home.restore()
        assert (home.running(), home.documents_now, home.extra()) == (before, {"boiler", "roof"}, [])

    def test_newer_postgresql(self, home: Household, monkeypatch: pytest.MonkeyPatch) -> None:
        """The backup is of a PostgreSQL that is newer than the one of the services."""
        from tars_backup.restoring import database

        monkeypatch.setattr(database, "_wait", lambda *_: Identity("9.6", 90600, "1", None))
        with pytest.raises(BackupError, match="expected PostgreSQL 9, which the services use"):
            home.restore()
        assert home.extra() == [] and home.documents_now == {"boiler", "roof"}

    def test_newer_manifest(self, home: Household, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("tars_backup.manifest.SCHEMA", 0)
        with pytest.raises(BackupError, match="manifest schema 1; expected schema 0"):
            home.restore()
        assert home.extra() == [] and home.documents_now == {"boiler", "roof"}

    def test_parts_that_are_files(self, home: Household) -> None:
        for parts in (["site"], ["chroma", "postgres"], []):
            with pytest.raises(UsageError, match="tars-backup export"):
                home.restore(parts=parts)

    def test_a_part_that_was_not_saved(self, home: Household, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Household, "components", (Postgres(),))
        home.run()
        home.execute("INSERT INTO documents (name) VALUES ('cellar')")
        home.run()
        with pytest.raises(UsageError, match="found redis; expected parts of"):
            home.restore(parts=["redis"])

    def test_too_little_disk_space(self, home: Household, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(folders, "_RESERVE_MIB", 1 << 40)
        with pytest.raises(BackupError, match="MiB free; expected at least"):
            home.restore()
        assert home.extra() == [] and home.documents_now == {"boiler", "roof"}

    def test_a_contract_without_a_data_folder(self, home: Household) -> None:
        stack = document(home.folder, home.ports)
        stack["services"]["chroma"]["volumes"] = []
        home.write_contract(services=stack["services"])
        with pytest.raises(BackupError, match="0 data folders in the contract"):
            home.restore()
