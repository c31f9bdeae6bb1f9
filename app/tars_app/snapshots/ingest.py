# SPDX-License-Identifier: GPL-3.0-or-later
"""Read a version of the past from one of the snapshots in which it was seen."""

from __future__ import annotations

import hashlib
from uuid import UUID

from tars_app.adapters.mounts import ShareUnavailableError, mount_of_share, read_file
from tars_app.dependencies import Dependencies
from tars_app.documents.ingest import read_content, read_version
from tars_app.documents.model import Task
from tars_app.documents.parsers.model import UnreadableError
from tars_app.documents.repository import note_not_queued
from tars_app.kit.errors import UnavailableError
from tars_app.snapshots import repository
from tars_app.snapshots.names import FOLDER
from tars_app.snapshots.repository import Place


def ingest_earlier(dependencies: Dependencies, version_id: UUID) -> None:
    """Read a version of the past, unless a document of the shares waits: then the next pass queues it again.

    Raises as `read_version`.
    """
    if repository.live_work_waits(dependencies.pool):
        note_not_queued(dependencies.pool, [version_id])
        return
    started = repository.start_earlier(dependencies.pool, version_id)
    if started is not None:
        task, places = started
        read_version(dependencies, task, lambda _, __: _read(dependencies, task, places))


def read_scanned(dependencies: Dependencies, task: Task) -> bytes | None:
    """Return the content of a version whose pages are recognised, from its share or a snapshot.

    Returns None where the file on the share is another one. Raises as `read_version`.
    """
    if task.earlier:
        return _read(dependencies, task, repository.places_of(dependencies.pool, task.version_id))
    return read_content(dependencies, task)


def _read(dependencies: Dependencies, task: Task, places: list[Place]) -> bytes:
    """Return the content from the latest snapshot that still has it: the NAS deletes the oldest ones first."""
    settings = dependencies.settings
    for place in places:
        try:
            content = read_file(place.root / FOLDER / place.snapshot, place.path, settings.max_file_bytes)
        except OSError:
            continue  # the NAS deleted it, or cannot read it; if none has it, the errors below say so
        if hashlib.sha256(content).hexdigest() == task.sha256:
            return content
    try:
        for root in {task.root, *(place.root for place in places)}:
            mount_of_share(root, settings.require_mount)
    except ShareUnavailableError as failure:
        raise UnavailableError(str(failure), "Check that the NAS is on and its share is mounted.") from failure
    raise UnreadableError("The NAS deleted the snapshots that contained this version before it was read.")
