# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the sentence of a passage that supports an answer. A quote is a piece of the passage, letter for letter."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import log, sqrt
from operator import attrgetter

from tars_app.kit.sentences import Span, sentences

LONGEST_QUOTE = 300
_MARKER = re.compile(r"\[(\d{1,2})\]")
_WORD = re.compile(r"\w+")
_RIVAL = 0.75
"""A passage without a marker is cited too if the score of its sentence is at least this share of the best."""
MOST_CITATIONS = 3
_TWO_SENTENCES = 0.9
"""Two sentences are quoted only if they score clearly higher than either alone."""


@dataclass(frozen=True)
class Quote:
    """A piece of passage number `source` (from 1)."""

    source: int
    text: str
    fit: float


def find_quotes(question: str, answer: str, texts: Sequence[str], scores: Sequence[float]) -> list[Quote]:
    """Return the best sentence, or two neighbours, of each passage that supports the answer, the best first.

    There is at least one if there is a passage. `scores` (0 to 1) are those of retrieval: a small model's answer alone
    is a poor guide. A passage counts as used if the answer names it ([1]) and shares words with it, or shares about as
    many rare words with it as with the best.
    """
    spans = [sentences(text) for text in texts]
    singles = [[text[span.start : span.end] for span in of_text] for text, of_text in zip(texts, spans, strict=True)]
    pairs = [_pairs(text, of_text) for text, of_text in zip(texts, spans, strict=True)]
    weights = _weights(question, answer, [piece for of_text in singles for piece in of_text])
    best = [
        max(
            [
                *(Quote(number, cut(piece, weights), score * _fit(piece, weights)) for piece in of_text),
                *(Quote(number, piece, score * _fit(piece, weights) * _TWO_SENTENCES) for piece in joined),
            ],
            key=attrgetter("fit"),
        )
        for number, (of_text, joined, score) in enumerate(zip(singles, pairs, scores, strict=True), 1)
        if of_text
    ]
    best.sort(key=lambda quote: -quote.fit)
    if not best:
        return []
    marked = {int(number) for number in _MARKER.findall(answer)}
    used = [quote for quote in best if quote.fit > 0 and (quote.source in marked or quote.fit >= _RIVAL * best[0].fit)]
    used.sort(key=lambda quote: (quote.source not in marked, -quote.fit))
    return used[:MOST_CITATIONS] or best[:1]


def _pairs(text: str, spans: Sequence[Span]) -> list[str]:
    """Return neighbouring sentences of one paragraph that fit into a quote: "it" refers to the sentence before."""
    neighbours = [(first, second) for first, second in pairwise(spans) if not second.opens]
    return [text[a.start : b.end] for a, b in neighbours if b.end - a.start <= LONGEST_QUOTE]


def cut(sentence: str, weights: Mapping[str, float]) -> str:
    """Return the sentence, or of a long one the stretch of whole words with the highest weight."""
    if len(sentence) <= LONGEST_QUOTE:
        return sentence
    words = [(match.start(), match.end(), weights.get(_stem(match[0]), 0.0)) for match in _WORD.finditer(sentence)]
    best, start, total = (-1.0, 0, LONGEST_QUOTE), 0, 0.0
    for begin_of_last, end, weight in words:
        total += weight
        while end - words[start][0] > LONGEST_QUOTE and words[start][0] < begin_of_last:
            total -= words[start][2]
            start += 1
        if total > best[0]:
            best = (total, words[start][0], min(end, words[start][0] + LONGEST_QUOTE))
    return sentence[best[1] : best[2]]


def _stem(word: str) -> str:
    """Return a prefix that "service", "services" and "serviced" share, in any language with inflected endings."""
    return word.casefold()[:5]


def _words(text: str) -> list[str]:
    """Return the stems of a text without words of two letters, which are rare among few sentences by chance."""
    return [_stem(word) for word in _WORD.findall(_MARKER.sub(" ", text)) if len(word) > 2 or not word.isalpha()]


def _weights(question: str, answer: str, pieces: Sequence[str]) -> dict[str, float]:
    """Return the rarity, among these sentences, of each word of question or answer; double for words of both."""
    frequency = Counter(word for piece in pieces for word in set(_words(piece)))
    asked, answered = set(_words(question)), set(_words(answer))
    both = asked & answered
    return {
        word: log(1 + (len(pieces) - frequency[word] + 0.5) / (frequency[word] + 0.5)) * (2 if word in both else 1)
        for word in asked | answered
        if frequency[word]
    }


def _fit(piece: str, weights: Mapping[str, float]) -> float:
    words = _words(piece)
    return sum(weights.get(word, 0.0) for word in set(words)) / sqrt(len(words) + 6)
