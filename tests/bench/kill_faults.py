# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests.bench.kill does to a running command: each fault strikes at a moment, and is removed when it has ended."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import psutil

from tars_backup.restoring import folders

from ..integration.backup.repository import faulty_share
from ..integration.backup.repository.desktop import Desktop
from ..integration.backup.repository.killing import processes_of
from ..integration.backup.repository.namespace import ENVIRONMENT

SOURCE = "nas:/backup"
_SIZE = "96m"


class Fault(NamedTuple):
    """A fault: `strike` returns whether it hit the running process, `heal` removes its cause."""

    name: str
    strike: Callable[[Desktop, psutil.Process], bool]
    heal: Callable[[Desktop], None]


def mount(desktop: Desktop) -> None:
    """Give the share and the desktop's folders file systems of their own, which can be filled, hung or taken away."""
    exported, own = desktop.folder / "exported", desktop.folder / "backup"
    for folder, source in ((exported, SOURCE), (own, "desktop")):
        folder.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={_SIZE}", source, folder], check=True)
    _bind(desktop)


def mount_faulty(desktop: Desktop) -> None:
    """Put a file system over the share that hangs when its control file states so."""
    (desktop.folder / "control").write_text("ok ok")
    paths = (desktop.folder / "exported", desktop.share, desktop.folder / "control")
    words = [sys.executable, "-m", faulty_share.__name__, *map(str, paths), SOURCE]
    subprocess.Popen(words, env=ENVIRONMENT)  # it ends with its mount
    while _top_mount(desktop.share) != "fuse.nfs4":
        time.sleep(0.05)
    desktop.write_settings(mount={"path": str(desktop.share), "types": ["fuse.nfs4"], "source": SOURCE})


def mount_spaces(desktop: Desktop) -> None:
    """Do the same for a desktop that has backups already, and that restores them with little free disk space."""
    folders._RESERVE_MIB = 1
    share, own, kept = desktop.folder / "share", desktop.folder / "backup", desktop.folder / "kept"
    kept.mkdir()
    for folder in (share, own):
        shutil.copytree(folder, kept / folder.name)
        shutil.rmtree(folder)
    share.mkdir()
    mount(desktop)
    for folder in (share, own):
        shutil.copytree(kept / folder.name, folder, dirs_exist_ok=True)
    shutil.rmtree(kept)


def mount_disk(desktop: Desktop) -> None:
    """Put the desktop's folders on a disk of their own, whose power can be cut."""
    disk, own = desktop.folder / "disk", desktop.folder / "backup"
    with disk.open("wb") as file:
        file.truncate(96 << 20)
    subprocess.run(["mkfs.ext4", "-q", disk], check=True)
    kept = desktop.folder / "kept"
    shutil.copytree(own, kept)
    subprocess.run(["mount", "-o", "loop", disk, own], check=True)
    shutil.copytree(kept, own, dirs_exist_ok=True)
    shutil.rmtree(kept)


def _cut_power(desktop: Desktop, process: psutil.Process) -> bool:
    """Kill everything at once, and go on with what the disk has: not with what only the memory had."""
    numbers = [number for number in processes_of(desktop.repository) if psutil.pid_exists(number)]
    hit = _kill([process, *map(psutil.Process, numbers)])
    disk, off = desktop.folder / "disk", desktop.folder / "disk.off"
    subprocess.run(["cp", "--sparse=always", disk, off], check=True)
    subprocess.run(["umount", "--lazy", desktop.folder / "backup"], check=True)
    off.replace(disk)
    subprocess.run(["mount", "-o", "loop", disk, desktop.folder / "backup"], check=True)
    return hit


def unmount(desktop: Desktop) -> None:
    """Take all mounts of a desktop away, the newest first."""
    _control(desktop, "ok ok")
    for line in reversed(Path("/proc/self/mountinfo").read_text().splitlines()):
        path = line.split(" ")[4]
        if path.startswith(f"{desktop.folder}/"):
            subprocess.run(["umount", "--lazy", path], check=True)


def _bind(desktop: Desktop) -> None:
    subprocess.run(["mount", "--bind", desktop.folder / "exported", desktop.share], check=True)
    desktop.write_settings(mount={"path": str(desktop.share), "types": ["tmpfs"], "source": SOURCE})


def _top_mount(path: Path) -> str:
    lines = [line.split(" ") for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    kinds = [words[words.index("-") + 1] for words in lines if words[4] == str(path)]
    return kinds[-1] if kinds else ""


def _kill_program(_desktop: Desktop, process: psutil.Process) -> bool:
    return _kill([process])


def _kill_restic(desktop: Desktop, process: psutil.Process) -> bool:
    """Kill the restic that runs now, or the next one."""
    while process.status() != psutil.STATUS_ZOMBIE:
        for pid in processes_of(desktop.repository):
            if psutil.pid_exists(pid) and _kill([psutil.Process(pid)]):
                return True
        time.sleep(0.01)
    return False


def kill_client(_desktop: Desktop, process: psutil.Process) -> bool:
    """Kill the next psql, pg_dump or redis-cli of the command: the process in the container."""
    names = ("psql", "pg_dump", "redis-cli", "sh")
    while process.status() != psutil.STATUS_ZOMBIE:
        if _kill([child for child in process.children(recursive=True) if _name(child) in names]):
            return True
        time.sleep(0.01)
    return False


def _name(process: psutil.Process) -> str:
    try:
        return process.name()
    except psutil.NoSuchProcess:
        return ""


def _kill(processes: list[psutil.Process]) -> bool:
    hit = False
    for process in processes:
        try:
            process.send_signal(signal.SIGKILL)
            hit = True
        except psutil.NoSuchProcess:
            continue
    return hit


def _fill(folder: Path) -> None:
    with (folder / "filler").open("wb", buffering=0) as file:
        try:
            while file.write(b"\0" * 65536):
                pass
        except OSError:
            return


def _always(strike: Callable[[Desktop], object]) -> Callable[[Desktop, psutil.Process], bool]:
    def hit(desktop: Desktop, _process: psutil.Process) -> bool:
        strike(desktop)
        return True

    return hit


def _nothing(_desktop: Desktop) -> None:
    """Leave everything: what was killed has no cause to remove."""


def _unlink(desktop: Desktop, folder: str) -> None:
    (desktop.folder / folder / "filler").unlink()


def _control(desktop: Desktop, words: str) -> None:
    (desktop.folder / "control").write_text(words)


PROGRAM = Fault("program killed", _kill_program, _nothing)
RESTIC = Fault("restic killed", _kill_restic, _nothing)
CLIENT = Fault("process in the container killed", kill_client, _nothing)
POWER = Fault("machine off", _cut_power, _nothing)
HUNG = Fault(
    "share hung",
    _always(lambda desktop: _control(desktop, "hang hang")),
    lambda desktop: _control(desktop, "ok ok"),
)
DISKS = (
    Fault(
        "share full",
        _always(lambda desktop: _fill(desktop.folder / "exported")),
        lambda desktop: _unlink(desktop, "exported"),
    ),
    Fault(
        "desktop's disk full",
        _always(lambda desktop: _fill(desktop.folder / "backup")),
        lambda desktop: _unlink(desktop, "backup"),
    ),
    Fault(
        "share gone",
        _always(lambda desktop: subprocess.run(["umount", "--lazy", desktop.share], check=True)),
        _bind,
    ),
)
