# SPDX-License-Identifier: GPL-3.0-or-later
"""The places of passages: the documents and versions that contain them, with section and position."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from psycopg import Connection

from tars_app.adapters.postgres import Pool
from tars_app.documents.cells import cell_place, is_sheet
from tars_app.documents.model import NO_PAGE
from tars_app.documents.recorded_paths import place_at
from tars_app.documents.visible import CONFIRMED
from tars_app.retrieval.schemas import OtherPlace, Superseded
from tars_app.retrieval.successors import superseded

CONTEXT_CHARACTERS = 400
"""How much of the section is shown before and after a passage."""
PLACE_ID = r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.[1-9][0-9]{0,8}$"
"""The id of a version and the number of the passage in it, from 1."""
_NEIGHBOURS = 20
"""Two passages in succession have at least 20 words together (settings.chunk_words), so that these fill the context."""

_COLUMNS = """p.hash, p.text, p.header, d.id AS document_id, v.id AS version_id, place.source, place.path, v.modified,
       v.seen_from AS observed, v.dated, nullif(v.dated_by, 'none') AS dated_by, v.index_note AS note,
       v.seen_to IS NOT NULL AS replaced"""
_FOUND = f"""
SELECT {_COLUMNS}, w.ordinal,
       nullif(t.pages[w.ordinal], %(no_page)s) AS page, t.labels[w.ordinal] AS label
FROM unnest(%(hashes)s::bytea[], %(versions)s::uuid[], %(ordinals)s::integer[]) AS w (hash, version_id, ordinal)
JOIN passages p ON p.hash = w.hash
JOIN version_texts t ON t.version_id = w.version_id
JOIN versions v ON v.id = w.version_id
JOIN documents d ON d.id = v.document_id
CROSS JOIN LATERAL {place_at("coalesce(%(at)s::timestamptz, 'infinity')")} AS place
ORDER BY v.modified DESC, place.source, place.path, v.seen_from DESC
"""  # noqa: S608  constants
_MATCHING = """
SELECT p.hash FROM passages p
WHERE p.hash = ANY(%(hashes)s) AND p.terms @@ websearch_to_tsquery(p.language, %(phrase)s)
"""
# A version that was replaced has the last path of its time.
_OPENED = f"""
SELECT {_COLUMNS}, %(ordinal)s::integer AS ordinal, nullif(t.pages[%(ordinal)s], %(no_page)s) AS page,
       t.labels[%(ordinal)s] AS label
FROM version_texts t
JOIN passages p ON p.hash = t.hashes[%(ordinal)s]
JOIN versions v ON v.id = t.version_id
JOIN documents d ON d.id = v.document_id
CROSS JOIN LATERAL {place_at("coalesce(v.seen_to - interval '1 microsecond', 'infinity')")} AS place
WHERE v.id = coalesce((SELECT id FROM versions WHERE former_id = %(version)s), %(version)s::uuid)
    AND (v.seen_to IS NOT NULL AND d.answered_from IS DISTINCT FROM v.id OR {CONFIRMED})
"""  # noqa: S608  constants
_UNCONFIRMED = f"""
SELECT DISTINCT d.source FROM documents d JOIN versions v ON v.id = d.answered_from
WHERE NOT {CONFIRMED} ORDER BY d.source
"""  # noqa: S608  constants
_AROUND = """
SELECT n.ordinal, n.before, p.text, n.after
FROM version_texts t
CROSS JOIN LATERAL (
    SELECT hash, page, before, after, ordinal + %(first)s - 1 AS ordinal
    FROM unnest(t.hashes[%(first)s:%(last)s], t.pages[%(first)s:%(last)s],
                t.before[%(first)s:%(last)s], t.after[%(first)s:%(last)s])
         WITH ORDINALITY AS element (hash, page, before, after, ordinal)) n
JOIN passages p ON p.hash = n.hash
WHERE t.version_id = %(version)s AND n.page = t.pages[%(ordinal)s]
ORDER BY n.ordinal
"""
_BEFORE = """
SELECT coalesce(sum(length(piece) - length(replace(piece, E'\\n', ''))), 0)::integer AS lines,
       coalesce(string_agg(piece, '' ORDER BY ordinal) FILTER (WHERE ordinal > %(ordinal)s - %(near)s), '') AS near
FROM (SELECT ordinal, e.before || CASE WHEN ordinal < %(ordinal)s THEN p.text || e.after ELSE '' END AS piece
      FROM version_texts t
      CROSS JOIN LATERAL unnest(t.hashes, t.pages, t.before, t.after)
          WITH ORDINALITY AS e (hash, page, before, after, ordinal)
      JOIN passages p ON p.hash = e.hash
      WHERE t.version_id = %(version)s AND e.page = t.pages[%(ordinal)s] AND ordinal <= %(ordinal)s) AS section
"""


@dataclass(frozen=True)
class Passage:
    """A passage and its place: number `ordinal`, from 1, of the passages of a version.

    `page` is the number of its section, None for a text without places, `label` that section as people see it, and
    `header` what belongs to the passage without standing in it. `score` is 0..1. `modified` is the time of the file,
    `observed` when this content was first seen, `dated` the date that the document claims, and `dated_by` where it
    stands. `note` states what was not read of the version, `replaced` that it is not the latest one. `also_in` are the
    other documents that contain the passage, `superseded` is what took its place since.
    """

    hash: bytes
    document_id: UUID
    version_id: UUID
    ordinal: int
    source: str
    path: str
    page: int | None
    modified: datetime
    observed: datetime
    dated: str | None
    dated_by: str | None
    text: str
    score: float
    label: str = ""
    header: str = ""
    note: str | None = None
    replaced: bool = False
    also_in: tuple[OtherPlace, ...] = ()
    superseded: Superseded | None = None

    @property
    def title(self) -> str:
        """The name of the file."""
        return self.path.rsplit("/", 1)[-1]

    @property
    def heading(self) -> str:
        """The path and the header: what may support an answer, but is not quoted."""
        return f"{self.path}\n{self.header}" if self.header else self.path

    @property
    def day(self) -> str:
        """The date that the document claims, else the day of its file's time (UTC)."""
        return self.dated or self.modified.astimezone(UTC).date().isoformat()

    @property
    def chunk_id(self) -> str:
        """Names the place for ever: the text of a version never changes."""
        return f"{self.version_id}.{self.ordinal}"


def matching(connection: Connection[dict[str, Any]], scores: Mapping[bytes, float], phrase: str) -> dict[bytes, float]:
    """Return those of the passages, in their order, that match the syntax of a web search."""
    rows = connection.execute(_MATCHING, {"hashes": list(scores), "phrase": phrase}).fetchall()
    hashes = {row["hash"] for row in rows}
    return {value: score for value, score in scores.items() if value in hashes}


def load_passages(
    connection: Connection[dict[str, Any]],
    places: Mapping[bytes, Sequence[tuple[UUID, int]]],
    scores: Mapping[bytes, float],
    at: datetime | None = None,
) -> dict[bytes, Passage]:
    """Return the passages at these places (by hash: versions, and the number in each).

    Each is at its place in the document whose file was changed last, and names the others. Paths are those at the
    time `at`; None: now.
    """
    flat = [(value, version, ordinal) for value, of_hash in places.items() for version, ordinal in of_hash]
    parameters = {
        "hashes": [place[0] for place in flat],
        "versions": [place[1] for place in flat],
        "ordinals": [place[2] for place in flat],
        "at": at,
        "no_page": NO_PAGE,
    }
    rows = connection.execute(_FOUND, parameters).fetchall()
    # Of a period, several versions of one document may contain it.
    of_hash: dict[bytes, dict[UUID, dict[str, Any]]] = {}
    for row in rows:
        of_hash.setdefault(row["hash"], {}).setdefault(row["document_id"], row)
    passages: dict[bytes, Passage] = {}
    for value, of_document in of_hash.items():
        first, *others = of_document.values()
        also_in = tuple(OtherPlace(**{name: row[name] for name in OtherPlace.model_fields}) for row in others)
        passages[value] = Passage(**first, score=scores[value], also_in=also_in)
    return passages


def note_superseded(connection: Connection[dict[str, Any]], passages: Sequence[Passage]) -> list[Passage]:
    """Return the passages, each with what took its place where its document does not contain it any more."""
    replaced = [number for number, passage in enumerate(passages) if passage.replaced]
    places = [(passages[at].hash, passages[at].version_id, passages[at].ordinal) for at in replaced]
    later = superseded(connection, places) if places else {}
    noted = {replaced[index]: replace(passages[replaced[index]], superseded=value) for index, value in later.items()}
    return [noted.get(number, passage) for number, passage in enumerate(passages)]


def open_passage(pool: Pool, chunk_id: str) -> tuple[Passage, str, str] | None:
    """Return the passage at a place, and the text of its section before and after it; None where there is none.

    It may be one of a version that was replaced, or whose document was deleted.
    """
    version, ordinal = chunk_id.split(".")
    parameters = {"version": version, "ordinal": int(ordinal), "no_page": NO_PAGE}
    with pool.connection() as connection:
        row = connection.execute(_OPENED, parameters).fetchone()
        if row is None:
            return None
        [passage] = note_superseded(connection, [Passage(**row, score=1.0)])
        before, after = _context(connection, passage.version_id, passage.ordinal)
    return passage, before, after


def _context(connection: Connection[dict[str, Any]], version: UUID, ordinal: int) -> tuple[str, str]:
    before, after = text_around(connection, version, ordinal)
    return before[-CONTEXT_CHARACTERS:], after[:CONTEXT_CHARACTERS]


def text_around(connection: Connection[dict[str, Any]], version: UUID, ordinal: int) -> tuple[str, str]:
    """Return the text of a section before and after one of its passages, as far as its neighbours have it."""
    first, last = max(1, ordinal - _NEIGHBOURS), ordinal + _NEIGHBOURS
    parameters = {"version": version, "ordinal": ordinal, "first": first, "last": last}
    rows = connection.execute(_AROUND, parameters).fetchall()
    before = "".join(row["before"] + row["text"] + row["after"] for row in rows if row["ordinal"] < ordinal)
    after = "".join(row["before"] + row["text"] + row["after"] for row in rows if row["ordinal"] > ordinal)
    own = next(row for row in rows if row["ordinal"] == ordinal)
    return before + own["before"], own["after"] + after


def place_of_quotation(connection: Connection[dict[str, Any]], passage: Passage, quotation: str, start: int) -> str:
    """Return the place of what stands in a passage from character `start` on, as people see it.

    It is the label of the passage's section; in a sheet, also the row and the columns.
    """
    if not is_sheet(passage.label):
        return passage.label
    lines, line = lines_before(connection, passage)
    before = "\n" * lines + line + passage.text[:start]
    return f"{passage.label}, {cell_place(before, quotation, passage.header)}"


def lines_before(connection: Connection[dict[str, Any]], passage: Passage) -> tuple[int, str]:
    """Return how many lines end before a passage in its section, and the begin of the line on which it begins."""
    parameters = {"version": passage.version_id, "ordinal": passage.ordinal, "near": _NEIGHBOURS}
    row = connection.execute(_BEFORE, parameters).fetchone() or {"lines": 0, "near": ""}
    return row["lines"], row["near"].rpartition("\n")[2]


def unconfirmed_sources(pool: Pool) -> list[str]:
    """Return the shares with documents that are not answered from before the first scan after a restore."""
    with pool.connection() as connection:
        return [row["source"] for row in connection.execute(_UNCONFIRMED)]


def place(passage: Passage) -> dict[str, object]:
    """Return the fields of `PassagePlace`."""
    names = (
        "chunk_id",
        "document_id",
        "version_id",
        "source",
        "path",
        "title",
        "page",
        "label",
        "note",
        "modified",
        "observed",
        "dated",
        "dated_by",
        "also_in",
        "superseded",
    )
    return {name: getattr(passage, name) for name in names}
