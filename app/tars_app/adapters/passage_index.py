# SPDX-License-Identifier: GPL-3.0-or-later
"""The passages of versions in memory: ranked exactly, by words (BM25) and by vectors, within any set of versions.

What is in memory never changes in PostgreSQL: the passages of a version, their words and vectors. Which versions a
question is about is read from PostgreSQL at each question, and what is missing is loaded then. So there is nothing that
could lag behind, be torn, or be older than the database. Where a document was forgotten, or old versions were removed,
the next question removes them from memory.

Words are ranked with the statistics of the passages searched: a ranking of the past is that of a store that has never
held anything else.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt

from tars_app.adapters.passage_occurrences import Occurrences, Rows, View
from tars_app.adapters.passage_ranking import K1, TOLERANCE, B, Match, rank
from tars_app.adapters.passage_segments import Segment
from tars_app.adapters.passage_titles import Titles, with_parts
from tars_app.adapters.passage_words import UNDECIDED, Forms, Word, is_as_it_is
from tars_app.adapters.postgres import Pool
from tars_app.adapters.read_cache import STATE

_UUID_BYTES, _HASH_BYTES = 16, 32
_VERSIONS_PER_QUERY, _PASSAGES_PER_QUERY = 1000, 10_000
_READERS = 2
"""Statements at a time that read words: one is waited for while the words of another are taken over."""
_VIEWS = 8
DEFAULT_LANGUAGE = "english"
"""Of questions where the language of no passage is clear."""
_GATHER_BELOW = 0.25
"""Below this share of all vectors, copying those searched is faster than multiplying all of them."""
_DIGITS = 6
"""Of scores that are compared, see `passage_ranking.TOLERANCE`."""

_TEXTS = """
SELECT t.version_id, (SELECT string_agg(u.hash, ''::bytea ORDER BY u.ordinal)
                      FROM unnest(t.hashes) WITH ORDINALITY AS u (hash, ordinal)) AS hashes
FROM version_texts t WHERE t.version_id = ANY(%b::uuid[])
"""
_SIZES = """
SELECT string_agg(int4send(coalesce(length(p.terms), 0)), ''::bytea ORDER BY w.ordinal) AS sizes,
       string_agg(coalesce(p.language::text, ''), ' ' ORDER BY w.ordinal) AS languages
FROM unnest(%b::bytea[]) WITH ORDINALITY AS w (hash, ordinal) LEFT JOIN passages p ON p.hash = w.hash
"""
_POSTINGS = """
SELECT p.language::text AS language, u.lexeme,
       string_agg(int4send((w.ordinal + %b - 1)::int4), ''::bytea) AS rows,
       string_agg(int4send(cardinality(u.positions)), ''::bytea) AS times
FROM unnest(%b::bytea[]) WITH ORDINALITY AS w (hash, ordinal)
JOIN passages p ON p.hash = w.hash CROSS JOIN LATERAL unnest(p.terms) u
GROUP BY p.language, u.lexeme
"""
_CHANGES = f"""
SELECT {STATE}, coalesce(max(number), 0) AS number, (SELECT kept_since FROM version_retention) AS kept_since,
       EXISTS (SELECT FROM passages WHERE NOT language_detected) AS undetected
FROM forgotten
"""  # noqa: S608  constants
_GONE_VERSIONS = """
SELECT w.id FROM unnest(%b::uuid[]) AS w (id) WHERE NOT EXISTS (SELECT FROM version_texts t WHERE t.version_id = w.id)
"""
_GONE_PASSAGES = """
SELECT w.hash FROM unnest(%b::bytea[]) AS w (hash) WHERE NOT EXISTS (SELECT FROM passages p WHERE p.hash = w.hash)
"""
_GONE = b""
"""In place of the hash of a passage that was removed. Its row stays empty."""
_VECTORS = "SELECT hash, embedding FROM vectors WHERE model = %b AND hash = ANY(%b::bytea[])"


@dataclass(frozen=True)
class TextHit:
    """A passage with words of the question.

    `coverage` is the share (0..1) of the question's words, by their rarity, `identifiers` how many of its identifiers
    it has.
    """

    hash: bytes
    coverage: float
    identifiers: int = 0


@dataclass(frozen=True)
class Loading:
    """How many of the known passages have their words in memory; `complete` once a question need not wait for all."""

    words: int
    passages: int
    complete: bool


class PassageIndex:
    """An index of passages that fills itself from PostgreSQL. It may be used by many threads.

    A passage has a row: its number in the order of loading. Every method raises UnavailableError where the database
    cannot be used.
    """

    def __init__(self, pool: Pool, model: str) -> None:
        self._pool = pool
        self._model = model
        self._lock = threading.RLock()
        self._views: dict[tuple[bytes, int], View] = {}
        self._titles, self._forms = Titles(), Forms()
        self._versions: dict[bytes, Rows] = {}
        self._hashes: list[bytes] = []
        self._row_of: dict[bytes, int] = {}
        self._sizes: npt.NDArray[np.float64] = np.zeros(0)
        self._segments: list[Segment] = []
        self._as_they_are: set[str] = set()
        self._languages: list[str] = []
        self._language_of: npt.NDArray[np.intp] = np.zeros(0, np.intp)
        self._undetected = False
        self._state = ""
        self._forgotten = 0
        self._kept_since: datetime | None = None
        self._complete = False
        self._vectors: npt.NDArray[np.float32] = np.zeros((0, 0), np.float32)
        self._has_vector: npt.NDArray[np.bool_] = np.zeros(0, np.bool_)

    def view(self, ids: bytes, at: datetime | None = None, named: int = 0, state: str = "") -> View:
        """Return the passages of versions, whose ids are given one after the other, and load what is missing.

        `at` is the time whose names of documents count, None: now, and `named` how often one had been given until then.
        `state` is that of the database (`read_cache`): what was removed from it is read where it is another one than
        at the last call. Where the languages of passages have been detected since then, all words are loaded again.
        """
        with self._lock:
            if not state or state != self._state:
                changes = self._read_changes()
                self._follow_removals(changes)
                self._follow_languages(changes["undetected"])
                self._state = changes["state"]
            key = ids, named
            if key in self._views:
                self._views[key] = self._views.pop(key)  # the one that was used longest ago is the first to go
            else:
                versions = [ids[start : start + _UUID_BYTES] for start in range(0, len(ids), _UUID_BYTES)]
                self._load([version for version in versions if version not in self._versions])
                self._load_words()
                while len(self._views) >= _VIEWS:
                    del self._views[next(iter(self._views))]
                self._views[key] = self._make_view(versions, at)
            self._load_words()
            self._complete = True
            return self._views[key]

    def _follow_languages(self, undetected: bool) -> None:
        if self._undetected and not undetected:
            self._views.clear()
            self._sizes, self._language_of = np.zeros(0), np.zeros(0, np.intp)
            self._segments, self._forms, self._as_they_are = [], Forms(), set()
        self._undetected = undetected

    def _make_view(self, versions: list[bytes], at: datetime | None) -> View:
        versions = [version for version in versions if version in self._versions]  # others were forgotten just now
        parts = [self._versions[version] for version in versions]
        lengths = np.array([0, *map(len, parts)], np.intp)
        rows = np.concatenate(parts) if parts else np.zeros(0, np.intp)
        order = np.argsort(rows, kind="stable")
        unique = np.unique(rows[order])
        names = {self._languages[number] for number in np.unique(self._language_of[unique])}
        languages = tuple(sorted(names - {UNDECIDED, ""})) or (DEFAULT_LANGUAGE,)
        with self._pool.connection() as connection:
            places = self._titles.of_versions(connection, versions, at)
            self._forms.update(connection, {*self._as_they_are, *filter(is_as_it_is, places)}, languages)
        mask = np.zeros(len(self._hashes), np.bool_)
        mask[unique] = True
        usual_size = max(1.0, float(self._sizes[unique].mean())) if len(unique) else 1.0
        norms = K1 * (1 - B + B * self._sizes / usual_size)
        return View(versions, np.cumsum(lengths)[:-1], rows, order, unique, places, languages, mask, norms)

    def lexical(self, view: View, words: Iterable[Word], limit: int, optional: Collection[Word] = ()) -> list[TextHit]:
        """Return the passages of a view that match the words best, best first; those with most identifiers before all.

        A word that is `optional` and in none of them does not lower the coverage.
        """
        with self._lock:
            occurrences = Occurrences(self._segments, self._forms, view, len(self._hashes))
            may_lack = {stem for word in optional for stem in word.stems}
            matches: list[Match] = []
            for word in sorted(set(words), key=lambda word: sorted(word.stems)):
                rows, times = occurrences.of(word)
                if not len(rows) and not may_lack.isdisjoint(word.stems):
                    continue
                rarity = float(np.log(1 + (len(view.unique) - len(rows) + 0.5) / (len(rows) + 0.5)))
                matches.append(Match(rarity, rows, times, word.is_identifier))
            ranking = rank(matches, view.norms, limit)
            best = ranking.rows[self._best(ranking.scores, ranking.rows, limit)]
            return [
                TextHit(self._hashes[row], *detail)
                for row, detail in zip(best.tolist(), ranking.details(best), strict=True)
            ]

    def nearest(
        self, view: View, vector: Sequence[float], limit: int, model: str | None = None
    ) -> list[tuple[bytes, float]]:
        """Return the passages of a view with their cosine similarity (-1 to 1), nearest first. It is exact.

        `model` is the embedding model of the vector, None: the last one. Those of one model are in memory.
        """
        with self._lock:
            if model not in (None, self._model):
                self._model = model or ""
                self._vectors, self._has_vector = np.zeros((0, 0), np.float32), np.zeros(0, np.bool_)
            self._load_vectors(view)
            matrix, rows = self._vectors[: len(self._hashes)], view.unique[self._has_vector[view.unique]]
        query = np.asarray(vector, np.float32)
        query /= max(float(np.linalg.norm(query)), 1e-12)
        if matrix.shape[1] != len(query):
            return []
        # Without the lock: the words of the question are looked up meanwhile. Rows are emptied, and never used again.
        similarities = matrix[rows] @ query if len(rows) < _GATHER_BELOW * len(matrix) else (matrix @ query)[rows]
        with self._lock:
            best = self._best(similarities, rows, limit)
            return [(self._hashes[rows[at]], float(similarities[at])) for at in best if self._hashes[rows[at]] != _GONE]

    def _best(self, scores: npt.NDArray[np.floating[Any]], rows: Rows, limit: int) -> list[int]:
        """Return the places of the highest scores of rows, highest first; equal ones in the order of their hashes."""
        places = np.arange(len(rows))
        if len(rows) > limit:
            least = np.partition(scores, len(scores) - limit)[len(scores) - limit]
            places = np.flatnonzero(scores >= least - TOLERANCE)
        values = np.round(scores[places].astype(np.float64), _DIGITS)
        order = sorted(zip(-values, (self._hashes[row] for row in rows[places]), places.tolist(), strict=True))
        return [place for _, _, place in order[:limit]]

    def places(self, view: View, hashes: Iterable[bytes]) -> dict[bytes, list[tuple[UUID, int]]]:
        """Return where passages stand in the versions of a view: version and number, from 1, at its first place.

        A passage that is in none of them is left out.
        """
        places: dict[bytes, list[tuple[UUID, int]]] = {}
        with self._lock:
            for value in hashes:
                if len(at := view.places_of(self._row_of.get(value, -1))):
                    versions = np.searchsorted(view.starts, at, side="right") - 1
                    numbers, first = np.unique(versions, return_index=True)
                    ordinals = at[first] - view.starts[numbers] + 1
                    places[value] = [
                        (UUID(bytes=view.versions[number]), ordinal)
                        for number, ordinal in zip(numbers.tolist(), ordinals.tolist(), strict=True)
                    ]
        return places

    def _load(self, versions: list[bytes]) -> None:
        """Load the lists of passages of versions. A version without text has none."""
        for start in range(0, len(versions), _VERSIONS_PER_QUERY):
            batch = versions[start : start + _VERSIONS_PER_QUERY]
            with self._pool.connection() as connection, connection.cursor(binary=True) as cursor:
                rows = cursor.execute(_TEXTS, ([UUID(bytes=version) for version in batch],)).fetchall()
            for row in rows:
                value = row["hashes"]
                hashes = [value[at : at + _HASH_BYTES] for at in range(0, len(value), _HASH_BYTES)]
                for new in dict.fromkeys(hashes):
                    if new not in self._row_of:
                        self._row_of[new] = len(self._hashes)
                        self._hashes.append(new)
                self._versions[row["version_id"].bytes] = np.array([self._row_of[value] for value in hashes], np.intp)

    def remove_forgotten(self) -> None:
        """Remove what was deleted from PostgreSQL from memory, if anything was since the last call."""
        with self._lock:
            self._follow_removals(self._read_changes())

    def _read_changes(self) -> dict[str, Any]:
        with self._pool.reading() as connection:
            [row] = connection.execute(_CHANGES).fetchall()
        return row

    def _follow_removals(self, changes: dict[str, Any]) -> None:
        last = changes["number"], changes["kept_since"]
        if last == (self._forgotten, self._kept_since):
            return
        versions = self._missing(_GONE_VERSIONS, [UUID(bytes=version) for version in self._versions])
        hashes = self._missing(_GONE_PASSAGES, list(self._row_of))
        for version in versions:
            del self._versions[version.bytes]
        self._views.clear()
        self._titles, self._forms = Titles(), Forms()
        self._empty_rows([self._row_of.pop(value) for value in hashes])
        self._forgotten, self._kept_since = last

    @property
    def loading(self) -> Loading:
        """How far the words of the passages are in memory. It never waits for a search."""
        return Loading(len(self._sizes), len(self._hashes), self._complete)

    @property
    def forgotten(self) -> int:
        """The number of the last document whose forgetting this index has followed."""
        return self._forgotten

    def _missing(self, query: str, keys: Sequence[Any]) -> list[Any]:
        missing: list[Any] = []
        for start in range(0, len(keys), _PASSAGES_PER_QUERY):
            with self._pool.connection() as connection, connection.cursor(binary=True) as cursor:
                rows = cursor.execute(query, (list(keys[start : start + _PASSAGES_PER_QUERY]),)).fetchall()
            missing += [value for row in rows for value in row.values()]
        return missing

    def _empty_rows(self, rows: list[int]) -> None:
        """Remove hashes, words and vectors of rows. A view that a question still uses keeps its numbers."""
        if not rows:
            return
        gone = np.zeros(len(self._hashes), np.bool_)
        gone[rows] = True
        for row in rows:
            self._hashes[row] = _GONE
        self._sizes[gone[: len(self._sizes)]] = 0
        self._has_vector[gone[: len(self._has_vector)]] = False
        self._vectors[: len(gone)][gone[: len(self._vectors)]] = 0
        for segment in self._segments:
            segment.remove(gone)
        self._as_they_are = {key for segment in self._segments for key in segment.postings if is_as_it_is(key)}

    def _load_words(self) -> None:
        """Load the words of the passages that have none in memory yet: the last rows."""
        firsts = range(len(self._sizes), len(self._hashes), _PASSAGES_PER_QUERY)
        with ThreadPoolExecutor(_READERS) as readers:
            for sizes, names, segment in readers.map(self._read_words, firsts):
                self._as_they_are.update(filter(is_as_it_is, segment.postings))
                self._sizes = np.concatenate([self._sizes, sizes])
                self._languages += sorted(set(names) - set(self._languages))
                numbers = {name: number for number, name in enumerate(self._languages)}
                self._language_of = np.concatenate(
                    [self._language_of, np.array([numbers[name] for name in names], np.intp)]
                )
                self._segments.append(segment)
                self._merge_segments()

    def _read_words(self, first: int) -> tuple[npt.NDArray[np.float64], list[str], Segment]:
        """Return the sizes, languages and words of the passages from a row on, as many as one statement reads."""
        hashes = self._hashes[first : first + _PASSAGES_PER_QUERY]
        segment = Segment(len(hashes))
        with self._pool.connection() as connection, connection.cursor(binary=True) as cursor:
            [known] = cursor.execute(_SIZES, (hashes,)).fetchall()
            of_language: dict[str, dict[str, tuple[bytes, bytes]]] = {}
            for row in cursor.execute(_POSTINGS, (first, hashes)).fetchall():
                of_language.setdefault(row["language"], {})[row["lexeme"]] = (row["rows"], row["times"])
            for language, postings in of_language.items():
                segment.add(language, *with_parts(connection, language, postings))
        return np.frombuffer(known["sizes"], ">i4").astype(np.float64), known["languages"].split(" "), segment

    def _merge_segments(self) -> None:
        """Merge segments so that each is at least twice as large as the next: their number stays small."""
        while len(self._segments) > 1 and self._segments[-2].passages < 2 * self._segments[-1].passages:
            last = self._segments.pop()
            self._segments[-1].append(last)

    def _load_vectors(self, view: View) -> None:
        """Load the vectors of the view's passages that have none in memory; PostgreSQL may have none for some."""
        self._reserve(self._vectors.shape[1])
        missing = view.unique[~self._has_vector[view.unique]]
        for start in range(0, len(missing), _PASSAGES_PER_QUERY):
            hashes = [self._hashes[row] for row in missing[start : start + _PASSAGES_PER_QUERY]]
            with self._pool.connection() as connection, connection.cursor(binary=True) as cursor:
                rows = cursor.execute(_VECTORS, (self._model, hashes)).fetchall()
            if rows:
                numbers = np.array([self._row_of[row["hash"]] for row in rows], np.intp)
                values = np.frombuffer(b"".join(row["embedding"] for row in rows), "<f2").reshape(len(rows), -1)
                self._reserve(values.shape[1])
                self._vectors[numbers] = values
                self._has_vector[numbers] = True

    def _reserve(self, dimensions: int) -> None:
        """Make the matrix at least as long as there are rows; it grows by a quarter, so that few changes copy it."""
        needed, present = len(self._hashes), self._vectors.shape
        if needed > len(self._has_vector):
            self._has_vector = np.concatenate([self._has_vector, np.zeros(needed - len(self._has_vector), np.bool_)])
        if present[0] < needed or present[1] != dimensions:
            matrix = np.zeros((max(needed, present[0] + present[0] // 4), dimensions), np.float32)
            if present[1] == dimensions:
                matrix[: present[0]] = self._vectors
            self._vectors = matrix
