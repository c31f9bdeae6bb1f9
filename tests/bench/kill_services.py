# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of tests.bench.kill that need the services: backups of a living database, and restores."""

from __future__ import annotations

import json
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psutil
import pytest

from tars_backup.errors import BackupError
from tars_backup.restoring import journal
from tars_lab import restic

from ..integration.backup.repository.desktop import PASSWORD, Desktop
from ..integration.backup.repository.household import Household
from ..integration.backup.repository.quick_key import replace_key
from ..integration.backup.repository.stack import SERVICES, create_cluster
from ..integration.backup.repository.test_restore_failures import at_step, killed_at_step
from . import kill_faults
from .kill_faults import CLIENT, DISKS, PROGRAM, RESTIC, Fault
from .kill_pieces import Part, Piece, report


def _kill_server(home: Desktop, process: psutil.Process) -> bool:
    """Kill a process of the database's server that serves the command: the server ends all sessions and recovers."""
    while process.status() != psutil.STATUS_ZOMBIE:
        for server in psutil.Process(int((home.folder / "run/postgres.pid").read_text())).children(recursive=True):
            try:
                if "tars tars" in " ".join(server.cmdline()):
                    server.kill()
                    return True
            except psutil.NoSuchProcess:
                continue
        time.sleep(0.005)
    return False


SERVER = Fault("process of the server killed", _kill_server, lambda _home: None)


def parts() -> dict[str, Part]:
    """Return the parts by name."""
    result: dict[str, Part] = {"restore: boundaries": restores_at_boundaries}
    for fault in (PROGRAM, RESTIC, CLIENT, SERVER):
        result[f"run of the services: {fault.name}"] = partial(_runs, fault=fault)
    for fault in (PROGRAM, RESTIC, CLIENT, *DISKS):
        result[f"restore: {fault.name}"] = partial(_restores, fault=fault)
    return result


def _runs(piece: Piece, fault: Fault) -> dict[str, int]:
    count = hit = failed = 0
    with household() as home:
        home.write_settings(retention={"last": 12})
        whole_s = seconds(home.run)
        for number in piece.numbers():
            good = {mark.id for mark in home.listing().backups[-10:]}
            home.execute("INSERT INTO documents (name) VALUES ('more')")
            delay_s = piece.moment(number).uniform(0, 1.1 * whole_s)
            struck, status = strike(home, home.run, delay_s, fault)
            count += 1
            hit += struck
            failed += status != 0
            _wait(home)
            _assert_runs(home, good)
            report(f"{piece.name} {number}: after {delay_s:.2f} s, exit status {status}")
        assert home.verify(every=True, data=True).backups
    return {"moments": count, "hit": hit, "failed": failed}


def _assert_runs(home: Household, good: set[str]) -> None:
    """Check that listed backups are good, that the next run succeeds, and that no session is left."""
    listing = home.listing()
    assert not (listing.missing or listing.problems)
    assert good <= {mark.id for mark in listing.backups}
    assert home.verify().backups
    home.execute("INSERT INTO documents (name) VALUES ('after')")
    assert home.run().changed
    listing = home.listing()
    assert not (listing.missing or listing.problems or listing.unfinished)
    assert good <= {mark.id for mark in listing.backups}
    assert home.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'tars-backup'") == [(0,)]


def _restores(piece: Piece, fault: Fault) -> dict[str, int]:
    """Let a fault strike restores: afterwards the data is that of before or that of the backup, whole."""
    count = hit = failed = complete = 0
    with household() as home:
        if fault in DISKS:
            kill_faults.mount_spaces(home)
        first = home.listing().backups[0].id
        home.execute("INSERT INTO documents (name) VALUES ('roof')")
        whole_s = seconds(lambda: home.restore(first))
        _return(home)
        for number in piece.numbers():
            # restic runs at the beginning.
            delay_s = piece.moment(number).uniform(0, (0.4 if fault is RESTIC else 1.1) * whole_s)
            struck, status = strike(home, lambda: home.restore(first), delay_s, fault)
            count += 1
            hit += struck
            failed += status != 0
            documents = _recovered(home)
            assert status != 0 or documents == {"boiler"}
            complete += documents == {"boiler"}
            _return(home)
            report(f"{piece.name} {number}: after {delay_s:.2f} s, exit status {status}, {len(documents)}")
    return {"moments": count, "hit": hit, "failed": failed, "complete": complete}


def restores_at_boundaries(piece: Piece) -> dict[str, int]:
    """Kill a restore before each of its steps that change something."""
    count = complete = 0
    with household() as home, pytest.MonkeyPatch.context() as patch:
        home.execute("INSERT INTO documents (name) VALUES ('roof')")
        goal = restore_steps(home, patch)
        _return(home)
        for number in piece.numbers(goal):
            assert killed_at_step(home, patch, number)
            documents = _recovered(home)
            complete += documents == {"boiler"}
            count += 1
            _return(home)
            report(f"{piece.name} {number} of {goal}: {len(documents)}")
    return {"boundaries": count, "of": goal, "complete": complete}


def restore_steps(home: Household, monkeypatch: pytest.MonkeyPatch) -> int:
    """Restore the first backup, and return the number of steps."""
    with monkeypatch.context() as patch:
        counter = at_step(patch, 0, lambda _name: None)
        home.restore(home.listing().backups[0].id)
        return counter()


def _recovered(home: Household) -> set[str]:
    """Let the next command put an ended restore right; return the documents."""
    journal.recover(home.context())
    _wait(home)
    assert sorted(home.running()) == sorted(SERVICES)
    assert journal.read(home.context()) is None
    assert not [entry for entry in home.extra() if ".before-" not in entry]
    documents = home.documents_now
    assert documents in ({"boiler"}, {"boiler", "roof"}), documents
    return documents


def _return(home: Household) -> None:
    """Return to the data before the restore, if it came to that, and remove what is kept of others."""
    if home.documents_now == {"boiler"}:
        time.sleep(1.1)  # the names of kept folders have seconds
        home.roll_back()
        _wait(home)
    assert home.documents_now == {"boiler", "roof"}
    for path in home.data.glob("*.before-*"):
        shutil.rmtree(path)


def strike(home: Household, verb: Callable[[], object], delay_s: float, fault: Fault) -> tuple[bool, int]:
    """Run a verb in a process of its own; return whether the fault hit it, and its status: 0, 1 or a signal's."""
    child = os.fork()
    if child == 0:
        status = 2
        try:
            verb()
            status = 0
        except (BackupError, OSError):
            status = 1
        finally:
            os._exit(status)
    time.sleep(delay_s)
    process = psutil.Process(child)
    running = process.status() != psutil.STATUS_ZOMBIE
    copying = _copying(process)
    struck = running and fault.strike(home, process)
    _, result = os.waitpid(child, 0)
    # They stand for the start of a container, which would be removed with all its processes.
    psutil.wait_procs(copying, timeout=30)
    if struck:
        fault.heal(home)
    status = os.waitstatus_to_exitcode(result)
    assert status in (0, 1, -signal.SIGKILL), status
    return struck, status


def _copying(process: psutil.Process) -> list[psutil.Process]:
    """Return the processes that fill the data folder of a second server."""
    try:
        return [child for child in process.children(recursive=True) if child.name() == "cp"]
    except psutil.NoSuchProcess:
        return []


def _wait(home: Household) -> None:
    """Wait until the services answer, also a server that recovers."""
    deadline = time.monotonic() + 60
    while True:
        try:
            home.wait()
            home.execute("SELECT 1")
            return
        except Exception:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def seconds(call: Callable[[], object]) -> float:
    """Return how long a call takes."""
    start = time.monotonic()
    call()
    return time.monotonic() - start


@contextmanager
def household() -> Iterator[Household]:
    """Yield a desktop whose services run, with a backup of one document."""
    folder = Path(tempfile.mkdtemp(prefix="tars-kill-"))
    folder.chmod(0o755)
    repository = quick_repository(folder)
    cluster = folder / "cluster"
    cluster.mkdir(mode=0o700)
    create_cluster(cluster)
    home = Household(folder / "desktop", restic.binary(), repository, cluster)
    home.folder.chmod(0o755)
    os.sync = lambda: None  # it waits for every disk of this computer
    try:
        home.execute("CREATE TABLE documents (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text NOT NULL)")
        home.execute("INSERT INTO documents (name) VALUES ('boiler')")
        home.execute("CREATE SCHEMA volatile; CREATE TABLE volatile.scans (source text)")
        home.run()
        yield home
    finally:
        home.services.stop(SERVICES, deadline_s=60)
        for service in SERVICES:
            home.services.remove_scratch(service)
        kill_faults.unmount(home)
        shutil.rmtree(folder)


def quick_repository(folder: Path) -> Path:
    """Create an empty repository below a folder, whose key opens in milliseconds."""
    template = Desktop(folder / "template", restic.binary())
    template.init()
    master = json.loads(template.stock_restic("cat", "masterkey").stdout)
    replace_key(template.repository, PASSWORD, json.dumps(master).encode())
    return template.repository
