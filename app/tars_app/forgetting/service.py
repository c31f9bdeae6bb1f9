# SPDX-License-Identifier: GPL-3.0-or-later
"""Preview and carry out the forgetting of a document, and name what is not removed."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID

from tars_app.adapters.chroma import RequestRefusedError
from tars_app.backups import service as backups
from tars_app.dependencies import Dependencies
from tars_app.documents.follow import follow_changes
from tars_app.documents.lookup import NoDocumentError, find_document
from tars_app.documents.tombstones import remove_tombstone
from tars_app.forgetting import repository
from tars_app.forgetting.held import day_of, held, until
from tars_app.forgetting.repository import Extent
from tars_app.forgetting.schemas import Backups, Forgotten, Preview
from tars_app.kit.errors import RefusedError, UnavailableError

log = logging.getLogger(__name__)


class NotConfirmedError(RefusedError):
    """The id that confirms is not that of the document."""

    code = "not_confirmed"
    status = 409


class NotForgottenError(RefusedError):
    """There is no forgotten document of this id."""

    code = "not_forgotten"


def preview(dependencies: Dependencies, name: str) -> Preview:
    """Return what forgetting a document removes.

    Raises:
        NoDocumentError, SeveralDocumentsError: the name is not that of one document.
        UnavailableError: the database cannot be used.
    """
    document_id = find_document(dependencies.pool, name)
    with dependencies.pool.connection() as connection:
        extent = repository.read_extent(connection, document_id)
    if extent is None:
        raise _gone(name)
    return _describe(dependencies, extent)


def forget(dependencies: Dependencies, name: str, confirm: UUID) -> Forgotten:
    """Forget a document with its whole history; `confirm` is its id.

    PostgreSQL forgets it in one transaction. Chroma and the memory of this process follow at once, other processes
    with their next question, and the worker erases what is left in files. What fails of this is repeated.

    Raises:
        NotConfirmedError: the name is that of another document. Nothing has changed.
        NoDocumentError, SeveralDocumentsError, UnavailableError: as `preview`. Nothing has changed.
    """
    document_id = find_document(dependencies.pool, name)
    if document_id != confirm:
        raise NotConfirmedError(
            f"document {name!r}: found the id {document_id}, expected {confirm}, which was confirmed",
            "Read the preview again; the document may have been renamed or replaced.",
        )
    removed = repository.remove(dependencies.pool, document_id)
    if removed is None:
        raise _gone(name)
    extent, tombstone = removed
    log.info("Forgotten", extra={"fields": {"forgotten": tombstone.id, "versions": tombstone.versions}})
    try:
        dependencies.passages.remove_forgotten()
        follow_changes(dependencies)
    except (UnavailableError, RequestRefusedError) as error:
        log.warning("Chroma follows later", extra={"fields": {"reason": str(error)}})
    return Forgotten(
        **_describe(dependencies, extent).model_dump(),
        forgotten_id=tombstone.id,
        forgotten_at=tombstone.forgotten_at,
        erased=False,
    )


def take_back(dependencies: Dependencies, forgotten_id: UUID) -> None:
    """Let the contents of a forgotten document be read again, where their files still exist.

    Raises:
        NotForgottenError: there is none of this id.
        UnavailableError: the database cannot be used.
    """
    if not remove_tombstone(dependencies.pool, forgotten_id):
        raise NotForgottenError(
            f"forgotten document {forgotten_id}: found none, expected one of the list", "Read the list again."
        )
    log.info("Taken back", extra={"fields": {"forgotten": forgotten_id}})


def _gone(name: str) -> NoDocumentError:
    return NoDocumentError(f"document {name!r}: found none, it was forgotten just now", "There is nothing left to do.")


def _describe(dependencies: Dependencies, extent: Extent) -> Preview:
    path, now = dependencies.settings.backup_status, datetime.now(UTC)
    holding = held(backups.read(path) if path else None, path is not None, extent.observed, now)
    document = extent.row
    return Preview(
        document_id=document["id"],
        source=document["source"],
        path=document["path"],
        deleted=document["deleted_at"],
        observed=document["observed"],
        versions=document["versions"],
        passages=len(extent.own),
        shared=len(extent.shared),
        shared_with=extent.shared_with,
        backups=holding,
        remains=list(_remains(extent, holding, now)),
    )


def _remains(extent: Extent, holding: Backups, now: datetime) -> Iterator[str]:
    """Yield what forgetting does not reach, a sentence or two each."""
    if extent.row["deleted_at"] is None:
        yield (
            "The file stays on the share. It is not read again while its content is the same, wherever it lies; "
            "delete it there if it has to go. A changed file is read as a new document."
        )
    if extent.shared_with:
        count = len(extent.shared)
        yield (
            f"{count} {'passage is' if count == 1 else 'passages are'} also in other documents and "
            f"{'stays' if count == 1 else 'stay'} there: forget these documents too if the text has to go."
        )
    yield from _backups_that_remain(holding, now)
    yield "Snapshots of the NAS may hold the file and older backups. Logs may name the path, but hold no text."
    yield "The files of Chroma may keep the numbers of its vectors, without any text, until its folder is emptied."


def _backups_that_remain(holding: Backups, now: datetime) -> Iterator[str]:
    again = "A restore from one of them brings the document back; forget it again then."
    if holding.state == "unknown":
        yield f"It is not known which backups hold it. {again}"
    elif holding.made:
        count, last = len(holding.made), until(holding)
        when = "" if last is None else f" The rules remove the last of them {_when(last, now)}, if backups go on."
        yield f"{count} {'backup holds' if count == 1 else 'backups hold'} it.{when} {again}"
    if holding.copies:
        yield f"The copies of the backups ({', '.join(holding.copies)}) have rules of their own and may hold it longer."
    if holding.state != "none":
        yield "Reports of drills, beside the backups, may quote a sentence of it."


def _when(moment: datetime, now: datetime) -> str:
    return f"about {day_of(moment)}" if moment > now else "with the next backups"
