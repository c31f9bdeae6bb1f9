# SPDX-License-Identifier: GPL-3.0-or-later
"""Create the repository, once; a run never does."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass

from .. import destination, processes, program_lock
from ..configuration import Configuration
from ..errors import BackupError, RepositoryAbsentError
from ..repository import packs
from ..restic import Restic

FOLDERS = ("data", "index", "keys", "locks", "snapshots")
"""Folders of a repository."""


@dataclass(frozen=True)
class Initialized:
    """The id of the repository, and whether it was created now."""

    repository_id: str
    changed: bool

    code = 0

    def lines(self) -> Iterable[str]:
        """Return the outcome as lines for a person."""
        yield f"{'Created' if self.changed else 'Found'} repository {self.repository_id}"


def init(configuration: Configuration, like: Configuration | None = None) -> Initialized:
    """Create the repository if its folder is empty or holds an interrupted creation, and return its id.

    That of a copy is created `like` the first one, which must be readable.

    Raises:
        BackupError: the folder holds another repository, or data without the file config.
    """
    with program_lock.held(configuration.state, "init"):
        destination.check_mount(configuration)
        destination.check_writable(configuration)
        restic = Restic(configuration)
        repository = configuration.repository
        exists = processes.isolated((repository / "config").is_file, subject=repository)
        if configuration.server:
            with contextlib.suppress(RepositoryAbsentError):
                restic.repository_id()
                exists = True
        if exists:
            return Initialized(destination.check_id(configuration, restic.repository_id()), changed=False)
        if configuration.repository_id:
            raise destination.absent(configuration)
        processes.isolated(lambda: clear(configuration), subject=repository)
        if like:
            destination.open_for_reading(like, Restic(like))
        restic.init(like)
        return Initialized(destination.known_id(configuration, restic), changed=True)


def clear(configuration: Configuration) -> None:
    """Remove what an interrupted creation left: keys without config, and empty folders."""
    repository = configuration.repository
    if not repository.exists():
        return
    content = [name for name in packs.sizes(repository) if not name.startswith("keys/")]
    unknown = [path.name for path in repository.iterdir() if path.name not in FOLDERS and "-tmp-" not in path.name]
    if content or unknown:
        raise BackupError(
            repository,
            found=f"{len(content)} files of a repository without its file config; others: {unknown or 'none'}",
            expected="an empty folder",
            next_step="Put the file config of the recovery sheet back, or move the folder away",
        )
    for path in (repository / "keys").glob("*"):
        path.unlink()
    for path in repository.glob("config-tmp-*"):
        path.unlink()
