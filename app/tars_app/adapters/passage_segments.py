# SPDX-License-Identifier: GPL-3.0-or-later
"""Where words occur: part of the index of passages in memory."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from tars_app.adapters.passage_words import COMPOUNDING, letters_of


@dataclass
class Segment:
    """Where the words of some passages occur, and how often, as big-endian numbers of 32 bits by word.

    A word that is `joined` of several may have a row more than once. Words of `compounding` are those of a language
    that writes compounds as one word. `trigrams` has the words of letters alone by each three letters in succession.
    """

    passages: int
    postings: dict[str, tuple[bytes, bytes]] = field(default_factory=dict)
    joined: set[str] = field(default_factory=set)
    compounding: set[str] = field(default_factory=set)
    trigrams: dict[str, list[str]] = field(default_factory=dict)

    def add(self, language: str, postings: Mapping[str, tuple[bytes, bytes]], joined: Collection[str]) -> None:
        """Add the words of passages in a language, which are other passages than those of the languages before."""
        for key, (rows, times) in postings.items():
            before = self.postings.get(key, (b"", b""))
            self.postings[key] = (before[0] + rows, before[1] + times)
        self.joined.update(joined)
        if language in COMPOUNDING:
            self.compounding.update(postings)

    def words_with(self, word: str) -> list[str]:
        """Return the keys of the words that contain this one, which has three letters or more."""
        if not self.trigrams:
            for key in self.postings:
                if (letters := letters_of(key)).isalpha():
                    for trigram in _trigrams(letters):
                        self.trigrams.setdefault(trigram, []).append(key)
        keys = min((self.trigrams.get(trigram, []) for trigram in _trigrams(word)), key=len)
        return [key for key in keys if word in key]

    def append(self, other: Segment) -> None:
        """Add the words of passages with later rows."""
        self.add("", other.postings, other.joined)
        self.passages += other.passages
        self.compounding |= other.compounding
        self.trigrams = {}

    def remove(self, gone: npt.NDArray[np.bool_]) -> None:
        """Remove the words of rows for which `gone` is true."""
        for word, (rows, times) in list(self.postings.items()):
            kept = ~gone[np.frombuffer(rows, ">i4").astype(np.intp)]
            if not kept.any():
                del self.postings[word]
            elif not kept.all():
                self.postings[word] = _select(rows, kept), _select(times, kept)
        self.trigrams = {}


def _select(numbers: bytes, kept: npt.NDArray[np.bool_]) -> bytes:
    """Return those of big-endian numbers of 32 bits that are kept."""
    return np.frombuffer(numbers, ">i4")[kept].tobytes()


def _trigrams(letters: str) -> set[str]:
    return {letters[start : start + 3] for start in range(len(letters) - 2)}
