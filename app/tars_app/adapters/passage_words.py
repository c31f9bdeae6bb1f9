# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of a question in the languages of the passages, and the keys under which the index has words.

A passage is analysed in its own language, and a question in every language of the passages that are searched. Passages
whose language is not clear, and the names of documents, keep their words as they are: `Forms` has the stem of each in
every language.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import Connection

UNDECIDED = "simple"
"""The text search configuration of passages whose language is not clear, or has no analyser: words are not stemmed."""
COMPOUNDING = frozenset({"danish", "dutch", "finnish", "german", "hungarian", "norwegian", "swedish"})
"""Text search configurations of languages that write compounds as one word."""
ANY_LANGUAGE = ""
"""In place of a language for words that are the same in all: identifiers, and pairs of characters."""
_AS_IT_IS = "="
"""Precedes the key of a word that is not stemmed."""
_UMLAUT = re.compile(r"(?<![aeq])ue|ae|oe")
_LETTERS = str.maketrans({"ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "đ": "d", "\u0131": "i", "ß": "ss"})
_ACCENTS = re.compile("[\u0300-\u036f]")
# Thai, Lao, Burmese, Khmer, kana and Chinese characters: words stand together without spaces.
_UNSPACED = re.compile(
    "[\u0e01-\u0eff\u1000-\u109f\u1780-\u17ff\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+"
)
_YEAR = re.compile(r"(?:19|20|21)\d\d")
_SHORTEST_IDENTIFIER = 3

_WORDS = """
SELECT t.number, l.language, u.lexeme, u.positions
FROM unnest(%b::text[]) WITH ORDINALITY AS t (text, number) CROSS JOIN unnest(%b::text[]) AS l (language)
CROSS JOIN LATERAL unnest(to_tsvector(l.language::regconfig, t.text)) u
"""
_LEXEMES = """
SELECT w.text, tsvector_to_array(to_tsvector(%b::regconfig, w.text)) AS words FROM unnest(%b::text[]) AS w (text)
"""


@dataclass(frozen=True)
class Word:
    """A word of a question: pairs of a language and the stem that its analyser returns for the word."""

    stems: frozenset[tuple[str, str]]

    @property
    def is_identifier(self) -> bool:
        """Whether it names one thing."""
        return any(is_identifier(stem) for _, stem in self.stems)

    @property
    def is_number(self) -> bool:
        """Whether it consists of digits."""
        return any(stem.lstrip("-").isdecimal() for _, stem in self.stems)


def plain(text: str) -> Word:
    """Return a word that is the same in all languages."""
    return Word(frozenset({(ANY_LANGUAGE, text)}))


def words_of(
    connection: Connection[dict[str, Any]], text: str, languages: Sequence[str]
) -> tuple[list[Word], list[Word]]:
    """Return the words of a text, and those of them that one of the languages ignores as too common.

    A word that all languages ignore is left out. Each analyser splits a text alike, so that a position is one word.
    """
    [words] = words_of_each(connection, [text], languages)
    return words


def words_of_each(
    connection: Connection[dict[str, Any]], texts: Sequence[str], languages: Sequence[str]
) -> list[tuple[list[Word], list[Word]]]:
    """Return the words of texts, as `words_of` does, with one statement."""
    of_position: list[dict[int, set[tuple[str, str]]]] = [defaultdict(set) for _ in texts]
    for row in connection.execute(_WORDS, (list(texts), list(languages))).fetchall():
        for position in row["positions"]:
            stem = (row["language"], fold(row["language"], row["lexeme"]))
            of_position[row["number"] - 1][position].add(stem)
    return [_grouped(list(positions.values()), len(languages)) for positions in of_position]


def _grouped(positions: Sequence[set[tuple[str, str]]], languages: int) -> tuple[list[Word], list[Word]]:
    """Return the words that stand at positions of a text, and those that not all languages have."""
    groups: list[tuple[set[tuple[str, str]], bool]] = []
    for stems in positions:
        common = len(stems) < languages
        same = [group for group in groups if group[0] & stems]
        groups = [group for group in groups if group not in same]
        groups.append((stems.union(*(others for others, _ in same)), common and all(flag for _, flag in same)))
    words: list[Word] = []
    ignored: list[Word] = []
    for stems, common in groups:
        made = [plain(pair) for pair in sorted({pair for _, stem in stems for pair in pairs_of(stem)})]
        made = made or [Word(frozenset(stems))]
        words += made
        ignored += made if common else []
    return words, ignored


def fold(language: str, word: str) -> str:
    """Return a stem without case and accents; in German, ae, oe and ue are ä, ö and ü."""
    if not word.isascii():
        decomposed = unicodedata.normalize("NFKD", word.lower())
        word = unicodedata.normalize("NFC", _ACCENTS.sub("", decomposed)).translate(_LETTERS)
    return _UMLAUT.sub(lambda umlaut: umlaut[0][0], word) if language == "german" and "e" in word else word


def key_of(language: str, lexeme: str) -> str:
    """Return the key of a word of a passage in a language. A number is the same in all."""
    if language == UNDECIDED and not has_digit(lexeme):
        return as_it_is(lexeme)
    return fold(language, lexeme)


def as_it_is(word: str) -> str:
    """Return the key of a word that is not stemmed."""
    return _AS_IT_IS + word


def is_as_it_is(key: str) -> bool:
    """Return whether a key is that of a word that is not stemmed."""
    return key.startswith(_AS_IT_IS)


def letters_of(key: str) -> str:
    """Return the word of a key."""
    return key.removeprefix(_AS_IT_IS)


def pairs_of(word: str) -> set[str]:
    """Return the characters, two by two, of a word in a script without spaces between words; else nothing."""
    runs = _UNSPACED.findall(word)
    return {run[start : start + 2] for run in runs for start in range(max(1, len(run) - 1))}


def is_identifier(word: str) -> bool:
    """Return whether a word names one thing: with a digit, and three characters or several parts; but not a year."""
    return has_digit(word) and (" " in word or (len(word) >= _SHORTEST_IDENTIFIER and not _YEAR.fullmatch(word)))


def has_digit(text: str) -> bool:
    """Return whether a text has a digit."""
    return any(map(str.isdecimal, text))


def lexemes(connection: Connection[dict[str, Any]], language: str, texts: Iterable[str]) -> list[tuple[str, list[str]]]:
    """Return the words of each text as PostgreSQL's text search stems them."""
    rows = connection.execute(_LEXEMES, (language, sorted(texts)), binary=True).fetchall()
    return [(row["text"], row["words"]) for row in rows]


class Forms:
    """The keys of words that are not stemmed, by the stem that they have in a language."""

    def __init__(self) -> None:
        self._keys: set[str] = set()
        self._keys_of: dict[str, dict[str, set[str]]] = {}

    def update(self, connection: Connection[dict[str, Any]], keys: Iterable[str], languages: Iterable[str]) -> None:
        """Add the stems of keys in languages, where they are missing."""
        new = set(keys) - self._keys
        for language in languages:
            missing = new if language in self._keys_of else self._keys | new
            of_language = self._keys_of.setdefault(language, defaultdict(set))
            words = {letters_of(key): key for key in missing}
            for word, stems in lexemes(connection, language, words) if words else ():
                if stems:  # the longest is that of the whole word, where it has parts
                    of_language[fold(language, max(stems, key=len))].add(words[word])
        self._keys |= new

    def of(self, language: str, stem: str) -> set[str]:
        """Return the keys of the words that have a stem in a language."""
        return self._keys_of.get(language, {}).get(stem, set())
