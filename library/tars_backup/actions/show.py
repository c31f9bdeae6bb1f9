# SPDX-License-Identifier: GPL-3.0-or-later
"""Show what one backup contains."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from .. import catalog, destination
from ..configuration import Configuration
from ..manifest import Part
from ..restic import Restic


@dataclass(frozen=True)
class Shown:
    """The manifest of a backup, and its snapshot in the repository."""

    id: str
    made_at: datetime
    host: str
    versions: Mapping[str, str]
    components: Mapping[str, Part]
    content: str
    snapshot: str

    code = 0

    def lines(self) -> Iterable[str]:
        """Return the outcome as lines for a person."""
        yield f"{self.id}, made {self.made_at.isoformat()} on {self.host}, restic snapshot {self.snapshot[:8]}"
        yield "versions: " + ", ".join(f"{name} {version}" for name, version in sorted(self.versions.items()))
        for name, part in self.components.items():
            counts = "".join(f", {count} {what}" for what, count in sorted(part.counts.items()))
            derived = ", derived" if part.derived else ""
            yield f"{name}: {part.files} files, {part.bytes} bytes{counts}{derived}"


def show(configuration: Configuration, name: str) -> Shown:
    """Return what a backup contains; `name` is an id, latest, or an instant.

    Raises:
        BackupNotFoundError: there is no such backup.
    """
    restic = Restic(configuration)
    destination.open_for_reading(configuration, restic)
    backups = catalog.read(configuration, restic)
    mark = backups.resolve(name)
    snapshot = backups.snapshots[mark.id]
    document = catalog.manifest_of(restic, snapshot, mark)
    return Shown(
        id=mark.id,
        made_at=document.made_at,
        host=document.host,
        versions=document.versions,
        components=document.components,
        content=document.content,
        snapshot=snapshot.id,
    )
