# SPDX-License-Identifier: GPL-3.0-or-later
"""Recompute the sums and differences that a sentence states."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import combinations, pairwise

from tars_app.answers.figures import Figure

MOST_OPERANDS = 8
_ADDING = (
    r"[+=]|(?<![^\W_])(?:plus|minus|sum|totals?|total(?:l?ing|ed)|together|altogether|combined|difference|differs?"
    r"|more|less|fewer|higher|lower|increased?|decreased?|rose|fell|adds? up|equals?|makes?|remain(?:s|ed|ing)?|left"
    r"|saved?|grew|dropped|summe|insgesamt|zusammen|gesamt|differenz|unterschied|mehr|weniger|gestiegen|gesunken"
    r"|erhöht\w*|ergibt|ergeben|sind das|das sind|macht|bleib(?:t|en)|verbleib(?:t|en)|übrig|gespart|surplus|deficit"
    r"|profit|loss|savings|balance|überschuss|gewinn|verlust|fehlbetrag|saldo"
)
_SUM = re.compile(
    rf"{_ADDING}|up|down|so|thus|therefore|missing|others?|fehl(?:en|ten)|daher|somit|also|a year|per year|yearly"
    r"|annually|im jahr|pro jahr|jährlich)(?![^\W_])",
    re.IGNORECASE,
)
_STATED_SUM = re.compile(rf"{_ADDING}|between|from|since|zwischen|von|seit)(?![^\W_])", re.IGNORECASE)
_ABOUT = re.compile(
    r"(?<![^\W_])(?:about|around|approximately|approx\.?|roughly|nearly|almost|some|ca\.?|circa|etwa|rund|ungefähr|knapp|fast)"
    r"\s+[€£$]?\Z",
    re.IGNORECASE,
)
_WRITTEN = re.compile(r"(?P<times>[*\u00d7x]|times|mal)|(?P<minus>[-\u2212\u2013]|minus)|\+|plus")
_EACH = re.compile(
    r"(?<![^\W_])(?:each|every|per|a|apiece|je|jeweils|pro|jede[nrsm]?|times|mal)(?![^\W_])|[*\u00d7@]", re.IGNORECASE
)
_MOST_ROUNDED = Decimal("0.02")
_YEARLY = re.compile(
    r"(?<![^\W_])(?:year|yearly|annual(?:ly)?|jahr|jährlich\w*|month|monthly|monat|monatlich\w*)(?![^\W_])",
    re.IGNORECASE,
)
_MONTHS = 12
_LEAST_DIGITS = 3
"""Of a result whose operands only the passages state: shorter numbers would be the difference of some two by chance."""
_MOST_STATED = 16
_SPAN = re.compile(
    r"(?<![^\W_])(?:from|between|since|later|after|zwischen|von|seit|später|nach)(?![^\W_])", re.IGNORECASE
)
_EQUALS = re.compile(r"\s*(?:=|\bequals?|\bergibt|\bmakes?)\s*\Z")
_OPERATOR = re.compile(r"\s*(?P<sign>[-+\u2212\u2013*\u00d7x])\s*\Z|\s*(?P<word>plus|minus|times|mal)\s*\Z")


def follows(figure: Figure, operands: Sequence[Figure], sentence: str) -> bool:
    """Return whether a number is the sum or difference of others, and the sentence states a calculation."""
    if not figure.values or figure.key:
        return False
    if _SPAN.search(sentence) and _years_between(figure, operands):
        return True
    if not _SUM.search(sentence):
        return False
    values = (
        _scaled(operand, figure) for operand in operands if operand.values and _comparable(figure, operand, sentence)
    )
    terms = list(dict.fromkeys(value for value in values if value is not None))[-MOST_OPERANDS:]
    factor = figure.unit.factor if figure.unit else Decimal(1)
    results = {sum(terms, Decimal(0))} if len(terms) > 1 else set()
    for first, second in combinations(terms, 2):
        results |= {first + second, abs(first - second)}
    if _YEARLY.search(sentence):
        results |= {term * _MONTHS for term in terms} | {term / _MONTHS for term in terms}
    return any(value * factor in results for value in figure.values)


def is_written(result: Figure, own: Sequence[Figure], sentence: str) -> bool:
    """Return whether a number is what its sentence writes out with two supported numbers: "13 x 4,650", "638 - 531"."""
    factor = result.unit.factor if result.unit else Decimal(1)
    for first, second in pairwise(own):
        left, right = _scaled(first), _scaled(second, result)
        operator = _WRITTEN.fullmatch(sentence[first.end : second.start].strip())
        if operator and left is not None and right is not None:
            whole = _scaled(first, result) or left
            value = left * right if operator["times"] else whole - right if operator["minus"] else whole + right
            if value in {number * factor for number in result.values}:
                return True
    return False


def is_rate(figure: Figure, line: Sequence[Figure], sentence: str) -> bool:
    """Return whether an amount or measure is one of a line, times or divided by another number of it.

    "1.5 hours at 54 euros each" are 81 euros, and "512.88 euros in four parts" 128.22 euros.
    """
    if figure.unit is None or not _EACH.search(sentence):
        return False
    for entry in line:
        own = _scaled(entry)
        if own is None or entry.unit is None or entry.unit.dimension != figure.unit.dimension:
            continue
        for other in line:
            same = other.unit and other.unit.dimension == figure.unit.dimension
            if same or other.dates or other.kind not in ("number", "amount") or len(other.values) != 1:
                continue
            count = next(iter(other.values))
            if count > 1 and {own * count, own / count} & {value * figure.unit.factor for value in figure.values}:
                return True
    return False


def is_total(figure: Figure, source_lines: Iterable[Sequence[Figure]], sentence: str) -> bool:
    """Return whether an amount or measure is the sum of all that some lines state with its unit."""
    if figure.unit is None or not _STATED_SUM.search(sentence):
        return False
    totals = {
        sum(terms)
        for line in source_lines
        for choose in (min, max)
        if len(terms := [choose(sizes) for entry in line if (sizes := _terms(figure, [entry]))]) > 1
    }
    return any(value * figure.unit.factor in totals for value in figure.values)


def follows_from_stated(figure: Figure, firsts: Sequence[Figure], sentence: str, seconds: Sequence[Figure]) -> bool:
    """Return whether an amount or measure is the difference or sum of one of each, with its unit."""
    digits = sum(map(str.isdecimal, figure.text))
    unit = figure.unit
    if unit is None or unit.dimension == "percent" or digits < _LEAST_DIGITS or not _STATED_SUM.search(sentence):
        return False
    first_terms, second_terms = (_terms(figure, stated) for stated in (firsts, seconds))
    results = {result for a in first_terms for b in second_terms if a != b for result in (a + b, abs(a - b))}
    return any(value * unit.factor in results for value in figure.values)


def is_rounded(figure: Figure, stated: Sequence[Figure], sentence: str) -> bool:
    """Return whether a number that is called approximate is one of these, rounded by 2 % at most."""
    if not _ABOUT.search(sentence[: figure.start]):
        return False
    factor = figure.unit.factor if figure.unit else Decimal(1)
    return any(
        abs(value * factor - exact) <= _MOST_ROUNDED * exact
        for exact in _terms(figure, stated)
        for value in figure.values
        if exact > 0
    )


def _terms(figure: Figure, stated: Sequence[Figure]) -> list[Decimal]:
    """Return the different sizes of the figures with a unit of the same dimension, in all their readings."""
    dimension = figure.unit and figure.unit.dimension
    values = (
        value * (other.unit.factor if other.unit else 1)
        for other in stated
        if (other.unit and other.unit.dimension) == dimension and not other.dates and other.kind != "time"
        for value in other.values
    )
    return list(dict.fromkeys(values))[:_MOST_STATED]


def _scaled(figure: Figure, result: Figure | None = None) -> Decimal | None:
    """Return the value in the basic unit; a number without a unit has that of the result."""
    if len(figure.values) != 1:
        return None
    unit = figure.unit or (result.unit if result else None)
    return next(iter(figure.values)) * (unit.factor if unit else 1)


def _comparable(figure: Figure, operand: Figure, sentence: str) -> bool:
    if figure.unit and operand.unit:
        return figure.unit.dimension == operand.unit.dimension
    if operand.dates or operand.kind == "time":
        return False
    return (figure.unit is None) == (operand.unit is None) or "=" in sentence


def _years_between(figure: Figure, operands: Sequence[Figure]) -> bool:
    years = [date.year for operand in operands for date in operand.dates if date.year]
    if figure.unit and figure.unit.dimension != "months":
        return False
    factor = figure.unit.factor if figure.unit else Decimal(12)
    return any(
        value * factor == 12 * abs(a - b) for value in figure.values for a, b in combinations(years, 2) if a != b
    )


def written_results(sentence: str, own: Sequence[Figure]) -> dict[Figure, bool]:
    """Return the results of calculations that are written out ("900 + 150 = 1,050"), and whether each comes out."""
    results = {}
    for number, result in enumerate(own):
        equals = _EQUALS.search(sentence[: result.start])
        if not equals or len(result.values) != 1:
            continue
        computed = _compute(sentence, own[:number], equals.start(), result)
        if computed is not None:
            results[result] = computed == _scaled(result)
    return results


def _compute(sentence: str, before: Sequence[Figure], end: int, result: Figure) -> Decimal | None:
    """Return the value of the calculation whose last operand ends at `end`; None where there is none."""
    chain: list[tuple[str, Decimal]] = []
    for figure in reversed(before):
        value = _scaled(figure, result)
        if value is None or sentence[figure.end : end].strip():
            break
        joint = _OPERATOR.search(sentence[: figure.start])
        chain.append(((joint["sign"] or joint["word"]) if joint else "", value))
        if not joint:
            break
        end = joint.start()
    if len(chain) < 2 or chain[-1][0]:
        return None
    total = chain[-1][1]
    for operator, value in reversed(chain[:-1]):
        if operator in ("+", "plus"):
            total += value
        elif operator in ("*", "\u00d7", "x", "times", "mal"):
            total *= value
        else:
            total -= value
    return total
