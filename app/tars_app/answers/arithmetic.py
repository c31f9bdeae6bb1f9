# SPDX-License-Identifier: GPL-3.0-or-later
"""Recompute the sums and differences that a sentence states."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from itertools import combinations

from tars_app.answers.figures import Figure

MOST_OPERANDS = 8
_SUM = re.compile(
    r"[+=]|(?<![^\W_])(?:plus|minus|sum|totals?|total(?:l?ing|ed)|together|altogether|combined|difference|differs?"
    r"|more than|less than|higher|lower|increased?|decreased?|rose|fell|adds? up|equals?|summe|insgesamt|zusammen"
    r"|gesamt|differenz|unterschied|mehr als|weniger als|gestiegen|gesunken|erhöht\w*|ergibt)(?![^\W_])",
    re.IGNORECASE,
)
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
    return any(value * factor in results for value in figure.values)


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
