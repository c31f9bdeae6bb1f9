# SPDX-License-Identifier: GPL-3.0-or-later
"""Copy backups from a copy back to the share of the NAS, whose repository was lost."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass, replace

from .. import catalog, destination, files, instants, manifest, media, processes, program_lock
from ..configuration import Configuration
from ..context import Progress
from ..errors import BackupError, RepositoryAbsentError
from ..manifest import Mark
from ..state import State
from . import prune
from .init import FOLDERS, clear
from .transfer import Place, open_to_write, origin_files, read, refuse, transfer

_BRINGING_BACK = "bringing_back"


@dataclass(frozen=True)
class BroughtBack:
    """The backups that were copied to the share, and those that were only on the lost one."""

    source: str
    copied: tuple[str, ...]
    lost: tuple[str, ...]
    dry_run: bool
    changed: bool

    @property
    def code(self) -> int:
        """Return 3 if a dry run has backups to copy."""
        return 3 if self.dry_run and self.changed else 0

    def lines(self) -> Iterable[str]:
        """Return the outcome as lines for a person."""
        verb = "would copy" if self.dry_run else "copied"
        yield f"{verb} {len(self.copied)} backups from {self.source} to the share"
        yield from (f"lost: {name}, which {self.source} does not have" for name in self.lost)


def bring_back(configuration: Configuration, name: str, *, dry_run: bool, progress: Progress) -> BroughtBack:
    """Copy all backups of a copy to the share of the NAS, whose repository was lost, and keep the repository's id.

    Raises:
        UsageError: there is no such copy.
        RepositoryAbsentError: the copy lacks the files of the lost repository.
        VerificationError: a backup of the copy is damaged; sound ones were copied.
        BackupError: the share holds something else.
    """
    with program_lock.held(configuration.state, "copy"), media.opened(configuration, name) as copied:
        source = _with_unmarked(read(copied))
        if dry_run:
            return BroughtBack(name, tuple(source.backups.good), (), dry_run, changed=bool(source.backups.good))
        state = State(configuration.state)
        destination.check_mount(configuration)
        destination.check_writable(configuration)
        if not processes.isolated((configuration.repository / "config").is_file, subject=configuration.repository):
            # Kept until all is there: only then are backups that the copy lacks lost, and not deleted by someone.
            state.write(_BRINGING_BACK, {"source": name})
            _put_origin_back(configuration, copied)
        target = open_to_write(configuration, progress)
        order = reversed(catalog.by_age(source.backups.good.values()))
        names = [mark.id for mark in order if mark.id not in target.backups.good]
        progress(f"copying {len(names)} backups from {name}")
        damaged = transfer(source, target, names, progress)
        refuse(copied, damaged)
        lost: tuple[str, ...] = ()
        if state.read(_BRINGING_BACK):
            backups = catalog.read(configuration, target.restic)
            lost = tuple(backups.missing)
            prune.accept_missing_backups(configuration, backups)
            # Everything that is there now was read back. What was found wrong before concerns the lost repository.
            state.write("verified", {"at": instants.to_text(instants.now()), "ok": True, "problems": []})
            state.write("share", {})
            state.write(_BRINGING_BACK, {})
        return BroughtBack(name, tuple(names), lost, dry_run, changed=bool(names))


def _with_unmarked(place: Place) -> Place:
    """Return a copy whose marks are lost with all its backups: each is read whole before it is copied anyway."""
    if place.backups.good:
        return place
    good = {}
    for name, snapshot in place.backups.snapshots.items():
        with contextlib.suppress(BackupError):
            content = place.restic.dump(snapshot.id, manifest.NAME)
            document = manifest.decoded(content, name)
            good[name] = Mark(name, document.made_at, document.content, manifest.sha256(content))
    return place._replace(backups=replace(place.backups, good=good, unfinished=()))


def _put_origin_back(configuration: Configuration, copied: Configuration) -> None:
    """Make an empty repository with the id and the keys of the lost one; `config` last, which makes it one.

    Raises:
        RepositoryAbsentError: the copy lacks the files of the lost repository.
        BackupError: the folder of the repository holds data.
    """
    repository = configuration.repository

    def present() -> bool:
        return (copied.origin / "config").is_file()

    if not processes.isolated(present, subject=copied.origin):
        raise RepositoryAbsentError(
            copied.origin,
            found="no files of the lost repository",
            expected="its config and keys, which the last copy stored",
            next_step="Remove the recorded id from recorded/backup.yml, run the site playbook, and repeat the command",
        )

    def put() -> None:
        repository.mkdir(exist_ok=True, mode=0o700)
        for name in FOLDERS:
            (repository / name).mkdir(exist_ok=True, mode=0o700)
        for path in reversed(origin_files(copied.origin)):
            files.write(repository / path.relative_to(copied.origin), path.read_bytes(), 0o600)

    processes.isolated(lambda: clear(configuration), subject=repository)
    processes.isolated(put, subject=repository)
