# SPDX-License-Identifier: GPL-3.0-or-later
"""Mount the disk of a copy while a command uses it.

The disk is recognised by the UUID of its file system. It is mounted in a mount namespace of this process alone, so no
other program reaches it, and a command that is killed leaves no mount: the kernel removes it with the process.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from . import destination, processes
from .configuration import Configuration, Mount
from .errors import BackupError, DestinationError, NotConnectedError

_CLONE_NEWNS = 0x00020000
"""From linux/sched.h; Python has os.unshare since 3.12."""

_LIMIT_S = 60
"""Seconds for a disk to start, and for its journal to be replayed."""


@contextlib.contextmanager
def opened(configuration: Configuration, name: str | None) -> Iterator[Configuration]:
    """Yield the configuration of a copy, whose disk is mounted while the block runs; without a name, the first one.

    Raises:
        UsageError: there is no such copy.
        NotConnectedError: its disk is not connected.
        DestinationError: its disk cannot be mounted.
    """
    if not name:
        yield configuration
        return
    copy = configuration.of_copy(name)
    disk = configuration.copies[name].disk
    if disk is None:
        yield copy
        return
    device = device_of(name, disk)
    path = copy.mount.path
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    _leave_shared_namespace()
    _run("mount", "--options", "nosuid,nodev,noexec,noatime", device, str(path), subject=device)
    try:
        table = destination.mounts(Path("/proc/self/mountinfo").read_text())
        mounted = next(entry for entry in reversed(table) if entry.path == str(path))
        yield replace(copy, mount=Mount(path, (mounted.type,), mounted.source))
    except BaseException:
        # The namespace ends with this process; the error is what matters.
        with contextlib.suppress(BackupError):
            _run("umount", str(path), subject=device)
        raise
    # Waits until everything is written, so that the disk can be disconnected afterwards.
    _run("umount", str(path), subject=device)


def device_of(name: str, disk: str) -> str:
    """Return the device with the file system of a UUID.

    Raises:
        NotConnectedError: no device has it.
    """
    # For two seconds, blkid believes its file about devices that it has seen, also of a disk that was removed since.
    answer = processes.attempt(["blkid", "--uuid", disk], deadline_s=_LIMIT_S, extra={"BLKID_FILE": os.devnull})
    if answer.status == 0:
        return answer.output.decode().strip()
    raise NotConnectedError(
        f"disk of the copy {name}",
        found=f"no file system with the UUID {disk}",
        expected="the disk to be connected",
        next_step="Connect it and repeat the command; the next backup makes the copy otherwise",
    )


def _leave_shared_namespace() -> None:
    """Give this process mounts of its own; mounts that systemd makes later, such as the NAS's, still appear in it."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNS):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), "mount namespace")
    processes.run(["mount", "--make-rslave", "/"], deadline_s=_LIMIT_S)


def _run(*command: str, subject: str) -> None:
    answer = processes.attempt(command, deadline_s=_LIMIT_S)
    if answer.status:
        raise DestinationError(
            subject,
            found=answer.errors.strip() or f"exit status {answer.status} of {command[0]}",
            expected=f"a file system that {command[0]} accepts",
            next_step="Check the disk and its file system, with fsck if it is damaged",
        )
