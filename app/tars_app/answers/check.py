# SPDX-License-Identifier: GPL-3.0-or-later
"""Check an answer sentence by sentence while it is written, and choose the quotes for each sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tars_app.answers.grounding import Evidence, Grounded
from tars_app.answers.quotes import Quotable, Quote
from tars_app.answers.schemas import Sentence, Support, UnsupportedPart
from tars_app.kit.sentences import sentences

MOST_QUOTES = 6
"""Quotes of an answer of several sentences."""
_MOST_NEAREST = 2
_MARKERS = re.compile(r"\[\d{1,2}\]")
_END = re.compile(
    r"[.!?…:)\]\"'\u201d\u2019»*]\s+\S|\n|[\u0e01-\u0eff\u104b\u17d4\u0964\u061f\u06d4]\s\S|[\u3002\uff01\uff1f]"
)
NOTES: dict[Support, str] = {
    "partly_supported": "The passages that were read do not support the marked sentences. Rely on the quotations.",
    "unsupported": (
        "The documents do not say this: the passages that were read do not support what is marked. "
        "The sentences that come nearest are quoted."
    ),
}


@dataclass(frozen=True)
class Checked:
    """A sentence of the answer at its position, compared with the passages."""

    number: int
    start: int
    end: int
    grounded: Grounded

    def event(self) -> Sentence:
        """Return the sentence as it is sent."""
        parts = [
            UnsupportedPart(
                text=entry.figure.text,
                start=self.start + entry.figure.start,
                end=self.start + entry.figure.end,
                kind=entry.figure.kind,
                reason=entry.reason,
            )
            for entry in self.grounded.unsupported
        ]
        return Sentence(number=self.number, start=self.start, end=self.end, unsupported=parts)


@dataclass
class AnswerCheck:
    """An answer that grows, and its checked sentences so far."""

    evidence: Evidence
    text: str = ""
    checked: list[Checked] = field(default_factory=list)

    def add(self, piece: str) -> list[Checked]:
        """Append a piece of the answer; return the sentences that are complete now."""
        self.text = self.text + piece if self.text else piece.lstrip()
        if not _END.search(self.text, self.checked[-1].end if self.checked else 0):
            return []
        return self._check(sentences_of(self.text)[:-1])

    def finish(self) -> list[Checked]:
        """Return the sentences that the end of the answer completes."""
        self.text = self.text.rstrip()
        return self._check(sentences_of(self.text))

    def _check(self, spans: Sequence[tuple[int, int]]) -> list[Checked]:
        first = len(self.checked)
        for number, (start, end) in enumerate(spans[first:], first + 1):
            self.checked.append(Checked(number, start, end, self.evidence.check(self.text[start:end])))
        return self.checked[first:]

    @property
    def support(self) -> Support:
        """How far the passages support the answer."""
        unsupported = [sentence for sentence in self.checked if not sentence.grounded.is_supported]
        if not unsupported:
            return "supported"
        asked = self.evidence.question.asked
        useful = any(
            sentence.grounded.supported if asked is None else sentence.grounded.answers_question
            for sentence in self.checked
            if asked is not None or sentence.grounded.is_supported
        )
        return "partly_supported" if useful else "unsupported"


def sentences_of(answer: str) -> list[tuple[int, int]]:
    """Return where the sentences of an answer begin and end; markers ([1]) belong to the sentence before them."""
    spans: list[tuple[int, int]] = []
    for span in sentences(answer):
        bare = _MARKERS.sub("", answer[span.start : span.end])
        if spans and not any(map(str.isalnum, bare)):
            spans[-1] = (spans[-1][0], span.end)
        else:
            spans.append((span.start, span.end))
    return spans


def quotes_of(question: str, check: AnswerCheck, quotable: Quotable) -> list[tuple[Quote, list[int]]]:
    """Return the quotes for an answer, each with the numbers of its sentences; at least one if there is a passage.

    The figures of a sentence stand in its quotes. A sentence that is not supported is given what the passages have of
    the kind that the question asks for, and what fits the question best.
    """
    chosen: dict[tuple[int, str], tuple[Quote, list[int]]] = {}
    for quote, number in _all_quotes(question, check, quotable):
        if len(chosen) < MOST_QUOTES or (quote.source, quote.text) in chosen:
            chosen.setdefault((quote.source, quote.text), (quote, []))[1].append(number)
    if not chosen:
        return [(quote, []) for quote in quotable.find(question, "")]
    return list(chosen.values())


def _all_quotes(question: str, check: AnswerCheck, quotable: Quotable) -> Iterator[tuple[Quote, int]]:
    nearest: list[Quote] | None = None
    for sentence in check.checked:
        grounded = sentence.grounded
        needed = [places for _, places in grounded.supported if places]
        if needed:
            codes = check.evidence.places_of_codes({place.source for places in needed for place in places})
            quotes = quotable.find(question, grounded.text, [*needed, *codes])
        elif not grounded.unsupported:
            quotes = quotable.find(question, grounded.text)[: MOST_QUOTES if sentence.number == 1 else 1]
        else:
            quotes = []
        if grounded.unsupported and not grounded.answers_question:
            nearest = _nearest(question, check.evidence, quotable) if nearest is None else nearest
            quotes = _apart([*quotes, *nearest])
        elif not quotes:
            quotes = quotable.find(question, "")
        for quote in quotes:
            yield quote, sentence.number


def _nearest(question: str, evidence: Evidence, quotable: Quotable) -> list[Quote]:
    """Return what the passages have of the kind that is asked for, and what fits the question best."""
    needed = evidence.nearest()
    quotes = quotable.find(question, "", needed)[:_MOST_NEAREST] if needed else []
    best = quotable.find(question, "")[:1]
    return sorted(_apart([*quotes, *best]), key=lambda quote: -quote.fit)


def _apart(quotes: Sequence[Quote]) -> list[Quote]:
    """Return the quotes without those that overlap with an earlier one."""
    kept: list[Quote] = []
    for quote in quotes:
        if not any(map(quote.overlaps, kept)):
            kept.append(quote)
    return kept
