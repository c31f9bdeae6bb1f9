# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the file of a version of a document, as it was when it was read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from tars_app.adapters.deadline import Deadline, LateError
from tars_app.adapters.mounts import ShareUnavailableError, reason, require_answer
from tars_app.dependencies import Dependencies
from tars_app.documents.lookup import find_document
from tars_app.kit.errors import RefusedError, UnavailableError
from tars_app.originals.files import ChangedError, OpenFile
from tars_app.originals.repository import Place, Version, load_version, version_at

_NAS_IS_OFF = "Check that the NAS is on and its share is mounted."
_ABSENT = "found no file, expected the one that was read: it was moved or deleted just now"
_SEARCH = "Wait a minute, until the share was scanned, and ask again."
T = TypeVar("T")


class NoOriginalError(RefusedError):
    """There is no such version of a document."""

    code = "no_original"


class GoneError(RefusedError):
    """The content of a version is on no share any more."""

    code = "original_gone"
    status = 410


class OriginalChangedError(RefusedError):
    """The file has another content than the one that was read."""

    code = "original_changed"
    status = 409


class UnreadableOriginalError(RefusedError):
    """The file cannot be opened."""

    code = "original_unreadable"
    status = 409


@dataclass(frozen=True)
class Opened:
    """A version, and an open file that has its content, or at least its size."""

    version: Version
    place: Place
    file: OpenFile

    def blocks(self) -> Iterator[bytes]:
        """Yield the content of the version. Raises ChangedError where the file has another one."""
        return self.file.verified_blocks(self.version.sha256 or "")


@dataclass(frozen=True)
class Originals:
    """The files of versions on the shares. Each call of a file has a deadline."""

    dependencies: Dependencies
    deadline: Deadline

    def find(self, version_id: UUID) -> Opened:
        """Return the file of a version, of which the size was compared with the record, and not yet the content.

        Raises:
            NoOriginalError: there is no such version, or its document was forgotten.
            GoneError: the version was replaced or deleted, and no file of the shares has its content.
            OriginalChangedError: the file was changed, and the worker has not read it again yet.
            UnreadableOriginalError: the file cannot be opened, as one that is a link now.
            UnavailableError: the share does not answer.
        """
        return self._first(version_id, lambda opened: opened)

    def version_of(self, name: str, at: datetime | None) -> UUID:
        """Return the version of a document (by its id, path or file name) at a time, None for the last one.

        Raises:
            NoDocumentError, SeveralDocumentsError: as `find_document`.
            NoOriginalError: the document did not exist at that time.
        """
        pool = self.dependencies.pool
        version = version_at(pool, find_document(pool, name), at)
        if version is None:
            raise NoOriginalError(
                f"document {name!r}: found no version of {at and self._day(at)}, expected one that existed then",
                "Its history lists the times of its versions.",
            )
        return version

    def verified(self, version_id: UUID) -> Opened:
        """Return the file of a version after all of it was compared with the record. Raises as `find`."""

        def verify(opened: Opened) -> Opened:
            for _ in opened.blocks():
                pass
            return opened

        return self._first(version_id, verify)

    def content(self, version_id: UUID) -> tuple[Opened, bytes]:
        """Return the file of a version with all of its content. Raises as `find`."""
        return self._first(version_id, lambda opened: (opened, b"".join(opened.blocks())))

    def _first(self, version_id: UUID, read: Callable[[Opened], T]) -> T:
        """Return what `read` returns for the first place at which the version's content is."""
        loaded = load_version(self.dependencies.pool, version_id)
        if loaded is None or loaded[0].sha256 is None:
            raise NoOriginalError(
                f"version {version_id}: found no content of it on record; it may have been forgotten",
                "Ask again, or find the document with /api/documents.",
            )
        version, places = loaded
        failures: list[RefusedError] = []
        for place in places:
            try:
                return self._read(version, place, read)
            except RefusedError as error:
                failures.append(error)
        # What became of a version that was replaced matters more than why a snapshot does not have it.
        is_elsewhere = places and places[0].snapshot is None
        raise failures[0] if failures and is_elsewhere else self._gone(version)

    def _read(self, version: Version, place: Place, read: Callable[[Opened], T]) -> T:
        try:
            require_mount = self.dependencies.settings.require_mount
            file = OpenFile(self.deadline, place.root, place.folder, place.path, require_mount)
            if file.size != version.size:
                raise ChangedError
            return read(Opened(version, place, file))
        except ChangedError:
            raise OriginalChangedError(
                f"{place.name}: the file has changed since: found another content, expected the one that was first "
                f"observed on {self._day(version.seen_from)}",
                "It is read again by itself within about a minute; then ask again.",
            ) from None
        except (ShareUnavailableError, LateError) as error:
            raise _unavailable(place, error) from error
        except OSError as error:
            raise self._refusal(place, error) from error

    def _refusal(self, place: Place, error: OSError) -> RefusedError | UnavailableError:
        try:
            self.deadline.call(lambda: require_answer(place.root, error))
        except (ShareUnavailableError, LateError) as failure:
            return _unavailable(place, failure)
        if isinstance(error, FileNotFoundError | NotADirectoryError):
            return GoneError(f"{place.name}: {_ABSENT}", _SEARCH)
        return UnreadableOriginalError(
            f"{place.name}: found a file that cannot be opened ({reason(error)}), expected the one that was read",
            "Let the account that mounts the share read it; replace a link by the file itself.",
        )

    def _gone(self, version: Version) -> GoneError:
        name = f"{version.source}/{version.path}"
        if version.seen_to is None:  # the share is not on record any more
            return GoneError(f"{name}: {_ABSENT}", _SEARCH)
        what = "was deleted" if version.is_deleted else "was replaced by another content"
        return GoneError(
            f"{name}: the file {what} on {self._day(version.seen_to)}, and no share has this version of it any more",
            "Its text is on record. A snapshot or a backup of the NAS may still hold the file.",
        )

    def _day(self, moment: datetime) -> str:
        return moment.astimezone(self.dependencies.zone).date().isoformat()


def _unavailable(place: Place, error: Exception) -> UnavailableError:
    why = "it has not answered in time" if isinstance(error, LateError) else str(error)
    return UnavailableError(f"The share {place.source} is not available: {why}.", _NAS_IS_OFF)
