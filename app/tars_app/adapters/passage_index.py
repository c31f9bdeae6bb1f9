# SPDX-License-Identifier: GPL-3.0-or-later
"""The passages of versions in memory: ranked exactly, by words (BM25) and by vectors, within any set of versions.

What is in memory never changes in PostgreSQL: the passages of a version, their words and vectors. Which versions a
question is about is read from PostgreSQL at each question, and what is missing is loaded then. So there is nothing that
could lag behind, be torn, or be older than the database.

BM25 as in Robertson and Zaragoza 2009 (k1 = 1.2, b = 0.75), with the statistics of the passages searched: a ranking of
the past is that of a store that has never held anything else.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt

from tars_app.adapters.postgres import Pool

Rows = npt.NDArray[np.intp]
_UUID_BYTES, _HASH_BYTES = 16, 32
_VERSIONS_PER_QUERY, _PASSAGES_PER_QUERY = 1000, 10_000
_VIEWS = 8
_GATHER_BELOW = 0.25
"""Below this share of all vectors, copying those searched is faster than multiplying all of them."""
_DIGITS = 6
"""Scores that differ by less are equal: the order of additions, which depends on the other passages, changes them."""
_K1, _B = 1.2, 0.75

_TEXTS = """
SELECT t.version_id, (SELECT string_agg(u.hash, ''::bytea ORDER BY u.ordinal)
                      FROM unnest(t.hashes) WITH ORDINALITY AS u (hash, ordinal)) AS hashes
FROM version_texts t WHERE t.version_id = ANY(%b::uuid[])
"""
_SIZES = """
SELECT string_agg(int4send(length(p.terms)), ''::bytea ORDER BY w.ordinal) AS sizes
FROM unnest(%b::bytea[]) WITH ORDINALITY AS w (hash, ordinal) JOIN passages p ON p.hash = w.hash
"""
_POSTINGS = """
SELECT u.lexeme, string_agg(int4send((w.ordinal + %b - 1)::int4), ''::bytea) AS rows,
       string_agg(int4send(cardinality(u.positions)), ''::bytea) AS times
FROM unnest(%b::bytea[]) WITH ORDINALITY AS w (hash, ordinal)
JOIN passages p ON p.hash = w.hash CROSS JOIN LATERAL unnest(p.terms) u
GROUP BY u.lexeme
"""
_VECTORS = "SELECT hash, embedding FROM vectors WHERE model = %b AND hash = ANY(%b::bytea[])"


@dataclass(frozen=True)
class TextHit:
    """A passage with words of the question. `coverage` is the share (0..1) of the question's words, by their rarity."""

    hash: bytes
    coverage: float


@dataclass(frozen=True)
class View:
    """The passages of some versions: `rows` of all versions in succession, `starts` where each version begins."""

    versions: list[bytes]
    starts: Rows
    rows: Rows
    unique: Rows


@dataclass
class _Segment:
    """Where the words of some passages occur, and how often, as big-endian numbers of 32 bits by word."""

    passages: int
    postings: dict[str, tuple[bytes, bytes]] = field(default_factory=dict)


class PassageIndex:
    """An index of passages that fills itself from PostgreSQL. It may be used by many threads.

    A passage has a row: its number in the order of loading. Every method raises UnavailableError where the database
    cannot be used.
    """

    def __init__(self, pool: Pool, model: str) -> None:
        self._pool = pool
        self._model = model
        self._lock = threading.RLock()
        self._views: dict[bytes, View] = {}
        self._versions: dict[bytes, Rows] = {}
        self._hashes: list[bytes] = []
        self._row_of: dict[bytes, int] = {}
        self._sizes: npt.NDArray[np.float64] = np.zeros(0)
        self._segments: list[_Segment] = []
        self._language: str | None = None
        self._vectors: npt.NDArray[np.float32] = np.zeros((0, 0), np.float32)
        self._has_vector: npt.NDArray[np.bool_] = np.zeros(0, np.bool_)

    def view(self, ids: bytes, language: str) -> View:
        """Return the passages of versions, whose ids are given one after the other, and load what is missing.

        `language` is the text search configuration of the words; where it changed, all words are loaded again.
        """
        with self._lock:
            if language != self._language:
                self._forget_words()
                self._language = language
            if ids not in self._views:
                versions = [ids[start : start + _UUID_BYTES] for start in range(0, len(ids), _UUID_BYTES)]
                self._load([version for version in versions if version not in self._versions])
                while len(self._views) >= _VIEWS:
                    del self._views[next(iter(self._views))]
                self._views[ids] = self._make_view(versions)
            self._load_words()
            return self._views[ids]

    def _make_view(self, versions: list[bytes]) -> View:
        parts = [self._versions[version] for version in versions]
        lengths = np.array([0, *map(len, parts)], np.intp)
        rows = np.concatenate(parts) if parts else np.zeros(0, np.intp)
        return View(versions, np.cumsum(lengths)[:-1], rows, np.unique(rows))

    def lexical(
        self, view: View, words: Iterable[str], limit: int, optional: Collection[str] = frozenset()
    ) -> list[TextHit]:
        """Return the passages of a view that match the words best, best first.

        A word that is `optional` and in none of them does not lower the coverage.
        """
        with self._lock:
            mask = self._mask(view)
            scores, covered = np.zeros(len(mask)), np.zeros(len(mask))
            usual_size = max(1.0, float(self._sizes[view.unique].mean())) if len(view.unique) else 1.0
            total = 0.0
            for word in sorted(set(words)):
                rows, times = self._occurrences(word, mask)
                if word in optional and not len(rows):
                    continue
                idf = float(np.log(1 + (len(view.unique) - len(rows) + 0.5) / (len(rows) + 0.5)))
                total += idf
                relative_size = self._sizes[rows] / usual_size
                scores[rows] += idf * times * (_K1 + 1) / (times + _K1 * (1 - _B + _B * relative_size))
                covered[rows] += idf
            matching = np.flatnonzero(covered)
            best = matching[self._best(scores[matching], matching, limit)]
            return [TextHit(self._hashes[row], float(covered[row]) / total) for row in best]

    def _occurrences(self, word: str, mask: npt.NDArray[np.bool_]) -> tuple[Rows, npt.NDArray[np.float64]]:
        parts = [segment.postings[word] for segment in self._segments if word in segment.postings]
        rows = np.frombuffer(b"".join(part[0] for part in parts), ">i4").astype(np.intp)
        times = np.frombuffer(b"".join(part[1] for part in parts), ">i4").astype(np.float64)
        kept = mask[rows]
        return rows[kept], times[kept]

    def nearest(self, view: View, vector: Sequence[float], limit: int) -> list[tuple[bytes, float]]:
        """Return the passages of a view with their cosine similarity (-1 to 1), nearest first. It is exact."""
        with self._lock:
            self._load_vectors(view)
            query = np.asarray(vector, np.float32)
            query /= max(float(np.linalg.norm(query)), 1e-12)
            rows = view.unique[self._has_vector[view.unique]]
            if self._vectors.shape[1] != len(query):
                return []
            if len(rows) < _GATHER_BELOW * len(self._hashes):
                similarities = self._vectors[rows] @ query
            else:
                similarities = (self._vectors[: len(self._hashes)] @ query)[rows]
            best = self._best(similarities, rows, limit)
            return [(self._hashes[rows[number]], float(similarities[number])) for number in best]

    def _best(self, scores: npt.NDArray[np.floating[Any]], rows: Rows, limit: int) -> list[int]:
        """Return the places of the highest scores of rows, highest first; equal ones in the order of their hashes."""
        places = np.arange(len(rows))
        if len(rows) > limit:
            least = np.partition(scores, len(scores) - limit)[len(scores) - limit]
            places = np.flatnonzero(scores >= least - 10.0**-_DIGITS)
        values = np.round(scores[places].astype(np.float64), _DIGITS)
        order = sorted(zip(-values, (self._hashes[row] for row in rows[places]), places.tolist(), strict=True))
        return [place for _, _, place in order[:limit]]

    def places(self, view: View, hashes: Iterable[bytes]) -> dict[bytes, list[tuple[UUID, int]]]:
        """Return where passages stand in the versions of a view: version and number, from 1, at its first place.

        A passage that is in none of them is left out.
        """
        with self._lock:
            wanted = {self._row_of[value]: value for value in hashes if value in self._row_of}
            mask = np.zeros(len(self._hashes), np.bool_)
            mask[list(wanted)] = True
            at = np.flatnonzero(mask[view.rows])
            numbers = np.searchsorted(view.starts, at, side="right") - 1
            places: dict[bytes, dict[bytes, int]] = {}
            for position, number in zip(at.tolist(), numbers.tolist(), strict=True):
                ordinal = position - int(view.starts[number]) + 1
                places.setdefault(wanted[int(view.rows[position])], {}).setdefault(view.versions[number], ordinal)
            return {
                value: [(UUID(bytes=version), ordinal) for version, ordinal in of_hash.items()]
                for value, of_hash in places.items()
            }

    def _mask(self, view: View) -> npt.NDArray[np.bool_]:
        mask = np.zeros(len(self._hashes), np.bool_)
        mask[view.unique] = True
        return mask

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

    def _forget_words(self) -> None:
        self._sizes = np.zeros(0)
        self._segments = []

    def _load_words(self) -> None:
        """Load the words of the passages that have none in memory yet: the last rows."""
        while (first := len(self._sizes)) < len(self._hashes):
            hashes = self._hashes[first : first + _PASSAGES_PER_QUERY]
            with self._pool.connection() as connection, connection.cursor(binary=True) as cursor:
                [sizes] = cursor.execute(_SIZES, (hashes,)).fetchall()
                rows = cursor.execute(_POSTINGS, (first, hashes)).fetchall()
            postings = {row["lexeme"]: (row["rows"], row["times"]) for row in rows}
            self._sizes = np.concatenate([self._sizes, np.frombuffer(sizes["sizes"], ">i4").astype(np.float64)])
            self._segments.append(_Segment(len(hashes), postings))
            self._merge_segments()

    def _merge_segments(self) -> None:
        """Merge segments so that each is at least twice as large as the next: their number stays small."""
        while len(self._segments) > 1 and self._segments[-2].passages < 2 * self._segments[-1].passages:
            last = self._segments.pop()
            merged = self._segments[-1]
            for word, (rows, times) in last.postings.items():
                before = merged.postings.get(word, (b"", b""))
                merged.postings[word] = (before[0] + rows, before[1] + times)
            merged.passages += last.passages

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
