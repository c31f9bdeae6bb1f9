# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of documents' names, and the parts of identifiers, under which passages are found too.

The words of a path (folders and file name) and the year that a document claims count for every passage of the version.
The path is that of the time that is asked about. An identifier (RE-2024-00815, A/2024/118) is found by each of its
parts, and by several in succession.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection

from tars_app.adapters.passage_words import UNDECIDED, has_digit, key_of, lexemes, pairs_of

Posting = tuple[bytes, bytes]
"""Rows, and how often a word occurs in each, as big-endian numbers of 32 bits."""
_VERSIONS_PER_QUERY = 5000
_PART = re.compile(r"[^\W_]+")
_MOST_PARTS = 6
_SEPARATOR = re.compile(r"(?<=[^\W_])[-/_.:](?=[^\W_])")
_IDENTIFIER = re.compile(r"[^\W_]+(?:[-/_.:][^\W_]+)+")

_NAMES = """
SELECT w.id, coalesce((SELECT h.path FROM document_paths h WHERE h.document_id = d.id AND h.seen_from <= %b
                       ORDER BY h.seen_from DESC LIMIT 1), d.path) AS path, left(v.dated, 4) AS year
FROM unnest(%b::uuid[]) AS w (id) JOIN versions v ON v.id = w.id JOIN documents d ON d.id = v.document_id
"""


def spaced(text: str) -> str:
    """Return a text with a space in place of each separator within an identifier, so that its parts are words."""
    return _SEPARATOR.sub(" ", text)


def runs_of(text: str) -> set[str]:
    """Return the parts of each identifier of a text in succession, as one word ("2024 118"): see `with_parts`."""
    identifiers = (_PART.findall(match[0].lower()) for match in _IDENTIFIER.finditer(text))
    return {" ".join(parts) for parts in identifiers if any(map(has_digit, parts))}


class Titles:
    """Keys of the words of the names of versions, as they stand there, read once for each name."""

    def __init__(self) -> None:
        self._words: dict[str, tuple[str, ...]] = {}

    def of_versions(
        self, connection: Connection[dict[str, Any]], versions: Sequence[bytes], at: datetime | None
    ) -> dict[str, list[int]]:
        """Return the places, in `versions`, of those whose name at a time (None: now) has a word, by word."""
        places: dict[str, list[int]] = defaultdict(list)
        for start in range(0, len(versions), _VERSIONS_PER_QUERY):
            batch = versions[start : start + _VERSIONS_PER_QUERY]
            with connection.cursor(binary=True) as cursor:
                rows = cursor.execute(_NAMES, (at or datetime.max, [UUID(bytes=value) for value in batch])).fetchall()
            names = {row["id"].bytes: (_readable(row["path"]), row["year"]) for row in rows}
            self._read(connection, {name for name, _ in names.values()})
            for place, version in enumerate(batch, start):
                if version in names:
                    name, year = names[version]
                    for word in {*self._words[name], *([year] if year else [])}:
                        places[word].append(place)
        return dict(places)

    def _read(self, connection: Connection[dict[str, Any]], names: Iterable[str]) -> None:
        self._words |= {
            text: tuple(key_of(UNDECIDED, word) for word in words)
            for text, words in lexemes(connection, UNDECIDED, set(names) - set(self._words))
        }


def _readable(path: str) -> str:
    """Return the words of a path: without the ending, and with spaces in place of marks and before capitals.

    A path in another share than the document's is recorded after the name of that share, which does not count.
    """
    name = re.sub(r"\A/[^/]*/|\.[^\W_]{1,5}\Z", "", path)
    return " ".join(_PART.findall(re.sub(r"(?<=[^\W\d_A-ZÄÖÜ])(?=[A-ZÄÖÜ])", " ", name)))


def with_parts(
    connection: Connection[dict[str, Any]], language: str, postings: Mapping[str, Posting]
) -> tuple[dict[str, Posting], set[str]]:
    """Return the postings by the keys of words, with the parts of each that has several: "a/2024/118" is also "2024".

    Parts in succession are one word too, with spaces between them. A part of letters is stemmed. A word in a script
    without spaces has its pairs of characters. The second value are the keys that were joined of several words, which
    may have a row more than once.
    """
    compounds = {word: parts for word in postings if not word.isalnum() and (parts := _PART.findall(word))}
    # A part that is a word of its own already has its stem.
    letters = {part for parts in compounds.values() for part in parts if part not in postings and not has_digit(part)}
    stems = dict(lexemes(connection, language, letters)) if letters else {}
    of_key: dict[str, list[Posting]] = defaultdict(list)
    for word, own in postings.items():
        of_key[key_of(language, word)].append(own)
        if not word.isascii():
            for pair in pairs_of(word):
                of_key[pair].append(own)
    for word, parts in compounds.items():
        own = postings[word]
        for part in set(parts):
            for stem in stems.get(part, (part,)):
                of_key[key_of(language, stem)].append(own)
        if len(parts) > 1 and any(map(has_digit, parts)):
            for run in _successive(parts):
                of_key[run].append(own)
    joined = {key for key, of_word in of_key.items() if len(of_word) > 1}
    return {key: _joined(of_word) for key, of_word in of_key.items()}, joined


def _successive(parts: Sequence[str]) -> set[str]:
    """Return all runs of two parts or more."""
    count = min(len(parts), _MOST_PARTS)
    return {" ".join(parts[start:end]) for start in range(count) for end in range(start + 2, count + 1)}


def _joined(postings: Sequence[Posting]) -> Posting:
    if len(postings) == 1:
        return postings[0]
    return b"".join(rows for rows, _ in postings), b"".join(times for _, times in postings)
