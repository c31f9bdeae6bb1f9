# SPDX-License-Identifier: GPL-3.0-or-later
"""Read what a recovery sheet needs of the repository, prove that a sheet opens it, and repair it with the sheet."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from .. import catalog, destination, instants, program_lock
from ..configuration import Configuration
from ..errors import BackupNotFoundError, RepositoryAbsentError, VerificationError
from ..manifest import Mark
from ..repository import sheet as sheets
from ..repository.sheet import Sheet
from ..restic import Restic
from ..state import State

SUBJECT = "sheet"
"""Subject of the state: when a sheet was last tried with success."""


@dataclass(frozen=True)
class RepositoryKey:
    """The files that open the repository together with its password, in base64."""

    repository_id: str
    config: str
    key: str
    restic_sha256: str

    code = 0

    def lines(self) -> Iterable[str]:
        """Return the outcome as lines for a person."""
        yield f"repository {self.repository_id}; --json prints its files config and key, for the recovery sheet"


@dataclass(frozen=True)
class Proven:
    """What a sheet was tried on.

    Attributes:
        backup: the backup whose manifest was read with the sheet; None if there is no backup yet.
        differing: files of the repository that differed from the sheet's.
        repaired: whether they were replaced, and `kept` where the replaced ones are.
        password_differs: whether the desktop uses another password than the sheet's.
        whole: whether the sheet had the files, or only the password.
    """

    repository_id: str
    backup: str | None
    made_at: datetime | None
    whole: bool
    differing: tuple[str, ...]
    password_differs: bool
    repaired: bool = False
    kept: tuple[Path, ...] = ()

    @property
    def changed(self) -> bool:
        """Return whether the repository was changed."""
        return self.repaired

    code = 0

    def lines(self) -> Iterable[str]:
        """Return the outcome as lines for a person."""
        what = "the sheet alone" if self.whole else "the password"
        when = f", and backup {self.backup} was read" if self.backup else "; it has no backup yet"
        yield f"{what} opens the repository {self.repository_id[:8]}{when}"
        if self.repaired:
            yield f"written from the sheet: {', '.join(self.differing)}"
            yield from (f"the replaced file is kept: {path}" for path in self.kept)
        elif self.differing:
            yield f"the repository has other files than the sheet: {', '.join(self.differing)}"
            yield "if it does not open, --repair writes those of the sheet"
        if self.password_differs:
            yield "the desktop uses another password than the sheet: print a new sheet"


def read_key(configuration: Configuration) -> RepositoryKey:
    """Return the files that open the repository, once they have opened it.

    Raises:
        RepositoryAbsentError, WrongKeyError, DestinationError, BackupError: it cannot be opened.
    """
    restic = Restic(configuration)
    destination.open_for_reading(configuration, restic)
    identifier = restic.repository_id()
    contents = sheets.read(configuration, restic.key_name())
    config, key = (base64.b64encode(content).decode() for content in contents.values())
    program = hashlib.sha256(configuration.restic.read_bytes()).hexdigest()
    return RepositoryKey(identifier, config, key, program)


def try_sheet(configuration: Configuration, sheet: Sheet, *, repair: bool) -> Proven:
    """Read the newest backup with the sheet alone; with `repair`, put damaged files of the repository right.

    Raises:
        WrongKeyError: the sheet does not open the repository.
        RepositoryAbsentError: it is the sheet of another repository.
        VerificationError: a repair was asked for, and nothing proves that the sheet belongs to this repository.
        DestinationError: the share cannot be used.
    """
    destination.check_mount(configuration)
    destination.check_answer(configuration)
    with sheets.opened(configuration, sheet) as scratch:
        restic = Restic(scratch)
        identifier = restic.repository_id()
        if configuration.repository_id not in (None, identifier):
            raise RepositoryAbsentError(
                "sheet",
                found=f"one of the repository {identifier}",
                expected=f"one of the recorded repository {configuration.repository_id}",
                next_step="Use the newest sheet, or print a new one",
            )
        mark = _read_newest(scratch, restic)
    differing = sheets.differing(configuration, sheet)
    proven = Proven(
        repository_id=identifier,
        backup=mark.id if mark else None,
        made_at=mark.made_at if mark else None,
        whole=bool(sheet.files),
        differing=tuple(differing),
        password_differs=_kept_password(configuration) != sheet.password,
    )
    if repair and differing:
        if mark is None:
            raise VerificationError(
                configuration.repository,
                found="no backup that the sheet can read",
                expected="one that proves that the sheet is of this repository",
                next_step="Restore the share from a snapshot of the NAS",
            )
        with program_lock.held(configuration.state, "key --repair"):
            kept = sheets.repair(configuration, sheet, differing)
        proven = replace(proven, repaired=True, kept=tuple(kept))
    State(configuration.state).write(SUBJECT, {"checked_at": instants.to_text(instants.now())})
    return proven


def _read_newest(configuration: Configuration, restic: Restic) -> Mark | None:
    """Read the manifest of the newest backup; return None if there is no backup."""
    backups = catalog.read(configuration, restic)
    try:
        mark = backups.resolve("latest")
    except BackupNotFoundError:
        return None
    catalog.manifest_of(restic, backups.snapshots[mark.id], mark)
    return mark


def _kept_password(configuration: Configuration) -> str | None:
    try:
        return configuration.key_file.read_text().strip()
    except FileNotFoundError:
        return None
