# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of tests.bench.kill that let faults strike drills: nothing is left of one, and the household goes on."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from tars_backup.actions.drill import clean
from tars_backup.drilling import report as reports
from tars_backup.restic import Restic
from tars_backup.state import State
from tars_lab import restic

from ..integration.backup.repository.assistant import Assistant
from ..integration.backup.repository.desktop import Desktop
from ..integration.backup.repository.process_fence import EMBEDDING_MODEL, ProcessFence
from ..integration.backup.repository.stack import SERVICES, create_cluster
from ..integration.servers import start_model_server
from . import kill_faults
from .kill_faults import CLIENT, DISKS, PROGRAM, RESTIC, Fault
from .kill_pieces import Part, Piece, report
from .kill_services import quick_repository, seconds, strike

_WHOLE_EVERY = 5
"""Of so many drills that were struck, one is followed by a whole one instead of the removal of what it has left."""

ROOT = Path(__file__).parents[2]


def _kill_service(home: Desktop, process: psutil.Process) -> bool:
    """Kill a service of the drill, the one that was started last."""
    while process.status() != psutil.STATUS_ZOMBIE:
        files = sorted((home.folder / "fence").glob("*.pid"), key=lambda path: path.stat().st_mtime)
        for file in reversed(files):
            try:
                psutil.Process(int(file.read_text())).kill()
                return True
            except (psutil.NoSuchProcess, ValueError):
                continue
    return False


SERVICE = Fault("service of the drill killed", _kill_service, lambda _home: None)


def parts() -> dict[str, Part]:
    """Return the parts by name."""
    result: dict[str, Part] = {"drill: boundaries": at_boundaries}
    for fault in (PROGRAM, RESTIC, CLIENT, SERVICE, *DISKS):
        result[f"drill: {fault.name}"] = partial(_drills, fault=fault)
    return result


def _drills(piece: Piece, fault: Fault) -> dict[str, int]:
    """Let a fault strike drills at random moments."""
    count = hit = failed = 0
    with assistant() as home:
        if fault in DISKS:
            kill_faults.mount_spaces(home)
        whole_s = seconds(home.drill)
        for number in piece.numbers():
            # restic runs at the beginning.
            delay_s = piece.moment(number).uniform(0, (0.3 if fault is RESTIC else 1.1) * whole_s)
            struck, status = strike(home, home.drill, delay_s, fault)
            count += 1
            hit += struck
            failed += status != 0
            _assert_goes_on(home, number, status)
            report(f"{piece.name} {number}: after {delay_s:.2f} s, exit status {status}")
    return {"moments": count, "hit": hit, "failed": failed}


def at_boundaries(piece: Piece) -> dict[str, int]:
    """Kill drills before each of their steps."""
    count = 0
    with assistant() as home, pytest.MonkeyPatch.context() as patch:
        with patch.context() as counted:
            counter = at_step(counted, 0)
            home.drill()
            goal = counter()
        for number in piece.numbers(goal):
            status = _killed(home, patch, number)
            # Steps that wait for a service can be fewer than counted.
            assert status in (0, -signal.SIGKILL), status
            count += 1
            _assert_goes_on(home, number, status)
            report(f"{piece.name} {number} of {goal}: exit status {status}")
    return {"boundaries": count, "of": goal}


def at_step(patch: pytest.MonkeyPatch, number: int) -> Callable[[], int]:
    """Let this process kill itself before the step of this number, from 1; return the counter of steps."""
    steps = 0
    process = os.getpid()

    def wrap(owner: Any, name: str) -> None:
        original = getattr(owner, name)

        def step(*arguments: Any, **options: Any) -> Any:
            nonlocal steps
            steps += 1
            if steps == number and os.getpid() != process:
                os.kill(os.getpid(), signal.SIGKILL)
            return original(*arguments, **options)

        patch.setattr(owner, name, step)

    for name in ("open", "launch", "relay_models", "close", "start_scratch", "stop_scratch"):
        wrap(ProcessFence, name)
    for owner, name in ((Restic, "_run"), (State, "write"), (reports, "write"), (shutil, "rmtree")):
        wrap(owner, name)
    return lambda: steps


def _killed(home: Assistant, patch: pytest.MonkeyPatch, number: int) -> int:
    """Drill in a process that kills itself before a step; return its exit status, or its signal as a negative one."""
    with patch.context() as inside:
        at_step(inside, number)
        child = os.fork()
        if child == 0:
            status = 2
            try:
                home.drill()
                status = 0
            finally:
                os._exit(status)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _assert_goes_on(home: Assistant, number: int, status: int) -> None:
    """Check that the household is as before, and that the next command leaves nothing of the drill."""
    assert sorted(home.running()) == sorted(SERVICES) and home.documents_of_application == {"boiler.txt", "roof.txt"}
    listing = home.listing()
    assert len(listing.backups) == 1 and not (listing.missing or listing.problems or listing.unfinished)
    record = State(home.configuration.state).read("drill")
    assert status != 0 or record["ok"], record
    if number % _WHOLE_EVERY:
        clean(home.configuration, home.context, home.open_fence)
    else:
        home.drill()
        assert State(home.configuration.state).read("drill")["ok"]
    assert home.left() == []
    assert [entry for entry in home.extra() if entry != "work"] == []


@contextmanager
def assistant() -> Iterator[Assistant]:
    """Yield a household with the application's database and a backup of two documents."""
    folder = Path(tempfile.mkdtemp(prefix="tars-kill-"))
    folder.chmod(0o755)
    models = start_model_server(folder, ROOT / "library", [EMBEDDING_MODEL])
    clusters = folder / "cluster", folder / "other-cluster"
    for cluster in clusters:
        cluster.mkdir(mode=0o700)
        create_cluster(cluster)
    home = Assistant(folder / "desktop", restic.binary(), quick_repository(folder), clusters[0])
    home.folder.chmod(0o755)
    os.sync = lambda: None  # it waits for every disk of this computer
    home.fences = []
    try:
        home.prepare(models.environment["OLLAMA_URL"], clusters[1], ROOT / "app")
        yield home
    finally:
        for fence in home.fences:
            fence.close()
        home.services.stop(SERVICES, deadline_s=60)
        models.stop()
        kill_faults.unmount(home)
        shutil.rmtree(folder)
