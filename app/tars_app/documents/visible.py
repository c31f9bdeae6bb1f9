# SPDX-License-Identifier: GPL-3.0-or-later
"""Which versions a question is about: those that documents are answered from now, or those that existed at a time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from psycopg import Connection

from tars_app.kit.errors import RefusedError

# A document of a restored database may have been deleted since the backup.
CONFIRMED = """(EXISTS (SELECT FROM volatile.scans s WHERE s.source = d.source)
    OR v.seen_from >= (SELECT created_at FROM volatile.origin))"""
_CURRENT = f"""
SELECT string_agg(uuid_send(v.id), ''::bytea) AS ids, NULL::timestamptz AS begins, 0 AS unread
FROM documents d JOIN versions v ON v.id = d.answered_from WHERE {CONFIRMED}
"""  # noqa: S608  constants
AT = f"""v.seen_from <= %(at)s AND (v.seen_to > %(since)s OR v.seen_to IS NULL AND {CONFIRMED})"""
"""Whether version v of document d existed at some time from `since` to `at`, which may be the same."""
PATH_AT = """coalesce((SELECT h.path FROM document_paths h WHERE h.document_id = d.id AND h.seen_from <= {at}
                   ORDER BY h.seen_from DESC LIMIT 1), d.path) AS path"""
"""The path of document d at a time."""
_PAST = f"""
SELECT string_agg(uuid_send(v.id), ''::bytea) FILTER (WHERE t.version_id IS NOT NULL) AS ids,
       (SELECT min(seen_from) FROM versions) AS begins, count(*) FILTER (WHERE t.version_id IS NULL) AS unread
FROM versions v JOIN documents d ON d.id = v.document_id LEFT JOIN version_texts t ON t.version_id = v.id
WHERE {AT}
"""  # noqa: S608  constants
# The words are in the language of the passages, which changes for all of them at once.
_WORDS = """
SELECT language::text AS language, tsvector_to_array(to_tsvector(language, %(question)s)) AS words
FROM (SELECT coalesce((SELECT language FROM passages LIMIT 1), %(language)s::regconfig) AS language) AS passages
"""


class NoHistoryError(RefusedError):
    """Nothing had been observed yet at the time asked for. `begins` is when the history begins, None without one."""

    code = "no_history"

    def __init__(self, begins: datetime | None) -> None:
        self.begins = begins
        self.understood: Any = None  # the time that was read from the question, where it was
        moment = begins and begins.isoformat()
        if begins is None:
            message = "There is no history yet: no document has been read."
        else:
            message = f"There is no history before {begins.astimezone(UTC):%Y-%m-%d %H:%M} UTC."
        super().__init__(message, "Ask about a later time.", history_begins=moment)


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
    """The ids of versions, one after the other (16 bytes each), and the time, None for now."""

    ids: bytes
    past: TimeAsked | None


def visible_versions(
    connection: Connection[dict[str, Any]], at: datetime | None, since: datetime | None = None
) -> Visible:
    """Return the versions that documents are answered from now, or that existed at a time and have text on record.

    With `since`, those that existed at some time between the two.

    Raises:
        NoHistoryError: nothing had been observed at that time.
    """
    with connection.cursor(binary=True) as cursor:
        [row] = cursor.execute(_CURRENT if at is None else _PAST, {"at": at, "since": since or at}).fetchall()
    if at is None:
        return Visible(row["ids"] or b"", None)
    if row["begins"] is None or at < row["begins"]:
        raise NoHistoryError(row["begins"])
    return Visible(row["ids"] or b"", TimeAsked(since or at, at, row["begins"], row["unread"]))


def words_of(connection: Connection[dict[str, Any]], question: str, language: str) -> tuple[list[str], str]:
    """Return the words of a question, stemmed, and the text search configuration that the passages have.

    `language` is used where there are no passages.
    """
    [row] = connection.execute(_WORDS, {"question": question, "language": language}).fetchall()
    return row["words"], row["language"]
