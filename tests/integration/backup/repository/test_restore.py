# SPDX-License-Identifier: GPL-3.0-or-later
"""Restore over a real repository, PostgreSQL and Redis: what returns, what stays, and what a failure leaves."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis

from tars_backup import contract, instants
from tars_backup.actions.restore import Restored, restore, roll_back
from tars_backup.components import Component
from tars_backup.components.postgres import Postgres
from tars_backup.components.redis import Redis
from tars_backup.context import Context
from tars_backup.deadline import Deadline
from tars_backup.errors import BackupError, BackupNotFoundError, UsageError
from tars_backup.restoring import checks, folders, journal

from ...servers import free_port
from .desktop import Desktop
from .stack import (
    CHROMA_USER,
    PASSWORD,
    POSTGRES_USER,
    REDIS_USER,
    SERVICES,
    Ports,
    ProcessServices,
    create_cluster,
    document,
)


class Household(Desktop):
    """A desktop whose services run."""

    def __init__(self, folder: Path, restic: Path, repository: Path, cluster: Path) -> None:
        super().__init__(folder, restic)
        self.cluster = cluster
        self.use(repository)
        self.ports = Ports(free_port(), free_port(), free_port())
        self.messages: list[str] = []
        (folder / "postgres_password").write_text("not-asked-for\n")
        (folder / "redis_password").write_text(f"{PASSWORD}\n")
        self.write_contract()
        self.data = folder / "data"
        self.data.mkdir(mode=0o711)
        self.services = self.context().services
        for service in ("postgres", "redis", "chroma"):
            folders.make(self.context().contract, service, self.data / service)
        subprocess.run(["cp", "-a", f"{cluster}/.", self.data / "postgres"], check=True)
        (self.data / "chroma/vectors").write_text("the vectors of the documents")
        self.services.start(SERVICES, deadline_s=60)
        self.wait()

    def write_contract(self, **changes: Any) -> None:
        """Write the contract of the services."""
        (self.folder / "contract.json").write_text(json.dumps(document(self.folder, self.ports, **changes)))

    @property
    def components(self) -> Sequence[Component]:
        return (Postgres(), Redis())

    def context(self) -> Context:
        stack = contract.load(self.configuration.contract)
        services = ProcessServices(stack, self.folder / "run", self.cluster, self.ports)
        return Context(self.configuration, stack, services, Deadline(600), self.messages.append)

    def restore(self, name: str = "latest", parts: Sequence[str] = ("postgres",), *, preview: bool = False) -> Restored:
        """Restore a backup."""
        return restore(self.configuration, self.components, self.context, name=name, parts=parts, preview=preview)

    def roll_back(self, *, preview: bool = False) -> Restored:
        """Return to the data before the last restore."""
        return roll_back(self.configuration, self.context, preview=preview)

    def wait(self) -> None:
        """Wait until the services that run answer."""
        for service in self.running():
            while not self.services.health(service).healthy:
                time.sleep(0.02)
        if "redis" in self.running():
            while True:
                try:
                    self.queue.ping()
                    return
                except redis.ConnectionError:
                    time.sleep(0.02)

    def running(self) -> list[str]:
        """Return the services that run."""
        return self.services.running(SERVICES)

    def execute(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement in the database."""
        url = f"host=127.0.0.1 port={self.ports.postgres} user=tars dbname=tars"
        with psycopg.connect(url, autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    @property
    def documents_now(self) -> set[str]:
        """Return the names in the database."""
        return {str(name) for (name,) in self.execute("SELECT name FROM documents")}

    @property
    def queue(self) -> redis.Redis:
        """Return a client of the queue."""
        return redis.Redis(port=self.ports.redis, password=PASSWORD)

    def extra(self) -> list[str]:
        """Return what is in the data folder besides the services' own folders, and left files of a restore."""
        names = sorted(path.name for path in self.data.iterdir() if path.name not in ("postgres", "redis", "chroma"))
        return [*names, *(["work"] if self.configuration.work.exists() else [])]

    def contents(self) -> dict[str, tuple[int, int, int, str]]:
        """Return owner, mode, inode and content of all data."""
        result = {}
        for path in sorted(self.data.rglob("*")):
            status = path.lstat()
            content = path.read_bytes().hex() if path.is_file() else ""
            result[str(path.relative_to(self.data))] = (status.st_uid, status.st_mode, status.st_ino, content)
        return result


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory, workspace: Path) -> Path:
    """Return the data folder of an empty database, never started."""
    folder = workspace / "cluster"
    folder.mkdir(mode=0o700)
    create_cluster(folder)
    return folder


@pytest.fixture
def home(
    workspace: Path, restic: Path, template: Path, cluster: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Household]:
    """Return a household with a backup of one document, to which another one was added since."""
    folder = Path(tempfile.mkdtemp(prefix="home-", dir=workspace))
    folder.chmod(0o755)
    household = Household(folder, restic, template, cluster)
    household.execute("CREATE TABLE documents (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text NOT NULL)")
    household.execute("INSERT INTO documents (name) VALUES ('boiler')")
    household.execute("CREATE SCHEMA volatile; CREATE TABLE volatile.scans (source text)")
    household.queue.set("task", "read the boiler")
    household.run()
    household.execute("INSERT INTO documents (name) VALUES ('roof')")
    household.queue.set("task", "read the roof")
    monkeypatch.setattr(os, "sync", lambda: None)  # it waits for every disk of this computer
    yield household
    household.services.stop(SERVICES, deadline_s=60)
    for service in SERVICES:
        household.services.remove_scratch(service)
    shutil.rmtree(folder)


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


def test_a_rollback_returns_to_the_data_before_and_can_be_taken_back(home: Household) -> None:
    home.restore()
    assert home.roll_back(preview=True).code == 3 and home.documents_now == {"boiler"}
    time.sleep(1.1)  # the kept folders are named by the second
    assert home.roll_back().changed
    home.wait()
    assert home.documents_now == {"boiler", "roof"} and home.queue.get("task") == b"read the roof"
    assert (home.data / "chroma/vectors").exists()
    time.sleep(1.1)
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
    time.sleep(1.1)
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
    """The time limit is half an hour; three minutes pass here in three seconds."""
    monkeypatch.setattr(checks, "_PROGRESS_S", 0.3)
    monkeypatch.setattr(checks, "_PAUSE_S", 0.05)
    assert checks.LIMIT_S >= 10 * 180
    (home.folder / "run/app.slow").write_text(str(time.time() + 6))
    home.restore()
    assert home.documents_now == {"boiler"}
    assert "waiting for app: starting" in home.messages


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

        monkeypatch.setattr(database, "_version", lambda *_: 90600)
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


def at_step(monkeypatch: pytest.MonkeyPatch, number: int, action: Callable[[str], None]) -> None:
    """Call `action` before the step of this number, from 1, of those that change something."""
    steps = 0

    def wrap(owner: Any, name: str) -> None:
        original = getattr(owner, name)

        def step(*arguments: Any, **options: Any) -> Any:
            nonlocal steps
            steps += 1
            if steps == number:
                action(name)
            return original(*arguments, **options)

        monkeypatch.setattr(owner, name, step)

    for name in ("stop", "start", "start_scratch", "stop_scratch"):
        wrap(ProcessServices, name)
    for owner, name in (
        (Path, "rename"),
        (journal, "write"),
        (journal, "clean"),
        (folders, "make"),
        (folders, "flush"),
    ):
        wrap(owner, name)


def test_a_failure_at_any_step_leaves_every_byte_in_place(home: Household, monkeypatch: pytest.MonkeyPatch) -> None:
    home.services.stop(SERVICES, deadline_s=60)
    before = home.contents()

    def fail(name: str) -> None:
        raise OSError(28, f"No space left on device in {name}")

    failures = 0
    while True:
        with monkeypatch.context() as patch:
            at_step(patch, failures + 1, fail)
            try:
                home.restore(parts=("postgres", "redis"))
                break
            except OSError:
                failures += 1
        assert home.contents() == before and home.running() == [] and home.extra() == [], failures
        assert journal.read(home.context()) is None
    assert failures > 15
    assert home.contents() != before


def test_a_kill_at_any_step_is_put_right_by_the_next_command(home: Household, monkeypatch: pytest.MonkeyPatch) -> None:
    home.services.stop(["worker"], deadline_s=60)
    running = home.running()
    kills = 0
    phases = set()
    while killed_at_step(home, monkeypatch, kills + 1):
        kills += 1
        record = journal.read(home.context())
        phases.add(record.phase if record else "")
        if record is None or record.phase == journal.PREPARING:
            assert home.running() == running and home.documents_now == {"boiler", "roof"}, kills
        done = home.run().warnings[0] if record and kills % 4 == 0 else journal.recover(home.context())
        home.wait()
        assert home.running() == running and journal.read(home.context()) is None, kills
        assert not [name for name in home.extra() if ".before-" not in name], kills
        if home.documents_now == {"boiler"}:  # finished: the killed restore had begun to check the new data
            assert record and record.phase == journal.CHECKING and "is complete" in done
            time.sleep(1.1)
            home.roll_back()
            home.wait()
        assert home.documents_now == {"boiler", "roof"} and home.queue.get("task") == b"read the roof", kills
        for path in home.data.glob("*.before-*"):
            shutil.rmtree(path)
    assert phases >= {journal.PREPARING, journal.SWITCHING, journal.CHECKING} and kills > 15
    assert home.documents_now == {"boiler"}


def killed_at_step(home: Household, monkeypatch: pytest.MonkeyPatch, number: int) -> bool:
    """Restore the first backup in a process that is killed at a step; return whether it came to that."""
    first = home.listing().backups[0].id
    child = os.fork()
    if child == 0:
        status = 1
        try:
            at_step(monkeypatch, number, lambda _name: os.kill(os.getpid(), signal.SIGKILL))
            home.restore(first)
            status = 0
        finally:
            os._exit(status)
    _, result = os.waitpid(child, 0)
    assert result in (0, signal.SIGKILL), result
    return result == signal.SIGKILL
