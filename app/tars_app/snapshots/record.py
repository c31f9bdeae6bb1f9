# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of a share in memory, and how it changes when an observation of the past is added to it. Pure.

A share has the state of its last observation until the next one. An observation at a time T therefore replaces what is
on record from T until the next observation, and nothing else: the result does not depend on the order in which
observations are added.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID, uuid4

from tars_app.documents.tombstones import Forgotten


@dataclass(frozen=True)
class Content:
    """A content of a file. `sha256` is None where it could not be read, with the reason in `error`."""

    sha256: str | None
    error: str | None
    size: int
    modified: datetime
    time_note: str | None = None

    def equals(self, other: Content) -> bool:
        """Return whether a document that has the one has no new version with the other."""
        return self.sha256 == other.sha256 and bool(self.sha256 or self.error == other.error)


@dataclass
class Version:
    """A content of a document, and from and to when it was seen (None: it is the current one).

    `snapshot` names the snapshot in which it was first seen, None for the share itself. A version that is not in the
    database yet is read from a snapshot, or has the text of the version `copy_of`.
    """

    content: Content
    seen_from: datetime
    seen_to: datetime | None
    snapshot: str | None
    version_id: UUID = field(default_factory=uuid4)
    is_new: bool = True
    is_changed: bool = False
    copy_of: UUID | None = None

    def covers(self, moment: datetime) -> bool:
        """Return whether the document had this content at a time."""
        return self.seen_from <= moment and (self.seen_to is None or moment < self.seen_to)


@dataclass
class PathEntry:
    """A path that a document has from a time on. `recorded` is the time that the database has, None: none yet."""

    seen_from: datetime
    path: str
    recorded: datetime | None = None


@dataclass
class Document:
    """A document with its path, now or last, and its versions and paths in the order of time.

    A path in another share begins with `/`. `moved_to` is the share that the document is in now, if that is another.
    """

    path: str
    versions: list[Version] = field(default_factory=list)
    paths: list[PathEntry] = field(default_factory=list)
    document_id: UUID = field(default_factory=uuid4)
    is_new: bool = True
    moved_to: str | None = None

    def version_at(self, moment: datetime) -> Version | None:
        """Return the version that it had at a time; None where it did not exist."""
        number = bisect_right(self.versions, moment, key=lambda version: version.seen_from)
        version = self.versions[number - 1] if number else None
        return version if version and version.covers(moment) else None

    def first_after(self, moment: datetime) -> Version | None:
        """Return the first version that begins after a time."""
        number = bisect_right(self.versions, moment, key=lambda version: version.seen_from)
        return self.versions[number] if number < len(self.versions) else None

    def path_at(self, moment: datetime) -> str:
        """Return the path that it had at a time."""
        number = bisect_right(self.paths, moment, key=lambda entry: entry.seen_from)
        return self.paths[number - 1].path if number else self.path

    def next_event(self, moment: datetime, end: datetime) -> datetime:
        """Return when something changed on record for the first time after a time, at most `end`."""
        return min((event for event in self.events() if moment < event < end), default=end)

    def events(self) -> Iterator[datetime]:
        """Yield the times of all changes on record."""
        for version in self.versions:
            yield version.seen_from
            if version.seen_to:
                yield version.seen_to
        for entry in self.paths:
            yield entry.seen_from

    def place(self, path: str, begin: datetime, end: datetime) -> None:
        """Record its path from a time to another one. Nothing else changed in this period."""
        number = bisect_right(self.paths, begin, key=lambda entry: entry.seen_from)
        if number == 0 and self.paths and self.paths[0].path == path:
            self.paths[0].seen_from = begin
        elif number == 0 or self.paths[number - 1].path != path:
            later = self.path_at(end)
            insort(self.paths, PathEntry(begin, path), key=lambda entry: entry.seen_from)
            if number and later != path and all(entry.seen_from != end for entry in self.paths):
                insort(self.paths, PathEntry(end, later), key=lambda entry: entry.seen_from)

    def add(self, content: Content, begin: datetime, end: datetime, snapshot: str) -> None:
        """Record a content for a period in which there is none on record."""
        later = self.first_after(begin)
        if later and later.seen_from == end and later.content.equals(content):
            later.seen_from, later.snapshot, later.is_changed = begin, snapshot, True
        else:
            insort(self.versions, Version(content, begin, end, snapshot), key=lambda version: version.seen_from)

    def cut(self, begin: datetime, end: datetime, snapshot_at_end: str | None) -> None:
        """Remove what is on record for a period, in which one version was seen, since before its begin."""
        version = self.version_at(begin)
        if version is None:
            return
        if version.seen_to is None or version.seen_to > end:
            copy_of = version.copy_of if version.is_new else version.version_id
            before = Version(version.content, version.seen_from, begin, version.snapshot, copy_of=copy_of)
            # The later part stays the same version: the document may be answered from it.
            version.seen_from, version.snapshot = end, snapshot_at_end
            insort(self.versions, before, key=lambda version: version.seen_from)
        else:
            version.seen_to = begin
        version.is_changed = True


@dataclass
class Record:
    """The documents of a share, the names of the snapshots that were added, by their times, and what was forgotten."""

    documents: list[Document]
    snapshots: dict[datetime, str] = field(default_factory=dict)
    forgotten: Forgotten = field(default_factory=Forgotten)

    def has_event_at(self, moment: datetime) -> bool:
        """Return whether something on record happened at exactly this time."""
        return moment in self.snapshots or any(moment in document.events() for document in self.documents)

    def observe(
        self,
        moment: datetime,
        end: datetime,
        name: str,
        files: Mapping[str, Content],
        unknown: Callable[[str], bool] = lambda path: False,
    ) -> None:
        """Add the observation of all files of the share by a snapshot, which is valid until `end`.

        `moment` is the time of no other event. What is on record of a path that is `unknown` stays.
        """
        self.snapshots[moment] = name
        _Observation(self, moment, end, name, files, unknown).record()


class _Observation:
    """One observation while it is added."""

    def __init__(
        self,
        record: Record,
        moment: datetime,
        end: datetime,
        name: str,
        files: Mapping[str, Content],
        unknown: Callable[[str], bool],
    ) -> None:
        self._record = record
        self._moment = moment
        self._end = end
        self._name = name
        self._files = files
        self._present: dict[str, Document] = {}
        self._absent: dict[str, Document] = {}
        self._later: dict[str, Document] = {}
        for document in record.documents:
            if document.version_at(moment):
                path = document.path_at(moment)
                if not path.startswith("/"):  # the snapshot of a share shows nothing of the others
                    self._present[path] = document
                continue
            self._absent.setdefault(document.path, document)
            following = document.first_after(moment)
            if following and following.seen_from <= end:
                self._later[document.path_at(following.seen_from)] = document
        self._gone = {
            path: document for path, document in self._present.items() if path not in files and not unknown(path)
        }

    def record(self) -> None:
        for path, content in sorted(self._files.items()):
            if (document := self._present.get(path)) is not None:
                version = document.version_at(self._moment)
                if version and not version.content.equals(content):
                    end = self._cut(document)
                    document.add(content, self._moment, end, self._name)
            else:
                self._add(path, content)
        for document in self._gone.values():
            self._cut(document)

    def _add(self, path: str, content: Content) -> None:
        if path not in self._later and (renamed := self._take_renamed(content)) is not None:
            renamed.place(path, self._moment, renamed.next_event(self._moment, self._end))
            return
        document = self._later.get(path) or self._renamed_later(content) or self._absent.get(path)
        if document is None:
            document = Document(path)
            self._record.documents.append(document)
        for candidates in (self._later, self._absent):
            for other in [other for other, candidate in candidates.items() if candidate is document]:
                del candidates[other]
        end = document.next_event(self._moment, self._end)
        document.add(content, self._moment, end, self._name)
        document.place(path, self._moment, end)

    def _take_renamed(self, content: Content) -> Document | None:
        """Return the document with this content that had another path before, and take it."""
        for path, document in self._gone.items():
            version = document.version_at(self._moment)
            if content.sha256 and version and version.content.sha256 == content.sha256:
                del self._gone[path]
                return document
        return None

    def _renamed_later(self, content: Content) -> Document | None:
        """Return the document with this content that has another path afterwards."""
        for path, document in self._later.items():
            following = document.first_after(self._moment)
            same = following and content.sha256 and following.content.sha256 == content.sha256
            if same and path not in self._files:
                return document
        return None

    def _cut(self, document: Document) -> datetime:
        end = document.next_event(self._moment, self._end)
        document.cut(self._moment, end, self._record.snapshots.get(end))
        return end
