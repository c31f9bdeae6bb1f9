# SPDX-License-Identifier: GPL-3.0-or-later
"""The syntax of a web search in a query, and the words of it that are looked for."""

from __future__ import annotations

import re

from tars_app.kit.language import FUNCTION_WORDS
from tars_app.kit.text import words

# Well formed only: a pair of quotes around words, a word after a minus, OR between words. Not 27" and -9.
_PHRASE = r'(?<![^\s(])"[^"]*\w[^"]*"(?!\w)'
_WITHOUT = r"(?:(?<=\s)|\A)-[^\W\d]\w*"
_OPERATORS = re.compile(rf"{_PHRASE}|{_WITHOUT}|(?<=\w )OR(?= \w)")
_EXCLUDED = re.compile(rf"{_WITHOUT}|(?<=\w )OR(?= \w)")
_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)?")


_ASKING = frozenset(
    words(
        """
        according amount big called cost costs cost expensive far fast happen high large long mean means name number old
        pay paid price prices say size tall
        alt aufgeführt bedeutet besagt besagte betrag beträgt dauert enthielt frühere früheren galt gelten gilt groß
        heißen hieß hoch kosten kostet kostete lang lange laut lauten lautet lautete macht machte name nannte nennt
        nummer preis preise stand steht telefonnummer teuer verlangte verlangt weit zahlen zahlt
        """
    )
)
"""Words for what is asked of a subject. A document that answers need not have them."""


def asking_of(question: str) -> str:
    """Return those words of a question that a document need not have, although it answers the question."""
    return " ".join(word for word in _WORD.findall(question) if word.lower() in _ASKING)


def has_operators(query: str) -> bool:
    """Return whether a query uses web search syntax ("a phrase", -without, OR), which results have to match."""
    return bool(_OPERATORS.search(query))


def without_operators(query: str) -> str:
    """Return the words of a query that results may have: not those after a minus."""
    return _EXCLUDED.sub(" ", query).replace('"', " ")


def content_of(question: str) -> str:
    """Return a question without the words that hold sentences together, unless it has no others."""
    rest = _WORD.sub(lambda word: " " if word[0].lower() in FUNCTION_WORDS else word[0], question)
    return rest if _WORD.search(rest) else question
