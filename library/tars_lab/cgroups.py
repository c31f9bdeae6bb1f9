# SPDX-License-Identifier: GPL-3.0-or-later
"""Control groups: each machine or service of the lab runs in a group with its name.

Unlike a recorded process id, membership stays correct when ids are reused, and needs no record on disk: all processes
in the group were started by the lab.
"""

import errno
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from tars_lab.layout import Lab

_ROOT = Path("/sys/fs/cgroup")
_SHARES = "8192"
"""The lab's weight for processor time, on hosts with cgroup v1: that of eight sessions.

A session has 1024, and so would have the lab with all of its machines and their containers.
"""
# Errors of the kernel about a group that was removed in the meantime.
_GONE = (errno.ENOENT, errno.ENODEV)


def legacy() -> bool:
    """Return whether this host mounts cgroup v1 hierarchies."""
    return not (_ROOT / "cgroup.controllers").exists()


def _hierarchies() -> list[Path]:
    if not legacy():
        return [_ROOT]
    return sorted(path for path in _ROOT.iterdir() if (path / "cgroup.procs").exists() and not path.is_symlink())


def _group(lab: Lab, name: str = "") -> list[Path]:
    return [hierarchy / f"tars-lab.{lab.bridge}" / name for hierarchy in _hierarchies()]


def create(lab: Lab, name: str) -> list[Path]:
    """Create the group in every hierarchy; return the files to which a process writes 0 in order to join."""
    for group in _group(lab, name):
        for level in (group.parent, group):
            level.mkdir(exist_ok=True)
            # A new cpuset is empty, and nothing can join an empty one.
            for setting in ("cpuset.cpus", "cpuset.mems"):
                if legacy() and (level / setting).exists():
                    (level / setting).write_text((level.parent / setting).read_text())
        if (shares := group.parent / "cpu.shares").exists():
            shares.write_text(_SHARES)
    return [group / "cgroup.procs" for group in _group(lab, name)]


def names(lab: Lab) -> list[str]:
    """Return the names of the existing groups, also of empty ones."""
    return sorted({path.name for top in _group(lab) if top.is_dir() for path in top.iterdir() if path.is_dir()})


def pids(lab: Lab, name: str) -> list[int]:
    """Return the host's ids of the processes in the group and in all groups below it.

    A process is in one group of every hierarchy, so that reading one hierarchy is enough.
    """
    top = _group(lab, name)[-1]
    members: set[int] = set()
    for level in (top, *_below(top)):
        try:
            members.update(int(line) for line in (level / "cgroup.procs").read_text().split())
        except OSError as error:
            if error.errno not in _GONE:
                raise
    return sorted(members - {0})


def _below(group: Path) -> Iterator[Path]:
    for folder, _, _ in os.walk(group, topdown=False):
        if folder != str(group):
            yield Path(folder)


def init(lab: Lab, name: str) -> int | None:
    """Return the host's id of process 1 of the machine in the group, None if it is off.

    Containers inside the machine are one PID namespace deeper.
    """
    level = len(_nspid(os.getpid())) + 1
    for pid in pids(lab, name):
        numbers = _nspid(pid)
        if len(numbers) == level and numbers[-1] == 1:
            return pid
    return None


def _nspid(pid: int) -> list[int]:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return []
    line = next((line for line in status.splitlines() if line.startswith("NSpid:")), "NSpid:")
    return [int(number) for number in line.split()[1:]]


def wait_empty(lab: Lab, name: str, timeout: float) -> bool:
    """Wait up to `timeout` seconds until nothing runs in the group; return whether it is empty."""
    deadline = time.monotonic() + timeout
    while pids(lab, name):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def kill(lab: Lab, name: str, timeout: float = 20) -> bool:
    """Kill all processes in the group; return False if some still run after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while left := pids(lab, name):
        if time.monotonic() > deadline:
            return False
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.1)
    return True


def remove(lab: Lab, name: str = "") -> None:
    """Remove the empty group, the groups below it, and the lab's top group if this was the last one in it."""
    for group in _group(lab, name):
        for level in (*_below(group), group):
            _remove_empty(level)
        if name and group.parent.is_dir() and not any(path.is_dir() for path in group.parent.iterdir()):
            group.parent.rmdir()


def _remove_empty(level: Path) -> None:
    """Remove one group; the kernel reports it as busy for a moment after its last process has ended."""
    deadline = time.monotonic() + 5
    while level.is_dir():
        try:
            level.rmdir()
        except OSError as error:
            if error.errno in _GONE:
                return
            if error.errno != errno.EBUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
