# SPDX-License-Identifier: GPL-3.0-or-later
"""Which versions a question is about: those that documents are answered from now, or those that existed at a time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from psycopg import Connection

from tars_app.adapters.read_cache import STATE, ReadCache, state_of
from tars_app.kit.errors import RefusedError

# A document of a restored database may have been deleted since the backup.
CONFIRMED = """(EXISTS (SELECT FROM volatile.scans s WHERE s.source = d.source)
    OR v.seen_from >= (SELECT created_at FROM volatile.origin))"""
_CURRENT = f"""
SELECT string_agg(uuid_send(v.id), ''::bytea ORDER BY v.id) AS ids, 0 AS unread,
       (SELECT count(*) FROM document_paths) AS named
FROM documents d JOIN versions v ON v.id = d.answered_from WHERE {CONFIRMED}
"""  # noqa: S608  constants
AT = f"""v.seen_from <= %(at)s AND (v.seen_to > %(since)s OR v.seen_to IS NULL AND {CONFIRMED})"""
"""Whether version v of document d existed at some time from `since` to `at`, which may be the same."""
_BEGINS = "(SELECT min(seen_from) FROM versions) AS observed, (SELECT kept_since FROM version_retention) AS kept_since"
_PAST = f"""
SELECT {_BEGINS}, string_agg(uuid_send(v.id), ''::bytea ORDER BY v.id) FILTER (WHERE t.version_id IS NOT NULL) AS ids,
       count(*) FILTER (WHERE t.version_id IS NULL) AS unread,
       (SELECT count(*) FROM document_paths h WHERE h.seen_from <= %(at)s) AS named
FROM versions v JOIN documents d ON d.id = v.document_id LEFT JOIN version_texts t ON t.version_id = v.id
WHERE {AT}
"""  # noqa: S608  constants
_LAST_MOMENT = f"""
SELECT {STATE}, greatest((SELECT max(seen_from) FROM versions WHERE seen_from <= %(at)s),
                (SELECT max(seen_to) FROM versions WHERE seen_to <= %(at)s),
                (SELECT max(seen_from) FROM document_paths WHERE seen_from <= %(at)s)) AS moment
"""  # noqa: S608  constants
"""The last time at which something was observed, until a time. Nothing differs between the two."""


@dataclass(frozen=True)
class Beginning:
    """When the history begins, None without one; `removed`: because earlier versions are no longer kept."""

    at: datetime | None
    removed: bool = False

    def check(self, moment: datetime) -> datetime:
        """Return when the history begins. Raises NoHistoryError if the moment lies before it."""
        if self.at is None or moment < self.at:
            raise NoHistoryError(self)
        return self.at


class NoHistoryError(RefusedError):
    """There is no history of the time asked for. `begins` is when the history begins, None without one."""

    code = "no_history"

    def __init__(self, beginning: Beginning) -> None:
        self.begins = beginning.at
        self.understood: Any = None  # the time that was read from the question, where it was
        begins = self.begins and f"{self.begins.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        if begins is None:
            message = "There is no history yet: no document has been read."
        elif beginning.removed:
            message = f"The history before {begins} is no longer kept."
        else:
            message = f"There is no history before {begins}."
        super().__init__(message, "Ask about a later time.", history_begins=self.begins and self.begins.isoformat())


@dataclass(frozen=True)
class TimeAsked:
    """Times that are asked about, when the history begins, and how many versions of then have no text on record.

    The versions are those that existed at some time from `since` to `at`, which are mostly the same.

    A version has none if it could not be read, was replaced before it was read, or before histories were kept.
    """

    since: datetime
    at: datetime
    history_begins: datetime
    unread: int


@dataclass(frozen=True)
class Visible:
    """The ids of versions, in order, one after the other (16 bytes each), and the time, None for now.

    `named` is how often a document had been given a name until then: where it is the same, so are the names. `state` is
    that of the database when the question began.
    """

    ids: bytes
    past: TimeAsked | None
    named: int
    state: str


def read_beginning(connection: Connection[dict[str, Any]]) -> Beginning:
    """Return when the history begins: with the first observation, or where versions were removed, with their end."""
    [row] = connection.execute(f"SELECT {_BEGINS}").fetchall()
    return _beginning_of(row)


def _beginning_of(row: dict[str, Any]) -> Beginning:
    return Beginning(row["kept_since"] or row["observed"], removed=row["kept_since"] is not None)


def visible_versions(
    connection: Connection[dict[str, Any]],
    at: datetime | None,
    since: datetime | None = None,
    cache: ReadCache | None = None,
) -> Visible:
    """Return the versions that documents are answered from now, or that existed at a time and have text on record.

    With `since`, those that existed at some time between the two. With a cache, they are read again only where the
    database has changed since; all times between two observations share what is read.

    Raises:
        NoHistoryError: nothing had been observed at that time, or it is no longer kept.
    """
    cache = cache or ReadCache()
    if at is None:
        state = state_of(connection)
        row = cache.get(connection, "current", lambda reading: _read(reading, _CURRENT, None, None), state)
        return Visible(row["ids"] or b"", None, row["named"], state)
    [last] = connection.execute(_LAST_MOMENT, {"at": at}).fetchall()
    state = last["state"]
    first, until = (last["moment"] or at,) * 2 if since in (None, at) else (since, at)
    row = cache.get(connection, (first, until), lambda reading: _read(reading, _PAST, until, first), state)
    # Of the same statement as the versions: what is removed is refused, not left out.
    begins = _beginning_of(row).check(at)
    return Visible(row["ids"] or b"", TimeAsked(since or at, at, begins, row["unread"]), row["named"], state)


def _read(
    connection: Connection[dict[str, Any]], query: str, at: datetime | None, since: datetime | None
) -> dict[str, Any]:
    with connection.cursor(binary=True) as cursor:
        [row] = cursor.execute(query, {"at": at, "since": since}).fetchall()
    return row
