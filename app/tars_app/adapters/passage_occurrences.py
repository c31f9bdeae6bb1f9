# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the words of a question occur in passages: as they are, as parts of compounds, and in parts.

In German and its like, "Heizkosten" is in "Heizkostenabrechnung", and in "Heiz- und Nebenkosten". Which parts a word
has is decided by the words of the passages that are searched: a search of the past splits words as a store of then did.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tars_app.adapters.passage_segments import Segment
from tars_app.adapters.passage_words import COMPOUNDING, Forms, Word, as_it_is, is_as_it_is, letters_of

Rows = npt.NDArray[np.intp]
Times = npt.NDArray[np.float64]

LONG_PART = 6
"""Letters of a stem that is looked for within any word."""
_SHORT_PART, _LAST_PART = 3, 4
"""Least letters of a part whose word has to be completed by words of the passages, and of the last of two parts."""
_LINKS = ("", "s", "n", "en", "es", "er", "e", "ung", "ungs", "ungen")
"""What stands between the stems of two parts: letters that link them, and endings that the stem lacks."""
_ENDINGS = frozenset({"", "e", "en", "er", "es", "n", "s", "ung", "ungen"})
"""Endings of a word that the stem of a compound with it lacks."""
_AS_PART, _IN_PARTS = 0.5, 0.3
"""Weights of a word that has the word of the question as a part, and of two words that are its parts."""


@dataclass(frozen=True)
class View:
    """The passages of some versions: `rows` of all versions in succession, `starts` where each version begins.

    `order` are the places in `rows` by ascending row, those of one row ascending.

    `titles` are the numbers of the versions whose name has the word of a key, and `languages` those of the passages.
    `mask` is true for the rows of `unique`, and may lack later rows. `norms` is what BM25 adds to the number of
    occurrences of a word for the size of each row's passage.
    """

    versions: list[bytes]
    starts: Rows
    rows: Rows
    order: Rows
    unique: Rows
    titles: dict[str, list[int]]
    languages: tuple[str, ...]
    mask: npt.NDArray[np.bool_]
    norms: npt.NDArray[np.float64]

    def mask_of(self, count: int) -> npt.NDArray[np.bool_] | None:
        """Return for each of the first rows whether it is one of the view; None where all are."""
        if len(self.unique) == count:
            return None
        return np.concatenate([self.mask, np.zeros(count - len(self.mask), np.bool_)])

    def places_of(self, row: int) -> Rows:
        """Return the places of one row in `rows`, ascending."""
        begin, end = np.searchsorted(self.rows, (row, row + 1), sorter=self.order)
        return self.order[begin:end]

    def rows_of_titles(self, keys: Iterable[str]) -> Rows:
        """Return the rows of the versions whose name has one of these words."""
        ends = [*self.starts[1:].tolist(), len(self.rows)]
        starts = self.starts.tolist()
        places = {place for key in keys for place in self.titles[key]}
        return np.unique(np.concatenate([self.rows[starts[place] : ends[place]] for place in places]))


class Occurrences:
    """The occurrences of words in the rows of a view, of which there are `count` and those of other views."""

    def __init__(self, segments: Sequence[Segment], forms: Forms, view: View, count: int) -> None:
        self._segments, self._forms, self._view, self._count = segments, forms, view, count
        self._mask = view.mask_of(count)
        self._compounding = [language for language in view.languages if language in COMPOUNDING]
        self._known: dict[str, bool] = {}

    def of(self, word: Word) -> tuple[Rows, Times]:
        """Return the rows that have a word, and how often: once more where the document's name has it.

        A compound that has it as a part counts half, and two parts of it in one passage less. Where none has it, those
        that have any word with it, or a part of it, count ("Haftpflichtversicherung" and "Privathaftpflicht").
        """
        rows, times = self._of_keys(self._keys(word.stems))
        if self._compounding and (added := self._as_parts(word)):
            counts = np.zeros(self._count)
            counts[rows] = times
            for other_rows, other_times in added:
                counts[other_rows] += other_times
            rows = np.flatnonzero(counts > 0)
            times = counts[rows]
        return (rows, times) if len(rows) else self._nearly(word)

    def _keys(self, stems: Iterable[tuple[str, str]]) -> set[str]:
        return {key for language, stem in stems for key in (stem, *self._forms.of(language, stem))}

    def _of_keys(self, keys: set[str]) -> tuple[Rows, Times]:
        parts = [segment.postings[key] for segment in self._segments for key in keys if key in segment.postings]
        rows = np.frombuffer(b"".join(part[0] for part in parts), ">i4").astype(np.intp)
        times = np.frombuffer(b"".join(part[1] for part in parts), ">i4").astype(np.float64)
        if self._mask is not None:
            kept = self._mask[rows]
            rows, times = rows[kept], times[kept]
        titled = [key for key in keys if key in self._view.titles]
        joined = len(keys) > 1 or any(key in segment.joined for segment in self._segments for key in keys)
        if not titled and not joined:
            return rows, times
        counts = np.bincount(rows, times, self._count).astype(np.float64)
        if titled:
            counts[self._view.rows_of_titles(titled)] += 1
        occurring = np.flatnonzero(counts > 0)  # of numbers that are not boolean it is slow
        return occurring, counts[occurring]

    def _as_parts(self, word: Word) -> list[tuple[Rows, Times]]:
        """Return the occurrences of compounds that have a word as a part, and of its parts in one passage."""
        occurrences: list[tuple[Rows, Times]] = []
        for language, stem in sorted(word.stems):
            if language not in self._compounding or not stem.isalpha():
                continue
            own = self._keys([(language, stem)])
            if compounds := {key for key in self._compounds_of(stem) if self._is_part(stem, letters_of(key))} - own:
                rows, times = self._of_keys(compounds)
                occurrences.append((rows, _AS_PART * times))
            occurrences += ((rows, _IN_PARTS * times) for rows, times in self._split(language, stem))
        return [(rows, times) for rows, times in occurrences if len(rows)]

    def _compounds_of(self, stem: str) -> set[str]:
        """Return the keys of words in which a stem occurs, in languages that write compounds as one word."""
        if len(stem) < _SHORT_PART:
            return set()
        return {
            key
            for segment in self._segments
            for key in segment.words_with(stem)
            if is_as_it_is(key) or key in segment.compounding
        } | self._titles_with(stem)

    def _titles_with(self, stem: str) -> set[str]:
        return {key for key in self._view.titles if stem in key and letters_of(key).isalpha()}

    def _is_part(self, stem: str, compound: str) -> bool:
        """Return whether a stem is a part of a word: what else the word has are words too.

        Where the stem is long, a rest of four letters counts as a word.
        """
        before, _, after = compound.partition(stem)
        if len(stem) >= LONG_PART:
            return self._completes(before, _LAST_PART) and (after in _ENDINGS or self._completes(after, _LAST_PART))
        return bool(before) != bool(after) and self._completes(before or after, len(compound))

    def _completes(self, rest: str, least: int) -> bool:
        """Return whether the rest of a word is empty, has `least` letters, or is a word but for what links them."""
        if not rest or len(rest) >= least:
            return True
        starts = (rest.removeprefix(link) for link in _LINKS if rest.startswith(link))
        ends = (rest.removesuffix(link) for link in _LINKS if rest.endswith(link))
        return any(len(part) >= _SHORT_PART and self._occurs(part) for part in (*starts, *ends))

    def _occurs(self, word: str) -> bool:
        """Return whether one of the passages, or the name of a document, has a word as it is or as a stem."""
        if word not in self._known:
            keys = self._keys((language, word) for language in self._compounding)
            self._known[word] = any(map(self._has, {word, as_it_is(word), *keys}))
        return self._known[word]

    def _has(self, key: str) -> bool:
        postings = (segment.postings[key] for segment in self._segments if key in segment.postings)
        return key in self._view.titles or any(
            self._mask is None or self._mask[np.frombuffer(rows, ">i4")].any() for rows, _ in postings
        )

    def _split(self, language: str, stem: str) -> Iterator[tuple[Rows, Times]]:
        """Yield the rows that have two parts of a word, the second one at the end of any ("Heiz- und Nebenkosten").

        The first part has to be a word of the passages.
        """
        for place in range(_LAST_PART, len(stem) - _SHORT_PART + 1):
            first = {stem[:place].removesuffix(link) for link in _LINKS if stem[:place].endswith(link)}
            first = {part for part in first if len(part) >= _SHORT_PART and self._occurs(part)}
            if not first:
                continue
            last = stem[place:]
            rows, _ = self._of_keys(first | set(map(as_it_is, first)) | self._keys((language, part) for part in first))
            ending = {key for key in self._compounds_of(last) if self._ends_with(letters_of(key), last)}
            others, times = self._of_keys(ending | self._keys([(language, last)]))
            both = np.isin(others, rows)
            yield others[both], times[both]

    def _ends_with(self, word: str, part: str) -> bool:
        before, _, after = word.rpartition(part)
        return after in _ENDINGS and self._completes(before, _LAST_PART)

    def _nearly(self, word: Word) -> tuple[Rows, Times]:
        """Return the occurrences of words with which this one begins, or that contain it; else of those at its end.

        In German, a word ends with what it is in general, and begins with what sets it apart.
        """
        stems = [(language, stem) for language, stem in word.stems if len(stem) >= LONG_PART and stem.isalpha()]
        beginnings = {(language, stem[:end]) for language, stem in stems for end in range(LONG_PART, len(stem))}
        endings = {(language, stem[at:]) for language, stem in stems for at in range(1, len(stem) - LONG_PART + 1)}
        within = {
            key
            for _, stem in stems
            for keys in (*(segment.words_with(stem) for segment in self._segments), self._titles_with(stem))
            for key in keys
        }
        for related in (self._keys(beginnings) | within, self._keys(endings)):
            if len((occurrences := self._of_keys(related))[0]):
                return occurrences
        return np.zeros(0, np.intp), np.zeros(0)
