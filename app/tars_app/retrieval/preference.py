# SPDX-License-Identifier: GPL-3.0-or-later
"""The order of passages that fit about equally: by the time that a question names, and with copies after the others."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from uuid import UUID

from tars_app.kit.dates import MONTH, first_day, last_day
from tars_app.retrieval.places import Passage
from tars_app.retrieval.times import TimeInQuestion

STRONG_SHARE = 0.7
"""Passages with at least this share of the best score fit about equally; time decides among these alone."""
_ALMOST_BEST = 0.9
_KIN = 0.5
_COPY = 0.85
"""Share of their words that passages of a series (bills of one supplier), and copies of one text, have together."""
_WORD = re.compile(r"[^\W_]+")
_LETTERS = re.compile(r"[^\W\d_]{2,}")
_MONTH = re.compile(rf"(?<![^\W\d_])(?:{MONTH})(?![^\W\d_])", re.IGNORECASE)


def prefer(
    passages: Sequence[Passage],
    named: TimeInQuestion | None,
    latest: bool,
    then: Collection[UUID] = frozenset(),
) -> list[Passage]:
    """Return the passages with those of the time first, as far as they fit about as well as the best one.

    The latest of a series first; or those of documents of a period, and of versions (`then`) that existed in it; or of
    several versions of a document, the latest. The date is the one that the document claims, else its file's.
    """
    best = max((passage.score for passage in passages), default=0.0)
    strong = [passage for passage in passages if passage.score >= STRONG_SHARE * best]
    weak = [passage for passage in passages if passage.score < STRONG_SHARE * best]
    if latest and strong:
        first = strong[0]
        series = [p for p in strong if _in_series(p, first) or (p.score >= _ALMOST_BEST * best and _beside(p, first))]
        series.sort(key=lambda passage: last_day(passage.day), reverse=True)
        others = [passage for passage in strong if all(passage is not other for other in series)]
        strong = series + others
    elif named and named.kind == "between":
        strong = _latest_versions_first(strong)
    elif named and named.first and named.last and named.kind == "period":
        first_of, last_of = named.first, named.last
        strong.sort(
            key=lambda passage: (
                passage.version_id not in then
                and not (first_day(passage.day) <= last_of and first_of <= last_day(passage.day))
            )
        )
    return strong + weak


def _in_series(passage: Passage, other: Passage) -> bool:
    """Return whether two passages are of one document, of documents whose names differ in numbers, or much alike."""
    if passage.document_id == other.document_id or _bare(passage.path) == _bare(other.path):
        return True
    return _likeness(set(_LETTERS.findall(passage.text)), set(_LETTERS.findall(other.text))) >= _KIN


def _beside(passage: Passage, other: Passage) -> bool:
    return passage.path.rpartition("/")[0] == other.path.rpartition("/")[0]


def _bare(path: str) -> str:
    """Return a path without numbers and months: those of a series of bills are the same."""
    return re.sub(r"[\W\d_]+", " ", _MONTH.sub(" ", path)).casefold()


def _latest_versions_first(passages: Sequence[Passage]) -> list[Passage]:
    """Return the passages with those of each document, at the places that they have, in the order of its versions."""
    of_document: dict[UUID, list[Passage]] = {}
    for passage in passages:
        of_document.setdefault(passage.document_id, []).append(passage)
    for own in of_document.values():
        # Only versions of the same piece of text change places.
        for number, passage in enumerate(own):
            later = [
                (other.observed, place)
                for place, other in enumerate(own[number:], number)
                if _likeness(_words(passage), _words(other)) >= _KIN
            ]
            _, place = max(later)
            own[number], own[place] = own[place], own[number]
    return [of_document[passage.document_id].pop(0) for passage in passages]


def apart(passages: Sequence[Passage], limit: int) -> list[Passage]:
    """Return the first passages that are not almost a copy of an earlier one, and copies if there are too few."""
    kept: list[Passage] = []
    copies: list[Passage] = []
    known: list[set[str]] = []
    for passage in passages:
        if len(kept) == limit:
            break
        words = _words(passage)
        if any(_likeness(words, other) >= _COPY for other in known):
            copies.append(passage)
        else:
            kept.append(passage)
            known.append(words)
    return (kept + copies)[:limit]


def _words(passage: Passage) -> set[str]:
    return set(_WORD.findall(passage.text.casefold()))


def _likeness(words: set[str], others: set[str]) -> float:
    """Return the share of words that two texts have together."""
    return len(words & others) / max(1, len(words | others))
