# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the controller's site folder out of a backup, for a computer that has nothing but the recovery sheet."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from .. import catalog, destination, files
from ..components.file_tree import LIST, TREE
from ..configuration import Configuration
from ..errors import BackupNotFoundError, VerificationError
from ..restic import Restic

COMPONENT = "site"
ARCHIVE = "site.tar"


@dataclass(frozen=True)
class SiteFolder:
    """The backup, and the archive of the site folder that was written."""

    id: str
    made_at: datetime
    path: Path
    bytes: int
    sha256: str

    code = 0

    def lines(self) -> Iterable[str]:
        """Return the outcome as lines for a person."""
        yield f"{self.path}: the site folder of {self.id} ({self.bytes} bytes)"


def write_site(configuration: Configuration, name: str, path: Path) -> SiteFolder:
    """Write the archive of the site folder of a backup to a file that only its owner can read.

    Raises:
        BackupNotFoundError: there is no such backup, or the controller had not sent its site folder.
        VerificationError: the archive differs from what was saved.
    """
    restic = Restic(configuration)
    destination.open_for_reading(configuration, restic)
    backups = catalog.read(configuration, restic)
    mark = backups.resolve(name)
    snapshot = backups.snapshots[mark.id].id
    part = catalog.manifest_of(restic, backups.snapshots[mark.id], mark).components.get(COMPONENT)
    listed = json.loads(restic.dump(snapshot, f"{COMPONENT}/{LIST}")) if part and part.counts.get("present") else []
    saved = {entry["path"]: entry["sha256"] for entry in listed}
    if ARCHIVE not in saved:
        raise BackupNotFoundError(
            mark.id,
            found="no site folder",
            expected="a backup that was made after a run of the site playbook",
            next_step="Choose another backup of tars-backup list",
        )
    content = restic.dump(snapshot, f"{COMPONENT}/{TREE}/{ARCHIVE}")
    digest = hashlib.sha256(content).hexdigest()
    if digest != saved[ARCHIVE]:
        raise VerificationError(f"{mark.id}: {ARCHIVE}", found=f"SHA-256 {digest}", expected=saved[ARCHIVE])
    files.write(path, content)
    return SiteFolder(mark.id, mark.made_at, path, len(content), digest)
