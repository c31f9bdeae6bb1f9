# SPDX-License-Identifier: GPL-3.0-or-later
"""A passage with its figures and words, read once for all that is looked up in it."""

from __future__ import annotations

import re
from collections import defaultdict
from copy import copy
from decimal import Decimal
from functools import cached_property, lru_cache
from itertools import pairwise

from tars_app.answers.figures import Figure, digit_parts, figures
from tars_app.answers.units import Unit, dimensions
from tars_app.kit.language import fold, language
from tars_app.kit.sentences import Span, sentences

_KEPT = 256
"""Passages of which the figures are kept for other questions, about 40 KiB each."""
ENDINGS = ("", "s", "es", "n", "en")
"""Endings of inflection that names take in English and German."""
_SHORTEST_STEM = 3
_HEADING = re.compile(r"#+ .*|[^\n]{1,60}[^\n.!?:;,]")
_WORDS = re.compile(r"[^\W_]+")
_BETWEEN_UNITS = re.compile(r"\s*(?:,|and|und)?\s*")
_BLANK_LINE = re.compile(r"\n[ \t]*\n")


class Source:
    """A passage: `number` from 1, the title (or path) of its document, and its text."""

    def __init__(self, number: int, title: str, text: str) -> None:
        self.number, self.title, self.text = number, title, text
        self.spoken = language(text)
        self.figures = _with_durations(figures(text, self.spoken), text)
        self.of_title = figures(re.sub(r"[_\-.]+", " ", title), self.spoken)

    def like(self, figure: Figure) -> list[Figure]:
        """Return the figures that may support this one, in order."""
        if figure.kind == "telephone":
            return [other for other in self.figures if other.kind in ("telephone", "number")]
        if figure.key:
            return [other for other in self.figures if other.key == figure.key]
        similar = {id(other): other for value in figure.values for other in self._by_value.get(value, ())}
        if figure.unit:
            factor = figure.unit.factor
            similar |= {id(other): other for value in figure.values for other in self._by_size.get(value * factor, ())}
        if figure.dates:
            similar |= {id(other): other for other in self.figures if other.dates}
        return sorted(similar.values(), key=lambda other: other.start)

    @cached_property
    def _by_value(self) -> dict[Decimal, list[Figure]]:
        """Figures by the numbers that they may be, and these without a sign."""
        result = defaultdict(list)
        for figure in self.figures:
            for value in figure.values | {abs(value) for value in figure.values}:
                result[value].append(figure)
        return result

    @cached_property
    def _by_size(self) -> dict[Decimal, list[Figure]]:
        """Figures with units by their size in the basic unit."""
        result = defaultdict(list)
        for figure in self.figures:
            if figure.unit:
                for value in figure.values | {abs(value) for value in figure.values}:
                    result[value * figure.unit.factor].append(figure)
        return result

    @cached_property
    def words(self) -> list[tuple[str, int, int]]:
        """The words, without case and accents, and where they are."""
        if self.text.isascii():
            return [(match[0], match.start(), match.end()) for match in _WORDS.finditer(self.text.lower())]
        return [(fold(match[0]), match.start(), match.end()) for match in _WORDS.finditer(self.text)]

    @cached_property
    def _numbers_of_words(self) -> dict[str, list[int]]:
        result = defaultdict(list)
        for number, (word, _, _) in enumerate(self.words):
            result[word].append(number)
        return result

    @cached_property
    def words_of_title(self) -> frozenset[str]:
        """The words of the title."""
        return frozenset(re.findall(r"[^\W_]+", fold(self.title)))

    @cached_property
    def common_words(self) -> frozenset[str]:
        """The words that the passage also has without a capital."""
        return frozenset(fold(word) for word in re.findall(r"(?<![^\W_])[^\W\d_]+", self.text) if word.islower())

    @property
    def all_words(self) -> frozenset[str]:
        """The words of the passage and its title."""
        return self.words_of_title.union(self._numbers_of_words)

    def find_words(self, wanted: list[str]) -> list[tuple[int, int]]:
        """Return where these words follow one another, each with any ending."""
        starts = self._numbers(wanted[0])
        for offset, word in enumerate(wanted[1:], 1):
            starts &= {number - offset for number in self._numbers(word)}
        return [(self.words[start][1], self.words[start + len(wanted) - 1][2]) for start in sorted(starts)]

    def _numbers(self, word: str) -> set[int]:
        return {number for form in forms(word) for number in self._numbers_of_words.get(form, ())}

    def has_word(self, word: str) -> bool:
        """Return whether the passage or its title has a word, with any ending."""
        return any(form in self._numbers_of_words or form in self.words_of_title for form in forms(word))

    def has_near(self, wanted: list[str]) -> bool:
        """Return whether the passage has these words, but for those of its title, side by side in any order.

        "Jonas and Carla Reinholt" has "Jonas Reinholt".
        """
        rest = [word for word in wanted if self.words_of_title.isdisjoint(forms(word))]
        numbers = [self._numbers(word) for word in rest]
        return not rest or any(
            all(
                any(abs(number - first) <= len(rest) + self._joined(first, number) for number in of_word)
                for of_word in numbers
            )
            for first in numbers[0]
        )

    def _joined(self, first: int, second: int) -> int:
        """Return 2 where "and" and a name stand between two words, else 0."""
        low, high = sorted((first, second))
        return 2 if any(word in ("and", "und") for word, _, _ in self.words[low + 1 : min(high, low + 3)]) else 0

    def count_of_lines(self, stem: str) -> int:
        """Return how many lines have a word that begins so, and a date: the entries of a record."""
        lines = {self.line_of(figure.start) for figure in self.figures if figure.dates}
        pattern = re.compile(rf"(?<![^\W_]){re.escape(stem)}")
        return sum(bool(pattern.search(fold(self.text[start:end]))) for start, end in lines)

    @cached_property
    def dimensions(self) -> frozenset[str]:
        """Dimensions of all units that the passage names."""
        return dimensions(self.text) | {figure.unit.dimension for figure in self.figures if figure.unit}

    @cached_property
    def years(self) -> frozenset[int]:
        """Years that the passage or its title names."""
        return frozenset(date.year for figure in (*self.figures, *self.of_title) for date in figure.dates if date.year)

    @cached_property
    def parts(self) -> frozenset[str]:
        """Runs of digits, with which a code can be named in part."""
        return digit_parts(self.text) | digit_parts(self.title)

    @cached_property
    def spans(self) -> list[Span]:
        """The sentences."""
        return sentences(self.text)

    @cached_property
    def sections(self) -> list[tuple[int, int]]:
        """Where the sections begin and end: paragraphs up to the next heading."""
        starts = [0]
        for match in _BLANK_LINE.finditer(self.text):
            line = self.text[match.end() :].lstrip().split("\n", 1)[0]
            if _HEADING.fullmatch(line.strip()):
                starts.append(match.end())
        return list(zip(starts, [*starts[1:], len(self.text)], strict=True))

    def figures_in(self, start: int, end: int) -> list[Figure]:
        """Return the figures that begin within a part of the text."""
        return [figure for figure in self.figures if start <= figure.start < end]

    @cached_property
    def lines_of_figures(self) -> list[list[Figure]]:
        """The figures of each line, and of all lines together."""
        lines = defaultdict(list)
        for figure in self.figures:
            lines[self.line_of(figure.start)].append(figure)
        return [*lines.values(), self.figures]

    def label_of(self, figure: Figure) -> str:
        """Return the words before a figure on its line: those of the same field of two forms are the same."""
        begin, _ = self.line_of(figure.start)
        return re.sub(r"[\W\d_]+", " ", fold(self.text[begin : figure.start]))

    def line_of(self, position: int) -> tuple[int, int]:
        """Return where the line around a position begins and ends."""
        end = self.text.find("\n", position)
        return self.text.rfind("\n", 0, position) + 1, len(self.text) if end < 0 else end


_forgotten = [0]


@lru_cache(_KEPT)
def _read(title: str, text: str) -> Source:
    source = Source(0, title, text)
    _ = source.spans, source.sections  # so that copies have them too
    return source


def read_source(number: int, title: str, text: str, forgotten: int = 0) -> Source:
    """Return a passage. What was read of it for an earlier question is not read again.

    Where `forgotten`, the number of the last document that was forgotten, has changed, nothing of before is kept.
    """
    if _forgotten[0] != forgotten:
        _read.cache_clear()
        _forgotten[0] = forgotten
    source = copy(_read(title, text))
    source.number = number
    return source


def forget_sources() -> None:
    """Forget what was read of passages."""
    _read.cache_clear()


def _with_durations(read: list[Figure], text: str) -> list[Figure]:
    """Return figures with those of durations that are written in two units: "2 hours 30 minutes" are 2.5 hours too."""
    joined = [
        Figure(
            "number",
            text[first.start : second.end],
            first.start,
            second.end,
            values=frozenset({_only_value(first) + _only_value(second)}),
            unit=Unit("time"),
        )
        for first, second in pairwise(read)
        if first.unit and second.unit and first.unit.dimension == second.unit.dimension == "time"
        if first.unit.factor > second.unit.factor and len(first.values) == len(second.values) == 1
        if _BETWEEN_UNITS.fullmatch(text, first.end, second.start)
    ]
    return sorted([*read, *joined], key=lambda figure: figure.start) if joined else read


def _only_value(figure: Figure) -> Decimal:
    """Return the value of a figure with a single one, in the basic unit."""
    return next(iter(figure.values)) * (figure.unit.factor if figure.unit else 1)


def forms(word: str) -> frozenset[str]:
    """Return the forms of inflection that a name may have, of which this word is one."""
    stems = {
        word[: len(word) - len(ending)]
        for ending in ENDINGS
        if word.endswith(ending) and (not ending or len(word) - len(ending) >= _SHORTEST_STEM)
    }
    return frozenset(stem + ending for stem in stems for ending in ENDINGS)
