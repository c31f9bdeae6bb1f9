# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell English from German by the words that hold sentences together."""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

from tars_app.kit.text import words

Language = Literal["en", "de", ""]

_WORD = re.compile(r"[^\W\d_]+")
_ENGLISH = frozenset(
    words(
        """
        a and are as at been before by can did do does every for from has have how is it of on once or per should than
        that the their they this to until was we were what when where which while who will with would you your
        """
    )
)
_GERMAN = frozenset(
    words(
        """
        auf aus bei beim bis das dass dem den der des die durch ein eine einem einen einer er es für gibt hat ich im ist
        jeden jeder jedes kann mit muss nach nicht oder seit sich sie sind über um und unter vom von vor wann war welche
        welcher welches wenn wer werden wie wir wird wo wurde wurden zu zum zur zwischen
        """
    )
)
COMMON_WORDS = frozenset(
    words(
        """
        a an and are at by can could did do does for from had has have how i in is it its last latest much many my of on
        or our the their there this to was we were what when where which who will with would you your years year am an
        auf aus bei das dem den der des die durch ein eine einen einer er es für hat haben ich im in ist letzte letzten
        mein meine mit sich sie sind um und unser unsere viel viele von vom war wann was welche welcher welches wer
        werden wie wird wir wo wurde wurden zu zuletzt zum zur
        """
    )
)
"""Words that are in every question, in English and German: they say nothing of its subject."""
FUNCTION_WORDS = (
    _ENGLISH
    | _GERMAN
    | COMMON_WORDS
    | frozenset(
        words(
            """
            about any anything because been but cannot find finds get give gives got has if into just know let me more
            need needs no not our out please say see show so some tell than that's these they those want what's
            whose why yes aber alle als also am bitte da damit dann dass denn doch gab gab's gib habe heißt ihr ihre ja
            jetzt kannst keine können könntest man mehr mich mir möchte nein noch nur ob sag sage schon sein seine sind
            so such suche warum was wem wen weil wessen wo wurden zeig zeige
            """
        )
    )
)
"""Words without a subject of their own, which a search ignores."""
_LETTERS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})


def language(text: str) -> Language:
    """Return the language of a text, or "" where its words show neither."""
    words_of_text = [word.lower() for word in _WORD.findall(text)]
    english, german = (sum(word in known for word in words_of_text) for known in (_ENGLISH, _GERMAN))
    if english == german:
        return ""
    return "en" if english > german else "de"


def fold(text: str) -> str:
    """Return a text without case and accents, and with ae, oe, ue and ss for ä, ö, ü and ß."""
    if text.isascii():
        return text.lower()
    plain = unicodedata.normalize("NFC", text).casefold().translate(_LETTERS)
    return "".join(mark for mark in unicodedata.normalize("NFKD", plain) if not unicodedata.combining(mark))
