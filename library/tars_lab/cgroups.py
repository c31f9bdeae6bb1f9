# SPDX-License-Identifier: GPL-3.0-or-later
"""Every process of the lab lives in a control group of its own name.

Membership cannot be forged by a reused process number and needs no record on disk: what is in the group was started by
the lab, however it ended up there.
"""

import errno
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from tars_lab.layout import Lab

_ROOT = Path("/sys/fs/cgroup")
# What the kernel says about a group that was removed in the meantime.
_GONE = (errno.ENOENT, errno.ENODEV)


def legacy() -> bool:
    """Whether this host mounts cgroup v1 hierarchies."""
    return not (_ROOT / "cgroup.controllers").exists()


def _hierarchies() -> list[Path]:
    if not legacy():
        return [_ROOT]
    return sorted(path for path in _ROOT.iterdir() if (path / "cgroup.procs").exists() and not path.is_symlink())


def _group(lab: Lab, name: str = "") -> list[Path]:
    return [hierarchy / f"tars-lab.{lab.bridge}" / name for hierarchy in _hierarchies()]


def create(lab: Lab, name: str) -> list[Path]:
    """Make the group in every hierarchy; returns the files a process writes 0 to in order to join."""
    for group in _group(lab, name):
        for level in (group.parent, group):
            level.mkdir(exist_ok=True)
            # A new cpuset is empty, and nothing can join an empty one.
            for setting in ("cpuset.cpus", "cpuset.mems"):
                if legacy() and (level / setting).exists():
                    (level / setting).write_text((level.parent / setting).read_text())
    return [group / "cgroup.procs" for group in _group(lab, name)]


def names(lab: Lab) -> list[str]:
    """The groups that exist, whether anything runs in them or not."""
    return sorted({path.name for top in _group(lab) if top.is_dir() for path in top.iterdir() if path.is_dir()})


def pids(lab: Lab, name: str) -> list[int]:
    """Processes of the group and of all groups below it, as the host numbers them.

    A process is in one group of every hierarchy, so that one of them tells all.
    """
    top = _group(lab, name)[-1]
    found: set[int] = set()
    for level in (top, *_below(top)):
        try:
            found.update(int(line) for line in (level / "cgroup.procs").read_text().split())
        except OSError as error:
            if error.errno not in _GONE:
                raise
    return sorted(found - {0})


def _below(group: Path) -> Iterator[Path]:
    for folder, _, _ in os.walk(group, topdown=False):
        if folder != str(group):
            yield Path(folder)


def init(lab: Lab, name: str) -> int | None:
    """Process 1 of the machine in the group, as the host numbers it; containers inside it are a level deeper."""
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
    """Wait up to `timeout` seconds until nothing runs in the group."""
    deadline = time.monotonic() + timeout
    while pids(lab, name):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def kill(lab: Lab, name: str, timeout: float = 20) -> bool:
    """Kill whatever is left in the group; False if something cannot be killed."""
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
    """Remove the empty group, the groups below it, and the lab's own top group when it is the last."""
    for group in _group(lab, name):
        for level in (*_below(group), group):
            _remove_empty(level)
        if name and group.parent.is_dir() and not any(path.is_dir() for path in group.parent.iterdir()):
            group.parent.rmdir()


def _remove_empty(level: Path) -> None:
    """Remove one group; the kernel calls it busy for a moment after the last process has ended."""
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
