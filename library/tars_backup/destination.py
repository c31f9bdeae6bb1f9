# SPDX-License-Identifier: GPL-3.0-or-later
"""Check the place of the repository before restic uses it: restic retries for minutes what this refuses in seconds."""

from __future__ import annotations

import hashlib
import os
import secrets
import time
from pathlib import Path
from typing import NamedTuple, Protocol

from . import files, processes
from .configuration import Configuration
from .errors import DestinationError, RepositoryAbsentError
from .state import State

_MIB = 1 << 20
_PROBE = ".tars-backup-probe"
_PAUSE_S = 2.0


class RepositoryReader(Protocol):
    """What reads the id of the repository, with the key."""

    def repository_id(self) -> str:
        """Return the id of the repository."""


class Space(NamedTuple):
    """Disk space of the share, in MiB; of a share with a quota, the quota's."""

    free_mib: int
    total_mib: int


class Mounted(NamedTuple):
    """A line of /proc/self/mountinfo."""

    path: str
    type: str
    source: str


def mounts(text: str) -> list[Mounted]:
    """Return the mounts of the text of /proc/self/mountinfo, in the order in which they were made."""
    table = []
    for line in text.splitlines():
        left, _, right = line.partition(" - ")
        kind, source = right.split(" ")[:2]
        table.append(Mounted(_plain(left.split(" ")[4]), kind, _plain(source)))
    return table


def _plain(field: str) -> str:
    r"""Return a field without its escapes: \040 is a space."""
    return field.encode("ascii", "surrogateescape").decode("unicode_escape").encode("latin-1").decode(errors="replace")


def check_mount(configuration: Configuration) -> None:
    """Check that the configured share is mounted at its path.

    Raises:
        DestinationError: nothing, or something else, is mounted.
    """
    if configuration.server:
        return
    expected = configuration.mount
    # systemd mounts the share at the first access. Until then an automount is at the path.
    processes.isolated(lambda: expected.path.is_mount() and os.listdir(expected.path), subject=expected.path)
    table = mounts(Path("/proc/self/mountinfo").read_text())
    mounted = next((entry for entry in reversed(table) if entry.path == str(expected.path)), None)
    if mounted and mounted.type in expected.types and mounted.source == expected.source:
        return
    raise DestinationError(
        expected.path,
        found=f"{mounted.source} of type {mounted.type}" if mounted else "not a mount point",
        expected=f"{expected.source}, mounted as {' or '.join(expected.types)}",
        next_step=f"Check that the NAS is on, then run: mount {expected.path}",
    )


def check_answer(configuration: Configuration) -> None:
    """Check that the destination can be read now.

    Raises:
        DestinationError: its file system does not answer, or returns an error.
    """
    if configuration.server:
        return
    folder = configuration.repository.parent

    def read() -> None:
        os.listdir(folder)
        os.statvfs(folder)

    processes.isolated(read, subject=folder)


def wait(configuration: Configuration, limit_s: float) -> None:
    """Wait until the share is mounted and answers, at most so many seconds; the caller's own checks report the reason.

    After standby, the timer starts a run before the network and the NAS are there.
    """
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        try:
            check_mount(configuration)
            check_answer(configuration)
            return
        except DestinationError:
            time.sleep(min(_PAUSE_S, max(0.0, end - time.monotonic())))


def check_writable(configuration: Configuration) -> Space:
    """Check that a file can be written, renamed, read and deleted, and return the disk space if enough is free.

    Raises:
        DestinationError: one of these fails, or takes too long.
    """
    if configuration.server:
        return Space(0, 0)  # a server does not report it
    folder = configuration.repository.parent
    content = secrets.token_bytes(1 << 16)

    def probe() -> tuple[Space, bool]:
        path = folder / _PROBE
        files.write(path, content)
        path.chmod(0o400)  # as restic does with every file; some NAS refuse it, and restic repeats it for minutes
        equal = path.name in os.listdir(folder) and path.read_bytes() == content
        path.unlink()
        files.sync_folder(folder)
        space = os.statvfs(folder)
        unit = space.f_frsize
        return Space(space.f_bavail * unit // _MIB, space.f_blocks * unit // _MIB), equal

    space, equal = processes.isolated(probe, subject=folder)
    if not equal:
        raise DestinationError(folder, found="other bytes than those written", expected="the bytes that were written")
    if space.free_mib < configuration.free_mib:
        raise DestinationError(
            folder,
            found=f"{space.free_mib} MiB free",
            expected=f"at least {configuration.free_mib} MiB",
            next_step="Free disk space on the share, or raise its quota",
        )
    return space


def check_repository(configuration: Configuration) -> None:
    """Check that a repository is there; never create one. restic itself asks a server.

    Raises:
        RepositoryAbsentError: the folder does not hold a repository.
        DestinationError: the folder cannot be read.
    """
    config = configuration.repository / "config"
    if not configuration.server and not processes.isolated(config.is_file, subject=config):
        raise absent(configuration)


def absent(configuration: Configuration) -> RepositoryAbsentError:
    """Return the error of a repository that is not in its place."""
    if configuration.name:
        next_step = f"To start a new copy, remove the id of {configuration.name} from recorded/backup.yml, and run the "
        next_step += "site playbook"
    else:
        next_step = "If the share was emptied, restore it from a snapshot of the NAS, or from a copy with tars-backup "
        next_step += (
            "copy --from NAME; to start a new history, remove the recorded id from recorded/backup.yml and run "
        )
        next_step += "the site playbook"
    return RepositoryAbsentError(
        configuration.server.url if configuration.server else configuration.repository,
        found="no repository",
        expected=f"the repository {configuration.repository_id or 'that init creates'}",
        next_step=next_step,
    )


def check_id(configuration: Configuration, repository_id: str) -> str:
    """Return the id of the repository if it is the recorded one, or if none is recorded.

    Raises:
        RepositoryAbsentError: another repository is at the configured place.
    """
    if configuration.repository_id in (None, repository_id):
        return repository_id
    raise RepositoryAbsentError(
        configuration.repository,
        found=f"repository {repository_id}",
        expected=f"the recorded repository {configuration.repository_id}",
        next_step="Check that the share is the right one; to use this repository, record its id in "
        "recorded/backup.yml and run the site playbook",
    )


def open_for_reading(configuration: Configuration, restic: RepositoryReader) -> None:
    """Check that the configured repository can be read; it needs no write access and no locks.

    Raises:
        DestinationError, RepositoryAbsentError, WrongKeyError, BackupError: it cannot.
    """
    check_mount(configuration)
    check_answer(configuration)
    check_repository(configuration)
    check_id(configuration, restic.repository_id())


def open_for_writing(configuration: Configuration, restic: RepositoryReader) -> Space:
    """Check that the recorded repository can be read and written, and return the disk space of its share.

    Raises:
        DestinationError, RepositoryAbsentError, WrongKeyError, BackupError: it cannot.
    """
    check_mount(configuration)
    space = check_writable(configuration)
    check_repository(configuration)
    if configuration.repository_id is None:
        raise RepositoryAbsentError(
            configuration.repository,
            found="no recorded repository id",
            expected="the id that init printed",
            next_step="Run the site playbook, which creates the repository and records its id",
        )
    check_id(configuration, known_id(configuration, restic))
    return space


def known_id(configuration: Configuration, restic: RepositoryReader) -> str:
    """Return the id of the repository, as its file config contains it.

    restic is asked only if the file is another one than the last time: it derives the key again for each answer. That
    the key is right is shown by the next command that reads the repository.
    """
    if configuration.server:
        return restic.repository_id()
    path = configuration.repository / "config"
    digest = processes.isolated(lambda: hashlib.sha256(path.read_bytes()).hexdigest(), subject=path)
    state = State(configuration.state)
    known = state.read("repository")
    if known.get("config") != digest:
        known = {"config": digest, "id": restic.repository_id()}
        state.write("repository", known)
    return str(known["id"])
