# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of what a scan came upon beside the documents: files that are not read yet, not readable, or ignored.

It is replaced by each scan, and lies in the schema `volatile`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from tars_app.adapters.postgres import Pool

FOUND, WRITING, UNREADABLE = "found", "writing", "unreadable"
"""Why an entry is not on record as a document, beside the reasons of `mounts` and `ignored_names`."""

Entries = Mapping[str, tuple[str, str | None]]
"""Why each entry is not read, with the reason of the operating system where it has one, by path."""

_REMOVE = """
DELETE FROM volatile.entries e USING unnest(%s::text[]) AS gone (path)
WHERE e.source = %s AND md5(e.path) = md5(gone.path) AND e.path = gone.path
"""
_ADD = """
INSERT INTO volatile.entries (source, path, because, detail)
SELECT %s, path, because, detail FROM unnest(%s::text[], %s::text[], %s::text[]) AS new (path, because, detail)
ON CONFLICT (source, md5(path)) DO UPDATE SET because = excluded.because, detail = excluded.detail
"""


def note_entries(pool: Pool, source: str, entries: Entries, more_ignored: int = 0) -> None:
    """Record the entries of a source in place of those of its last scan. Nothing is written where they are the same."""
    listed = "\0".join(f"{path}\0{because}\0{detail}" for path, (because, detail) in sorted(entries.items()))
    digest = hashlib.sha256(f"{more_ignored}\0{listed}".encode()).digest()
    with pool.connection() as connection:
        same = "SELECT FROM volatile.listings WHERE source = %s AND digest = %s"
        if connection.execute(same, (source, digest)).fetchone() is not None:
            return
        rows = connection.execute("SELECT path, because, detail FROM volatile.entries WHERE source = %s", (source,))
        recorded = {row["path"]: (row["because"], row["detail"]) for row in rows}
        connection.execute(_REMOVE, ([path for path in recorded if path not in entries], source))
        new = [(path, *entry) for path, entry in entries.items() if recorded.get(path) != entry]
        if new:
            connection.execute(_ADD, (source, *map(list, zip(*new, strict=True))))
        connection.execute(
            """INSERT INTO volatile.listings (source, digest, more_ignored) VALUES (%s, %s, %s)
               ON CONFLICT (source) DO UPDATE
                   SET digest = excluded.digest, more_ignored = excluded.more_ignored""",
            (source, digest, more_ignored),
        )
