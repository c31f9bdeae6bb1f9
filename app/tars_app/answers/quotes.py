# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the sentence of a passage that supports an answer. A quote is a piece of the passage, letter for letter."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import log, sqrt

from tars_app.answers.sources import Source
from tars_app.kit.language import COMMON_WORDS
from tars_app.kit.sentences import Span

LONGEST_QUOTE = 300
_MARKER = re.compile(r"\[(\d{1,2})\]")
_WORD = re.compile(r"\w+")
_RIVAL = 0.75
"""A passage without a marker is cited too if the score of its sentence is at least this share of the best."""
MOST_CITATIONS = 3
_TWO_SENTENCES = 0.9
"""Two sentences are quoted only if they score clearly higher than either alone."""
_SHORT_LINE = 40
_NEEDED_WORD = 100.0
"""Weight of a word that a quote of a long sentence has to keep."""


@dataclass(frozen=True)
class Place:
    """A piece of passage number `source` (from 1), from character `start` up to `end`."""

    source: int
    start: int
    end: int


@dataclass(frozen=True)
class Quote:
    """A piece of passage number `source` (from 1), from character `start` of the passage on."""

    source: int
    text: str
    fit: float
    start: int = 0

    def overlaps(self, other: Quote) -> bool:
        """Return whether two quotes have a piece of a passage in common."""
        first, second = sorted((self, other), key=lambda quote: quote.start)
        return first.source == second.source and second.start < first.start + len(first.text)


_Sentence = tuple[int, int]
"""A sentence: the number of its passage, and where it begins."""


class Quotable:
    """Passages to quote from. `scores` (0 to 1) are those of retrieval."""

    def __init__(self, sources: Sequence[Source], scores: Sequence[float]) -> None:
        self._sources, self._scores = sources, scores
        self._shared: dict[_Sentence, set[str]] = {}
        self._lengths: dict[_Sentence, int] = {}
        self._sentences_of: dict[str, list[_Sentence]] = defaultdict(list)
        for source in sources:
            for span in source.spans:
                words = _words(source.text[span.start : span.end])
                self._lengths[source.number, span.start] = len(words)
                for word in set(words):
                    self._sentences_of[word].append((source.number, span.start))

    def find(self, question: str, answer: str, needed: Sequence[Sequence[Place]] = ()) -> list[Quote]:
        """Return the best sentence, or two neighbours, of each passage that supports the answer, the best first.

        There is at least one if there is a passage. A small model's answer alone is a poor guide, so the question and
        the scores count too. A passage counts as used if the answer names it ([1]) and shares words with it, or shares
        about as many rare words with it as with the best. With `needed`, the places of each figure of the answer, the
        quotes contain a place of each.
        """
        weights = self._weights(question, answer)
        shared = defaultdict(set)
        for word in weights:
            for sentence in self._sentences_of[word]:
                shared[sentence].add(word)
        self._shared = shared
        marked = {int(number) for number in _MARKER.findall(answer)}
        if needed:
            return self._covering(weights, marked, needed)
        best = sorted(
            (
                max(candidates, key=lambda quote: quote.fit)
                for source in self._sources
                if (candidates := self._candidates(source, weights))
            ),
            key=lambda quote: -quote.fit,
        )
        if not best:
            return []
        used = [
            quote for quote in best if quote.fit > 0 and (quote.source in marked or quote.fit >= _RIVAL * best[0].fit)
        ]
        used.sort(key=lambda quote: (quote.source not in marked, -quote.fit))
        return used[:MOST_CITATIONS] or best[:1]

    def _covering(
        self, weights: Mapping[str, float], marked: set[int], needed: Sequence[Sequence[Place]]
    ) -> list[Quote]:
        """Return as few quotes as possible that together contain a place of each figure."""
        candidates: list[tuple[frozenset[int], Quote]] = []
        for source in self._sources:
            within = {
                number: places
                for number, of_figure in enumerate(needed)
                if (places := [place for place in of_figure if place.source == source.number])
            }
            for quote in self._candidates(source, weights, [place for places in within.values() for place in places]):
                end = quote.start + len(quote.text)
                numbers = (
                    number
                    for number, places in within.items()
                    if any(quote.start <= place.start and place.end <= end for place in places)
                )
                candidates.append((frozenset(numbers), quote))
        quotes: list[Quote] = []
        left = frozenset(range(len(needed)))

        def value(candidate: tuple[frozenset[int], Quote]) -> tuple[int, bool, float]:
            held, quote = candidate
            return len(held & left), quote.source in marked, quote.fit

        while left and candidates and len(quotes) < MOST_CITATIONS:
            held, quote = max(candidates, key=value)
            if not held & left:
                break
            quotes.append(quote)
            left -= held
        return quotes

    def _candidates(
        self, source: Source, weights: Mapping[str, float], places: Sequence[Place] | None = None
    ) -> list[Quote]:
        """Return the possible quotes of a passage; with places, those around them, also stretches of several lines."""
        text, spans, score = source.text, source.spans, self._scores[source.number - 1]
        quotes = []
        for span in spans:
            within = [place for place in places or () if span.start <= place.start < span.end]
            if within or places is None:
                kept = [(place.start - span.start, place.end - span.start) for place in within]
                piece, offset = cut(text[span.start : span.end], weights, kept)
                fit = score * self._fit(source, (span.start,), weights)
                quotes.append(Quote(source.number, piece, fit, span.start + offset))
        stretches = _pairs(spans)
        if places is not None:
            near = {(a, b) for a, b in stretches if any(a <= place.start < b for place in places)}
            stretches = near | _stretches(spans, places)
        for start, end in sorted(stretches):
            within_stretch = [span.start for span in spans if start <= span.start < end]
            fit = score * self._fit(source, within_stretch, weights) * _TWO_SENTENCES
            quotes.append(Quote(source.number, text[start:end], fit, start))
        return quotes

    def _fit(self, source: Source, starts: Sequence[int], weights: Mapping[str, float]) -> float:
        """Return the weights of the words of the sentences that begin at these positions, less for longer ones."""
        length = sum(self._lengths[source.number, start] for start in starts)
        shared = set[str]().union(*(self._shared.get((source.number, start), ()) for start in starts))
        return sum(weights[word] for word in shared) / sqrt(length + 6)

    def _weights(self, question: str, answer: str) -> dict[str, float]:
        """Return the rarity, among all sentences, of each word of question or answer; double for words of both."""
        asked, answered = (set(_words(_without_common(text))) for text in (question, answer))
        both = asked & answered
        return {
            word: log(1 + (len(self._lengths) - times + 0.5) / (times + 0.5)) * (2 if word in both else 1)
            for word in sorted(asked | answered)
            if (times := len(self._sentences_of.get(word, ())))
        }


def _pairs(spans: Sequence[Span]) -> set[tuple[int, int]]:
    """Return neighbouring sentences of one paragraph that fit into a quote: "it" refers to the sentence before."""
    neighbours = [(first, second) for first, second in pairwise(spans) if not second.opens]
    return {(a.start, b.end) for a, b in neighbours if b.end - a.start <= LONGEST_QUOTE}


def _stretches(spans: Sequence[Span], places: Sequence[Place]) -> set[tuple[int, int]]:
    """Return the stretches of several sentences that begin and end with a place and fit into a quote.

    A short line is joined to the one before, which may be its label.
    """
    held = sorted(
        {(span.start, span.end) for span in spans for place in places if span.start <= place.start < span.end}
    )
    stretches = {
        (first[0], last[1])
        for number, first in enumerate(held)
        for last in held[number + 1 :]
        if last[1] - first[0] <= LONGEST_QUOTE
    }
    for before, line in pairwise(spans):
        short = line.end - line.start <= _SHORT_LINE and line.end - before.start <= LONGEST_QUOTE
        if short and (line.start, line.end) in held:
            stretches.add((before.start, line.end))
    return stretches


def cut(sentence: str, weights: Mapping[str, float], kept: Sequence[tuple[int, int]] = ()) -> tuple[str, int]:
    """Return the sentence, or of a long one the stretch of whole words with the highest weight, and where it begins.

    The words at the positions `kept` weigh most.
    """
    if len(sentence) <= LONGEST_QUOTE:
        return sentence, 0
    words = [
        (*_bounds(sentence, match, kept), weights.get(_stem(match[0]), 0.0) + _NEEDED_WORD * _lies_in(match, kept))
        for match in _WORD.finditer(sentence)
    ]
    best, start, total = (-1.0, 0, LONGEST_QUOTE), 0, 0.0
    for begin_of_last, end, weight in words:
        total += weight
        while end - words[start][0] > LONGEST_QUOTE and words[start][0] < begin_of_last:
            total -= words[start][2]
            start += 1
        if total > best[0]:
            best = (total, words[start][0], min(end, words[start][0] + LONGEST_QUOTE))
    return sentence[best[1] : best[2]], best[1]


def _lies_in(word: re.Match[str], kept: Sequence[tuple[int, int]]) -> bool:
    return any(start <= word.start() < end for start, end in kept)


def _bounds(sentence: str, word: re.Match[str], kept: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Return where a word begins and ends, with the signs around it that belong to a figure: "900 €"."""
    begin, end = word.span()
    for first, last in kept:
        if first <= begin < last:
            begin = first if not _WORD.search(sentence, first, begin) else begin
            end = last if not _WORD.search(sentence, end, last) else end
    return begin, end


def _without_common(text: str) -> str:
    return _WORD.sub(lambda word: "" if word[0].lower() in COMMON_WORDS else word[0], text)


def _stem(word: str) -> str:
    """Return a prefix that "service", "services" and "serviced" share, in any language with inflected endings."""
    return word.casefold()[:5]


def _words(text: str) -> list[str]:
    """Return the stems of a text without words of two letters, which are rare among few sentences by chance."""
    return [_stem(word) for word in _WORD.findall(_MARKER.sub(" ", text)) if len(word) > 2 or not word.isalpha()]
