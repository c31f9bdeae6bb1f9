# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the text of a passage still stands in its document, and what took its place."""

from __future__ import annotations

import re
from collections.abc import Sequence
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


def superseded(
    connection: Connection[dict[str, Any]], places: Sequence[tuple[bytes, UUID, int]]
) -> dict[int, Superseded]:
    """Return what took the place of passages (hash, version and number in it), by their index in `places`.

    A passage that the latest version of its document contains is left out.
    """
    parameters = {"hashes": [place[0] for place in places], "versions": [place[1] for place in places]}
    result = {}
    for row in connection.execute(_SUPERSEDED, parameters).fetchall():
        index = row.pop("number") - 1
        chunk_id = None
        if row["state"] == "changed":
            chunk_id = _successor(connection, places[index], row["version_id"])
        result[index] = Superseded(**row, chunk_id=chunk_id)
    return result


def _successor(connection: Connection[dict[str, Any]], place: tuple[bytes, UUID, int], version_id: UUID) -> str | None:
    """Return the place of the passage in the other version that replaced this one, None where it was only removed."""
    _, own_version, ordinal = place
    hashes = {
        row["version_id"]: row["hashes"]
        for row in connection.execute(
            "SELECT version_id, hashes FROM version_texts WHERE version_id = ANY(%s)", ([own_version, version_id],)
        )
    }
    new = hashes[version_id]
    for _, own_start, own_end, start, end in SequenceMatcher(None, hashes[own_version], new, False).get_opcodes():
        if own_start < ordinal <= own_end and start < end:
            texts = {
                row["hash"]: row["text"]
                for row in connection.execute(
                    "SELECT hash, text FROM passages WHERE hash = ANY(%s)", ([place[0], *new[start:end]],)
                )
            }
            words = set(_WORD.findall(texts[place[0]].casefold()))
            best = max(
                range(start, end), key=lambda number: _similarity(words, _WORD.findall(texts[new[number]].casefold()))
            )
            return f"{version_id}.{best + 1}"
    return None


def _similarity(words: set[str], others: Sequence[str]) -> float:
    """Return the share of words that two texts have together."""
    return len(words & set(others)) / max(1, len(words | set(others)))
