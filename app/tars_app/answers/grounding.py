# SPDX-License-Identifier: GPL-3.0-or-later
"""Look up every figure and name of an answer in the passages that the model was given. Deterministic; no model."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Literal

from tars_app.answers.arithmetic import (
    MOST_OPERANDS,
    follows,
    follows_from_stated,
    is_rate,
    is_rounded,
    is_total,
    is_written,
    written_results,
)
from tars_app.answers.asked import Question, answers_kind, figures_that_answer, overlap, read_question, stems
from tars_app.answers.dates import Date
from tars_app.answers.figures import Figure, figures
from tars_app.answers.names import names, quoted, words_of
from tars_app.answers.periods import is_computed_date, is_time_between, is_time_of_day_between
from tars_app.answers.quotes import Place
from tars_app.answers.sources import Source, forms, read_source
from tars_app.kit.language import Language, fold, language

Reason = Literal["absent", "other", "calculation"]
Supported = tuple[Figure, list[Place]]
"""A figure or name, and where the passages have it."""
_SEVERAL = re.compile(r"[,;:(](?!\d)|(?<![^\W_])(?:and|und|while|whereas|but|aber)(?![^\W_])", re.IGNORECASE)
_SHORTEST_PART = 4
_WORDS_OF_ROW, _SHORTEST_UNIT = 2, 3
_COUNTING = re.compile(r"\b(?:there (?:are|were)|es (?:gibt|sind))\s*\Z", re.IGNORECASE)
_LABEL = re.compile(r"([^\W\d_]{3,})[\s.:#]*(?:(?:no|nr|number|nummer)\b[\s.:#]*)?\Z", re.IGNORECASE)


@dataclass(frozen=True)
class Unsupported:
    """A figure or name of a sentence for which the passages have no evidence.

    "absent" where no passage has it, "other" where it stands only beside another identifier than the one asked for,
    "calculation" where a sum or difference does not come out.
    """

    figure: Figure
    reason: Reason


@dataclass(frozen=True)
class Grounded:
    """A sentence of an answer: what it leaves unsupported, and the places of what it does not."""

    text: str
    unsupported: list[Unsupported]
    supported: list[Supported]
    answers_question: bool

    @property
    def is_supported(self) -> bool:
        """Whether the passages support everything that can be looked up."""
        return not self.unsupported


class Evidence:
    """The passages that a model was given, with the question, to look up what it answers."""

    def __init__(self, question: str, passages: Sequence[tuple[str, str]], forgotten: int = 0) -> None:
        """Take the title and the text of each passage, and the number of the last document that was forgotten."""
        self.question: Question = read_question(question)
        self.sources = [read_source(number, title, text, forgotten) for number, (title, text) in enumerate(passages, 1)]
        self._asked = figures(question)
        self._asked_words = frozenset(re.findall(r"[^\W_]+", fold(question)))
        self._operands: list[Figure] = []
        self._rivals = _Rivals(question, self._asked, self.sources)

    def check(self, sentence: str) -> Grounded:
        """Return what the next sentence of the answer leaves unsupported. Its figures may be operands of later ones."""
        spoken = language(sentence) or language(self.question.text)
        own = figures(sentence, spoken)
        supported, unsupported = self._check_figures(sentence, own)
        blank = _without(sentence, own)
        of_sentence = names(blank, spoken, persons=self.question.asked == "person")
        literal = [name for name in quoted(blank) if not any(_overlap(name, other) for other in of_sentence)]
        for name in [*of_sentence, *literal]:
            places, known = self._places_of_name(name, sentence, spoken)
            if known:
                supported.append((name, places))
            else:
                unsupported.append(Unsupported(name, "absent"))
        evident = [figure for figure, places in supported if places]
        self._operands = [*self._operands, *evident][-MOST_OPERANDS:]
        unsupported.sort(key=lambda entry: entry.figure.start)
        return Grounded(sentence, unsupported, supported, self._answers(sentence, evident))

    def _check_figures(self, sentence: str, own: Sequence[Figure]) -> tuple[list[Supported], list[Unsupported]]:
        results = written_results(sentence, own)
        unsupported = [Unsupported(figure, "calculation") for figure, right in results.items() if not right]
        supported: list[Supported] = []
        missing: list[Unsupported] = []
        for figure in own:
            if figure.weak or results.get(figure) is False:
                continue
            places, reason = self._places(figure, sentence)
            if places or self._repeats_question(figure) or self._in_title(figure):
                supported.append((figure, places))
            else:
                missing.append(Unsupported(figure, reason))
        stated = [figure for figure, _ in supported]
        for entry in missing:
            computed = entry.figure in results and entry is missing[0]
            if entry.reason == "absent" and (computed or self._follows(entry.figure, stated, sentence, own)):
                supported.append((entry.figure, []))
            else:
                unsupported.append(entry)
        if apart := self._date_of_elsewhere(sentence, supported):
            supported.remove(apart)
            unsupported.append(Unsupported(apart[0], "other"))
        return supported, unsupported

    def _follows(self, figure: Figure, stated: Sequence[Figure], sentence: str, own: Sequence[Figure]) -> bool:
        """Return whether a figure follows from others: by a sum, a count, or the calendar."""
        operands = [*self._operands, *stated]
        everywhere = [other for source in self.sources for other in source.figures]
        return (
            _counts(figure, stated, sentence)
            or follows(figure, operands, sentence)
            or is_written(figure, stated, sentence)
            or is_rate(figure, stated, sentence)
            or is_time_between(figure, stated)
            or follows_from_stated(figure, operands, sentence, everywhere)
            or any(
                follows_from_stated(figure, [earlier], sentence, [later])
                for first, second in self._series
                for earlier in first.figures
                for later in second.figures
                if earlier.unit and later.unit and first.label_of(earlier) == second.label_of(later)
            )
            or any(
                is_rounded(figure, source.figures, sentence)
                or is_total(figure, source.lines_of_figures, sentence)
                or any(is_rate(figure, line, sentence) for line in source.lines_of_figures[:-1])
                or follows_from_stated(figure, source.figures, sentence, source.figures)
                or is_computed_date(figure, source.figures, sentence)
                or is_time_of_day_between(figure, own, source.figures, sentence)
                or (bool(figure.counted) and source.count_of_lines(figure.counted) in figure.values)
                for source in self.sources
            )
        )

    def _date_of_elsewhere(self, sentence: str, supported: Sequence[Supported]) -> Supported | None:
        """Return the date of a simple sentence if no document has it that has the other figures: 90 kWh "in 2022"."""
        dated = [(figure, places) for figure, places in supported if figure.dates and places]
        others = [places for figure, places in supported if not figure.dates and places]
        if len(dated) != 1 or not others or _SEVERAL.search(sentence) or self._repeats_question(dated[0][0]):
            return None
        titles = {source.number: source.title for source in self.sources}
        of_date = {titles[place.source] for place in dated[0][1]}
        of_others = {titles[place.source] for places in others for place in places}
        named = any(_same(dated[0][0], other, frozenset()) for source in self.sources for other in source.of_title)
        return dated[0] if of_date.isdisjoint(of_others) and not named else None

    @cached_property
    def _series(self) -> list[tuple[Source, Source]]:
        """The pairs of passages from documents whose names differ in numbers alone, as bills of several years."""
        bare = [re.sub(r"[\W\d_]+", " ", source.title) for source in self.sources]
        return [
            (first, second)
            for (first, name), (second, other) in combinations(zip(self.sources, bare, strict=True), 2)
            if name == other and first.title != second.title
        ]

    def _answers(self, sentence: str, evident: Sequence[Figure]) -> bool:
        """Return whether a sentence with these supported figures gives what the question asks for."""
        asked = self.question.asked
        return asked is None or (
            bool(evident) and (asked == "secret" or answers_kind(self.question, sentence, evident))
        )

    def _repeats_question(self, figure: Figure) -> bool:
        return any(_same(figure, asked, frozenset()) for asked in self._asked)

    def _in_title(self, figure: Figure) -> bool:
        return any(_same(figure, other, frozenset()) for source in self.sources for other in source.of_title)

    def _places(self, figure: Figure, sentence: str = "") -> tuple[list[Place], Reason]:
        """Return where the passages have a figure; the reason is only of use where there are none.

        In a table, a figure belongs to its row: it is not that of a sentence about another row.
        """
        places: list[Place] = []
        elsewhere = False
        for source in self.sources:
            for position in _positions(figure, source):
                if self._rivals.allow(source, figure, position, sentence) and not _of_another_row(
                    source, position, sentence
                ):
                    places.append(Place(source.number, *position))
                else:
                    elsewhere = True
        return places, "other" if elsewhere else "absent"

    def _places_of_name(self, name: Figure, sentence: str, spoken: Language) -> tuple[list[Place], bool]:
        """Return where the passages have a name, and whether it is known from them, their titles or the question."""
        words = [word for word in words_of(name) if self._asked_words.isdisjoint(forms(word))]
        if spoken == "de" and len(words) > 1:
            words = self._without_nouns(words)
        if not words:
            return [], True
        places = [Place(source.number, *position) for source in self.sources for position in source.find_words(words)]
        if places:
            return places, True
        # Capitals in a title ("Household Insurance") make no name of words that a passage has without them.
        rare = [word for word in words if all(source.common_words.isdisjoint(forms(word)) for source in self.sources)]
        if any(all(map(source.has_word, rare)) and (len(rare) < 2 or source.has_near(rare)) for source in self.sources):
            return [], True
        # A noun that opens a sentence has a capital too; another form of it will do.
        opens = not sentence[: name.start].strip(" *_\"'\u201e\u201c(") and len(words) == 1
        return [], opens and any(overlap(stems(words[0]), source.text) for source in self.sources)

    def _without_nouns(self, words: Sequence[str]) -> list[str]:
        """Return the words of a German name without those that are nouns beside it.

        These are what belongs to somebody whom the passages name ("Lottas Lehrerin"), and a noun that is put together
        from words of the passages or the question.
        """
        if words[0].endswith("s") and any(source.has_word(words[0]) for source in self.sources):
            return [words[0]]
        known = self._asked_words.union(*(source.all_words for source in self.sources))
        return [word for word in words if any(map(known.__contains__, forms(word))) or not _is_compound(word, known)]

    def nearest(self) -> list[list[Place]]:
        """Return the places of what the question asks for, and those of each code that it names, if there are any."""
        answering = [
            Place(source.number, figure.start, figure.end)
            for source in self.sources
            for span in source.spans
            for figure in figures_that_answer(self.question, source, span)
            if self._rivals.allow(source, figure, (figure.start, figure.end))
        ]
        return [answering, *self.places_of_codes({place.source for place in answering})] if answering else []

    def places_of_codes(self, numbers: Collection[int]) -> list[list[Place]]:
        """Return the places of each code that the question names, in the passages with these numbers."""
        places = [self._places(figure)[0] for figure in self._asked if figure.kind == "code"]
        within = [[place for place in of_code if place.source in numbers] for of_code in places]
        return [of_code for of_code in within if of_code]


def _of_another_row(source: Source, position: tuple[int, int], sentence: str) -> bool:
    """Return whether a place lies in a row of a table with no word of a sentence that another row has two words of."""
    begin, end = source.line_of(position[0])
    if not sentence or not source.text.startswith("|", begin):
        return False
    wanted = {stem for stem in stems(sentence) if len(stem) > _SHORTEST_UNIT and stem.isalpha()}
    own = {stem for stem in wanted if overlap({stem}, source.text[begin:end])}
    rows = [row for row in source.text.split("\n") if row.startswith("|")]
    others = [len([stem for stem in wanted - own if overlap({stem}, row)]) for row in rows[2:]]
    return not own and max(others, default=0) >= _WORDS_OF_ROW


def _is_compound(word: str, known: Collection[str]) -> bool:
    """Return whether a word is put together from two that are known: "Winterreifen"."""
    return any(
        any(part in known for part in forms(word[:cut])) and any(part in known for part in forms(word[cut:]))
        for cut in range(_SHORTEST_PART, len(word) - _SHORTEST_PART + 1)
    )


def _counts(figure: Figure, listed: Sequence[Figure], sentence: str) -> bool:
    """Return whether a sentence ("There are two: K1 and K2") lists as many codes or dates as a number states."""
    kinds = Counter(other.kind for other in listed if other.start > figure.end)
    counts = figure.kind == "number" and figure.unit is None and _COUNTING.search(sentence, 0, figure.start)
    return bool(counts) and any(count in figure.values for count in kinds.values())


def _overlap(first: Figure, second: Figure) -> bool:
    return first.start < second.end and second.start < first.end


def _without(sentence: str, own: Sequence[Figure]) -> str:
    """Return a sentence of the same length with zeros in place of its figures."""
    for figure in own:
        sentence = sentence[: figure.start] + "0" * (figure.end - figure.start) + sentence[figure.end :]
    return sentence


class _Rivals:
    """Codes in the passages that are of the same class as the one that the question asks for, but not that one."""

    def __init__(self, question: str, asked: Sequence[Figure], sources: Sequence[Source]) -> None:
        codes = [figure for figure in asked if figure.kind == "code"]
        self._own = {figure.key for figure in codes}
        self._shapes = {_shape(figure.text) for figure in codes}
        self._labels = {label for figure in codes if (label := _label(question, figure))}
        self._names = _forms_of_names(question)
        self._known = any(
            figure.key in self._own for source in sources for figure in (*source.figures, *source.of_title)
        )

    def allow(self, source: Source, figure: Figure, position: tuple[int, int], sentence: str = "") -> bool:
        """Return whether a figure belongs to what the question, or the sentence, names, or to nothing in particular."""
        if figure.kind == "code":
            return True
        if figure.kind == "telephone":
            named = self._names | _forms_of_names(sentence)
            if named and _is_of_another_name(source, figure, position, named):
                return False
        if not self._own or not self._known or figure.key in self._own:
            return True
        codes = [other for other in source.figures if other.kind == "code" and self._competes(source, other)]
        if not codes:
            return True
        if any(code.key in self._own for code in source.of_title) and not any(code.key in self._own for code in codes):
            return True
        begin, end = source.line_of(position[0])
        on_line = [code for code in codes if begin <= code.start < end]
        before = [code for code in codes if code.start <= position[0]]
        governing = on_line or before[-1:]
        if not governing and len({code.key for code in codes}) > 1:
            return True  # it stands before a list of them, and belongs to none
        return any(code.key in self._own for code in governing or codes[:1])

    def _competes(self, source: Source, code: Figure) -> bool:
        if code.key in self._own or _shape(code.text) in self._shapes:
            return True
        return _label(source.text, code) in self._labels


def _forms_of_names(text: str) -> set[str]:
    return {form for name in names(text) for word in words_of(name) for form in forms(word)}


def _is_of_another_name(source: Source, figure: Figure, position: tuple[int, int], named: Collection[str]) -> bool:
    """Return whether a line names somebody else, and another line has such a figure of one of those named."""

    def names_them(line: str) -> bool:
        return any(word in named for word in re.findall(r"[^\W_]+", fold(line)))

    begin, end = source.line_of(position[0])
    line = source.text[begin:end]
    if names_them(line) or not names(line.replace(":", " "), source.spoken):
        return False
    lines = {source.line_of(other.start) for other in source.figures if other.kind == figure.kind}
    return any(names_them(source.text[first:last]) for first, last in lines)


def _shape(code: str) -> str:
    """Return a code with one 0 for each run of digits: RE-0-0."""
    return re.sub(r"\d+", "0", code).upper()


def _label(text: str, code: Figure) -> str | None:
    """Return the beginning of the word that names the code: "invoice" of "invoice no. 4711"."""
    match = _LABEL.search(text[max(0, code.start - 40) : code.start])
    return fold(match[1])[:6] if match else None


def _positions(figure: Figure, source: Source) -> list[tuple[int, int]]:
    """Return where a passage has a figure."""
    positions = [
        (other.start, other.end)
        for other in source.like(figure)
        if _same(figure, other, source.dimensions) or _completed(figure, other, source.years)
    ]
    if positions:
        return positions
    digits = re.sub(r"\D", "", figure.text)
    if figure.unit is None and not figure.dates and len(digits) >= 3 and digits in source.parts:
        pattern = rf"(?<!\d){digits}(?!\d)"
        return [match.span() for match in re.finditer(pattern, source.text)]
    return []


def _same(figure: Figure, other: Figure, attested: frozenset[str]) -> bool:
    """Return whether another figure supports this one. `attested` are the dimensions of units around the other one."""
    if figure.kind == "telephone":
        return other.kind in ("telephone", "number") and _same_telephone(
            figure.key, other.key or re.sub(r"\D", "", other.text)
        )
    if figure.key:
        return figure.key == other.key
    if other.label and not figure.label:
        return False
    if figure.kind == "time" or other.kind == "time":
        return figure.kind == other.kind and bool(figure.values & other.values)
    if figure.dates and any(own.within(theirs) for own in figure.dates for theirs in other.dates):
        return True
    return bool(figure.values) and _same_number(figure, other, attested)


def _same_number(figure: Figure, other: Figure, attested: frozenset[str]) -> bool:
    values = other.values | {abs(value) for value in other.values}
    if figure.unit and other.unit:
        if figure.unit.dimension != other.unit.dimension:
            dimensions = {figure.unit.dimension, other.unit.dimension}
            return dimensions == {"degree", "celsius"} and "fahrenheit" not in attested and bool(figure.values & values)
        scaled = {value * other.unit.factor for value in values}
        return any(value * figure.unit.factor in scaled for value in figure.values)
    if figure.unit and (other.dates or not other.field or figure.unit.dimension not in attested):
        return False
    if figure.counted and (other.unit or other.ordinal):
        return False  # "three cats" are not in "three months" and "the third"
    if figure.ordinal and other.counted and not other.ordinal:
        return False
    return bool(figure.values & values)


def _same_telephone(first: str, second: str) -> bool:
    """Return whether two telephone numbers are the same, with or without the codes of country and area."""
    short, long = sorted((first.lstrip("0"), second.lstrip("0")), key=len)
    return len(short) >= 6 and long.endswith(short)


def _completed(figure: Figure, other: Figure, years: frozenset[int]) -> bool:
    """Return whether another date is this one without its year, which the passage names elsewhere."""
    if other.recurring:
        return False
    return any(
        own.year in years and theirs.year is None and theirs.month and Date(None, own.month, own.day).within(theirs)
        for own in figure.dates
        if own.year and own.month
        for theirs in other.dates
    )
