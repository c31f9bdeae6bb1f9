# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the text of a passage still stands in its document, and what took its place."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any
from uuid import UUID

from psycopg import Connection

from tars_app.retrieval.schemas import Superseded

# The first later version that has the passage no longer, or whose text is not on record though it is the latest one.
_SUPERSEDED = """
SELECT w.number, s.id AS version_id, coalesce(s.seen_from, d.deleted_at) AS at, coalesce(s.state, 'deleted') AS state,
       s.error
FROM unnest(%(hashes)s::bytea[], %(versions)s::uuid[]) WITH ORDINALITY AS w (hash, version_id, number)
JOIN versions own ON own.id = w.version_id
JOIN documents d ON d.id = own.document_id
LEFT JOIN LATERAL (
    SELECT v.id, v.seen_from, v.error, CASE WHEN t.version_id IS NULL THEN v.state ELSE 'changed' END AS state
    FROM versions v LEFT JOIN version_texts t ON t.version_id = v.id
    WHERE v.document_id = d.id AND v.seen_from > own.seen_from
        AND CASE WHEN t.version_id IS NULL THEN v.seen_to IS NULL ELSE NOT w.hash = ANY(t.hashes) END
    ORDER BY v.seen_from LIMIT 1) s ON true
WHERE own.seen_to IS NOT NULL AND (s.id IS NOT NULL OR d.deleted_at IS NOT NULL)
    AND NOT EXISTS (SELECT FROM versions o JOIN version_texts t ON t.version_id = o.id
                    WHERE o.document_id = d.id AND o.seen_to IS NULL AND w.hash = ANY(t.hashes))
"""
_WORD = re.compile(r"\w+")


Place = tuple[bytes, UUID, int]
"""A passage: its hash, a version that contains it, and its number there, from 1."""


@dataclass(frozen=True)
class _Replaced:
    """A passage at a place that another version replaced."""

    place: Place
    version_id: UUID


def superseded(connection: Connection[dict[str, Any]], places: Sequence[Place]) -> dict[int, Superseded]:
    """Return what took the place of passages, by their index in `places`.

    A passage that the latest version of its document contains is left out, also below another heading.
    """
    parameters = {"hashes": [place[0] for place in places], "versions": [place[1] for place in places]}
    rows = {row.pop("number") - 1: row for row in connection.execute(_SUPERSEDED, parameters).fetchall()}
    replaced = {
        index: _Replaced(places[index], row["version_id"]) for index, row in rows.items() if row["state"] == "changed"
    }
    successors, same = _successors(connection, replaced) if replaced else ({}, {})
    result = {index: Superseded(**row, chunk_id=successors.get(index)) for index, row in rows.items()}
    later = superseded(connection, list(same.values())) if same else {}
    for number, index in enumerate(same):
        del result[index]
        if number in later:
            result[index] = later[number]
    return result


def _successors(
    connection: Connection[dict[str, Any]], replaced: Mapping[int, _Replaced]
) -> tuple[dict[int, str], dict[int, Place]]:
    """Return the places of the passages that replaced these, and of those with the same text.

    One that was only removed is left out.
    """
    versions = {version for entry in replaced.values() for version in (entry.place[1], entry.version_id)}
    hashes = {
        row["version_id"]: row["hashes"]
        for row in connection.execute(
            "SELECT version_id, hashes FROM version_texts WHERE version_id = ANY(%s)", (list(versions),)
        )
    }
    candidates = {
        index: numbers for index, entry in replaced.items() if (numbers := _range_of(entry, hashes)) is not None
    }
    wanted = {replaced[index].place[0] for index in candidates}
    wanted |= {
        hashes[replaced[index].version_id][number] for index, numbers in candidates.items() for number in numbers
    }
    rows = connection.execute("SELECT hash, text FROM passages WHERE hash = ANY(%s)", (list(wanted),)).fetchall()
    texts = {row["hash"]: row["text"] for row in rows}
    words = {value: set(_WORD.findall(text.casefold())) for value, text in texts.items()}
    successors: dict[int, str] = {}
    same: dict[int, Place] = {}
    for index, numbers in candidates.items():
        entry = replaced[index]
        new, own = hashes[entry.version_id], entry.place[0]
        equal = (number for number in numbers if texts[new[number]] == texts[own])
        if (number := next(equal, None)) is not None:
            same[index] = (new[number], entry.version_id, number + 1)
            continue
        best = max(numbers, key=lambda number: _similarity(words[own], words[new[number]]))
        successors[index] = f"{entry.version_id}.{best + 1}"
    return successors, same


def _range_of(entry: _Replaced, hashes: Mapping[UUID, Sequence[bytes]]) -> range | None:
    """Return the numbers, from 0, of the passages in the other version that took the place of a passage."""
    _, own_version, ordinal = entry.place
    matcher = SequenceMatcher(None, hashes[own_version], hashes[entry.version_id], False)
    for _, own_start, own_end, start, end in matcher.get_opcodes():
        if own_start < ordinal <= own_end and start < end:
            return range(start, end)
    return None


def _similarity(words: set[str], others: set[str]) -> float:
    """Return the share of words that two texts have together."""
    return len(words & others) / max(1, len(words | others))
