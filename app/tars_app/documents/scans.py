# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of scanned pages in PostgreSQL: which wait for their recognition, and what it gave.

Each function is one transaction. It raises UnavailableError where the database cannot be used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

from psycopg import Connection

from tars_app.adapters.postgres import Pool
from tars_app.documents.model import Task
from tars_app.documents.parsers.model import Parsed, RecognizedPage, Section, pages_without_text, ranges
from tars_app.documents.passages import PlacedPassage
from tars_app.kit.text import storable

POSTPONED = "1 minute"
"""After a failure that the page did not cause, and while the file on the share is another one."""

MOST_FAILED = 20
_NAMED = 5
"""Pages of attachments in a note."""
GIVEN_UP = f"{MOST_FAILED} pages before it failed."

# Where many pages failed, the others are not tried: each may take minutes.
_GIVE_UP = """
WITH given_up AS (
    UPDATE recognitions r SET remaining = '{}'
    FROM recognitions old
    WHERE r.version_id = %(version)s AND old.version_id = r.version_id AND %(most)s <= (
        SELECT count(*) FROM recognized_pages p WHERE p.version_id = r.version_id AND p.error IS NOT NULL)
    RETURNING old.version_id, old.remaining)
INSERT INTO recognized_pages (version_id, page, error)
SELECT version_id, unnest(remaining), %(why)s FROM given_up
"""
# Those of the shares as they are now come first, of these what a person asked for or just added, then those with the
# fewest pages left.
_NEXT = """
SELECT r.version_id, r.scanned, r.remaining, r.pages, r.date, r.dated_by, r.notes, r.attempts AS page_attempts,
       d.id AS document_id, s.root, d.path, v.sha256, v.seen_from, v.seen_to IS NOT NULL AS earlier, v.error,
       v.state = 'indexed' AS is_answered
FROM recognitions r JOIN versions v ON v.id = r.version_id JOIN documents d ON d.id = v.document_id
JOIN sources s ON s.name = d.source LEFT JOIN volatile.queued q ON q.version_id = v.id
WHERE s.available AND v.state <> 'failed' AND coalesce(r.not_before <= now(), true)
    AND (v.seen_to IS NULL AND d.deleted_at IS NULL OR v.seen_to IS NOT NULL AND v.snapshot IS NOT NULL)
ORDER BY v.seen_to IS NOT NULL, coalesce(q.queued_at = '-infinity', false) DESC,
    v.modified > v.seen_from - interval '1 hour' DESC, cardinality(r.remaining), v.seen_from, r.version_id
LIMIT 1
"""
# Their files were replaced or deleted before they were recognised.
_LOST = """
DELETE FROM recognitions r USING versions v JOIN documents d ON d.id = v.document_id
WHERE v.id = r.version_id
    AND (v.state = 'failed' OR v.snapshot IS NULL AND (v.seen_to IS NOT NULL OR d.deleted_at IS NOT NULL))
RETURNING r.version_id, r.scanned, r.pages, r.notes
"""
_PASSAGES = """
SELECT u.page, u.before, p.text, u.after, u.label, p.header AS section_header
FROM version_texts t CROSS JOIN LATERAL unnest(t.hashes, t.pages, t.labels, t.before, t.after)
    WITH ORDINALITY AS u (hash, page, label, before, after, ordinal)
JOIN passages p ON p.hash = u.hash WHERE t.version_id = %s ORDER BY u.ordinal
"""


@dataclass(frozen=True)
class Scan:
    """A version with scanned pages, of which some remain to be recognised.

    `parsed` is what its file gave without them. `page_attempts` counts those of the next page. `is_answered` states
    whether questions are answered from its other pages already.
    """

    task: Task
    parsed: Parsed
    remaining: list[int]
    page_attempts: int
    is_answered: bool


@dataclass(frozen=True)
class Outcome:
    """What the recognition of a version's pages gave: those with text, without any, and with the reason why not."""

    sections: list[Section]
    empty: list[int]
    failed: dict[int, str]


def add(pool: Pool, task: Task, parsed: Parsed) -> None:
    """Let the pages of a version that has no other text be recognised. It is not read again until then."""
    with pool.connection() as connection:
        record(connection, task.version_id, parsed)
        connection.execute("DELETE FROM volatile.queued WHERE version_id = %s", (task.version_id,))


def record(connection: Connection[dict[str, Any]], version_id: UUID, parsed: Parsed) -> None:
    """Record the scanned pages of a version. Those of another version with the same content count for it too."""
    connection.execute("DELETE FROM recognized_pages WHERE version_id = %s AND error IS NOT NULL", (version_id,))
    connection.execute(
        """INSERT INTO recognized_pages (version_id, page, text, boxes)
           SELECT DISTINCT ON (p.page) own.id, p.page, p.text, p.boxes
           FROM versions own JOIN versions v ON v.sha256 = own.sha256 AND v.id <> own.id
           JOIN recognized_pages p ON p.version_id = v.id
           WHERE own.id = %s AND p.error IS NULL AND p.page = ANY(%s) ON CONFLICT DO NOTHING""",
        (version_id, parsed.scanned),
    )
    connection.execute(
        """INSERT INTO recognitions (version_id, scanned, remaining, pages, date, dated_by, notes)
           SELECT id, %(scanned)s::integer[], ARRAY(
                      SELECT page FROM unnest(%(scanned)s::integer[]) AS s (page) WHERE NOT EXISTS (
                          SELECT FROM recognized_pages p WHERE p.version_id = v.id AND p.page = s.page) ORDER BY page),
                  %(pages)s, %(date)s, %(dated_by)s, %(notes)s
           FROM versions v WHERE id = %(version)s
           ON CONFLICT (version_id) DO UPDATE SET scanned = excluded.scanned, remaining = excluded.remaining,
               pages = excluded.pages, date = excluded.date, dated_by = excluded.dated_by, notes = excluded.notes""",
        {
            "version": version_id,
            "scanned": parsed.scanned,
            "pages": parsed.pages,
            "date": parsed.date,
            "dated_by": parsed.dated_by,
            "notes": parsed.notes,
        },
    )


def finish(connection: Connection[dict[str, Any]], version_id: UUID) -> None:
    """Record that the version has its text: none of its pages waits."""
    connection.execute("DELETE FROM recognitions WHERE version_id = %s", (version_id,))


def next_scan(pool: Pool) -> Scan | None:
    """Return the version whose next page is to be recognised, None where no page waits."""
    with pool.connection() as connection:
        row = connection.execute(_NEXT).fetchone()
    if row is None:
        return None
    task = Task(
        row["version_id"],
        row["document_id"],
        Path(row["root"]),
        row["path"],
        row["sha256"],
        row["seen_from"],
        0,
        row["error"],
        row["earlier"],
    )
    parsed = Parsed([], row["date"], row["dated_by"], row["notes"], row["scanned"], row["pages"])
    return Scan(task, parsed, row["remaining"], row["page_attempts"], row["is_answered"])


def note_page(pool: Pool, version_id: UUID, page: int, result: RecognizedPage | str) -> None:
    """Record the text of a page, or the reason why it cannot be recognised."""
    recognized = RecognizedPage("", b"") if isinstance(result, str) else result
    error = storable(result) if isinstance(result, str) else None
    with pool.connection() as connection:
        connection.execute(
            """INSERT INTO recognized_pages (version_id, page, text, boxes, error)
               SELECT version_id, %(page)s, %(text)s, %(boxes)s, %(error)s FROM recognitions
               WHERE version_id = %(version)s ON CONFLICT DO NOTHING""",
            {
                "version": version_id,
                "page": page,
                "text": recognized.text,
                "boxes": recognized.boxes,
                "error": error,
            },
        )
        connection.execute(
            """UPDATE recognitions SET remaining = array_remove(remaining, %s), attempts = 0, not_before = NULL
               WHERE version_id = %s""",
            (page, version_id),
        )
        if error:
            connection.execute(_GIVE_UP, {"version": version_id, "most": MOST_FAILED, "why": GIVEN_UP})


def postpone(pool: Pool, version_id: UUID, counts: bool) -> None:
    """Try the next page of a version again later; `counts`: this was an attempt of it that failed."""
    with pool.connection() as connection:
        connection.execute(
            f"""UPDATE recognitions SET not_before = now() + interval '{POSTPONED}', attempts = attempts + %s
                WHERE version_id = %s""",  # noqa: S608  a constant
            (int(counts), version_id),
        )


def drop_lost(pool: Pool) -> None:
    """Forget the pages that can no longer be recognised, and note beside their versions that they have no text."""
    with pool.connection() as connection:
        for row in connection.execute(_LOST).fetchall():
            note = " ".join([pages_without_text(row["scanned"], row["pages"]), *row["notes"]])
            connection.execute(
                "UPDATE versions SET index_note = %s WHERE id = %s AND state = 'indexed'", (note, row["version_id"])
            )


def read_outcome(pool: Pool, scan: Scan, places: Mapping[int, Section]) -> tuple[list[PlacedPassage], Outcome]:
    """Return the passages that a version has without its scanned pages, and these pages.

    `places` are those of pages of attachments, as in `Parsed`, by their numbers.
    """
    with pool.connection() as connection:
        passages = [PlacedPassage(**row) for row in connection.execute(_PASSAGES, (scan.task.version_id,))]
        rows = connection.execute(
            "SELECT page, text, error FROM recognized_pages WHERE version_id = %s ORDER BY page",
            (scan.task.version_id,),
        ).fetchall()
    rows = [row for row in rows if row["page"] in set(scan.parsed.scanned)]
    sections = [
        replace(places.get(row["page"], Section(row["page"], "", f"page {row['page']}, recognised")), text=row["text"])
        for row in rows
        if row["text"]
    ]
    failed = {row["page"]: row["error"] for row in rows if row["error"]}
    empty = [row["page"] for row in rows if not row["text"] and not row["error"]]
    return passages, Outcome(sections, empty, failed)


def waiting_note(parsed: Parsed) -> str:
    """Return the note beside a version of which scanned pages are not recognised yet."""
    if parsed.places:
        return f"Not recognised yet: {_labels([place.label for place in parsed.places])}."
    are = "is scanned and has" if len(parsed.scanned) == 1 else "are scanned and have"
    return f"{len(parsed.scanned)} of {parsed.pages} pages {are} no text yet: {ranges(parsed.scanned)}."


def final_notes(parsed: Parsed, outcome: Outcome, places: Mapping[int, Section]) -> list[str]:
    """Return the notes beside a version whose scanned pages are recognised, on those of which there is no text."""
    notes = []
    if outcome.empty and places:
        notes.append(f"No text was recognised in {_named(outcome.empty, places)}.")
    elif outcome.empty:
        notes.append(pages_without_text(outcome.empty, parsed.pages))
    by_reason: dict[str, list[int]] = {}
    for page, reason in outcome.failed.items():
        by_reason.setdefault(reason, []).append(page)
    return notes + [f"{_named(pages, places)} could not be recognised: {reason}" for reason, pages in by_reason.items()]


def _named(pages: Sequence[int], places: Mapping[int, Section]) -> str:
    """Return what pages are called in a note."""
    if not places:
        return f"Page{'s' if len(pages) > 1 else ''} {ranges(pages)}"
    return _labels([places[page].label if page in places else f"page {page}" for page in pages])


def _labels(labels: Sequence[str]) -> str:
    more = f" and {len(labels) - _NAMED} more" if len(labels) > _NAMED else ""
    return "; ".join(label.removesuffix(", recognised") for label in labels[:_NAMED]) + more


def recognized_page(pool: Pool, version_id: UUID, page: int) -> RecognizedPage | None:
    """Return a page of a version that was recognised, None for another one."""
    with pool.connection() as connection:
        row = connection.execute(
            "SELECT text, boxes FROM recognized_pages WHERE version_id = %s AND page = %s AND error IS NULL",
            (version_id, page),
        ).fetchone()
    return RecognizedPage(row["text"], row["boxes"]) if row else None
