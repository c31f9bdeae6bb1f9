# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether passages are about what a question asks for, and not only near it: a document has to have its first noun.

"What colour is the Octavia?" is near to every page about the car, and none of them has a colour.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tars_app.kit.dates import MONTHS
from tars_app.kit.language import FUNCTION_WORDS, fold, language
from tars_app.kit.text import words

_WORD = re.compile(r"[^\W_]+(?:-[^\W_]+)*")
_DETERMINERS = frozenset(words("the a an my our your his her their its this that what which whose many much"))
_PREPOSITIONS = frozenset(words("of to in on at for with by from about into between and or than as"))
# Words for a document itself, for a kind of answer (see asked.py), or for the house in which all of this is.
_GENERIC = frozenset(
    words(
        """
        address amount answer bill brand company content cost costs customer date day detail document documents email
        entry fee figure file firm form hour info information invoice kind letter list make model month name note notes
        number page paper papers part pdf person phone place price prices record records rule rules sheet sort state
        sum telephone text thing time times total type value version week year years
        angabe anlage betrag blatt brief datei datum dokument eintrag euro firma form gebühr höhe information
        inhalt jahr jahre kosten kunde liste marke monat name notiz notizen nummer ort person preis preise rechnung
        regel regeln satz schreiben seite stand stelle stunde summe tag tage telefon telefonnummer text typ uhr uhrzeit
        unterlage unterlagen version wert woche zahl zeit zeitpunkt zettel
        family flat home house household familie haus haushalt wohnung
        spring summer autumn winter frühling frühjahr sommer herbst
        """
    )
) | frozenset(MONTHS)
_ADJECTIVE = re.compile(
    r"\w+(?:ed|ing|al|ive|able|ible|ous|est|ful|less|ary|ic|ly)|new|old|first|second|third|next|main"
)
_OF = frozenset(words("of von vom des"))
_STEM, _SHORTEST = 5, 3
_FIRST_PART, _LAST_PART = 4, 6
"""Least letters of the parts of a compound."""
_SURE_OF_NAMES = 0.55


@dataclass(frozen=True)
class Noun:
    """A noun of a question. An `essential` one is the first, or follows "of": "the guarantee of the refrigerator"."""

    text: str
    essential: bool


def nouns(question: str) -> list[Noun]:
    """Return the nouns that a question in English or German is about, without those for a kind of answer.

    In English these are names, and the first noun after an article or "what": its verb may follow at once.
    """
    german = language(question) == "de"
    chosen: list[Noun] = []
    within = of = False
    for number, token in enumerate(_WORD.findall(question)):
        word = token.lower()
        if word in _DETERMINERS:
            within = not german
        elif word in FUNCTION_WORDS or word in _PREPOSITIONS:
            within, of = False, word in _OF
        elif (token[0].isupper() and number > 0) or (within and not _ADJECTIVE.fullmatch(word)):
            if len(word) >= _SHORTEST and word not in _GENERIC:
                chosen.append(Noun(token, not chosen or of))
            within = of = False
    return chosen


def is_missing(question: str, passages: Iterable[tuple[str, str]], score: float) -> bool:
    """Return whether no document has the essential nouns of a question. A passage is its title and its text.

    With a `score` of the best passage below 0.55, the document has to have the names too; in German, which writes all
    nouns like names, more than half of the nouns. Above it, a word in one language is not expected in documents that
    are all in the other one.
    """
    known, spoken = list(passages), language(question)
    named = [noun for noun in nouns(question) if noun.essential or noun.text[0].isupper()]
    all_wanted = score < _SURE_OF_NAMES and spoken != "de"
    wanted = {_parts(noun.text) for noun in named if noun.essential or all_wanted}
    most = {_parts(noun.text) for noun in named} if score < _SURE_OF_NAMES else set()
    languages = {language(text) for _, text in known} - {""}
    foreign = bool(spoken and languages) and spoken not in languages
    if not wanted or (foreign and score >= _SURE_OF_NAMES):
        return False
    of_document: dict[str, list[str]] = defaultdict(list)
    for title, text in known:
        of_document[title].append(fold(text))
    return not any(_has(wanted, most, [fold(title), *texts]) for title, texts in of_document.items())


def _has(wanted: set[tuple[str, str]], most: set[tuple[str, str]], texts: Sequence[str]) -> bool:
    present = {
        (part, word) for part, word in wanted | most if any(part in text for text in texts) or _has_parts(word, texts)
    }
    return wanted <= present and 2 * len(most & present) >= len(most) + bool(most)


def _parts(token: str) -> tuple[str, str]:
    """Return the beginning of a word, which its forms and compounds share, and the word."""
    return fold(token)[:_STEM], fold(token)


def _has_parts(word: str, texts: Sequence[str]) -> bool:
    """Return whether a document has both parts of a compound ("Autoversicherung": Auto, Kfz-Versicherung)."""
    return any(
        all(any(part in text for text in texts) for part in (word[:place], word[place:]))
        for place in range(_FIRST_PART, len(word) - _LAST_PART + 1)
    )
