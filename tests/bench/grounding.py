# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure what the check of an answer against its passages costs.

    PYTHONPATH=app .venv/bin/python -m tests.bench.grounding > grounding.json

Prints one JSON object, in milliseconds of processor time for an answer: five passages of 1,000 characters are read, an
answer of four sentences is checked piece by piece as it comes from a model, and its quotes are chosen. The passages and
answers are those of tests/eval/grounding.yml.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from collections.abc import Iterator

from tars_app.answers.asked import kind_is_missing
from tars_app.answers.check import AnswerCheck, quotes_of
from tars_app.answers.figures import figures
from tars_app.answers.grounding import Evidence
from tars_app.answers.quotes import Quotable
from tars_app.answers.sources import forget_sources

from ..eval.grounding import Case, load

ANSWERS = 200
_PASSAGES = 5
_CHARACTERS = 1000
"""As settings.chunk_characters."""
_SENTENCES = 4
_PIECE = 4
"""Characters of a token, about."""


def answers() -> Iterator[tuple[str, str, list[tuple[str, str]]]]:
    """Yield a question, an answer of several sentences, and passages of ordinary length."""
    cases = [*load("supported"), *load("invented")]
    texts = list({text: path for case in cases for path, text in case.passages}.items())
    chance = random.Random(1)
    for _ in range(ANSWERS):
        case: Case = chance.choice(cases)
        passages = [*case.passages, *((path, text) for text, path in chance.sample(texts, len(texts)))][:_PASSAGES]
        of_passages = [other.sentence for other in cases if other.passages == case.passages]
        answer = " ".join(chance.sample(of_passages, _SENTENCES))
        yield case.question, answer, [(path, _of_length(text)) for path, text in passages]


def _of_length(text: str) -> str:
    return (f"{text}\n\n" * (_CHARACTERS // len(text) + 1))[:_CHARACTERS]


def check(question: str, answer: str, passages: list[tuple[str, str]]) -> None:
    """Do all that the application does beside retrieval and the model."""
    evidence = Evidence(question, passages)
    kind_is_missing(evidence.question, evidence.sources)
    quotable = Quotable(evidence.sources, [1.0] * len(passages))
    checked = AnswerCheck(evidence)
    for start in range(0, len(answer), _PIECE):
        checked.add(answer[start : start + _PIECE])
    checked.finish()
    quotes_of(question, checked, quotable)


def _reference_ms() -> float:
    """Return the processor time of a fixed loop, with which runs on other or busy computers compare."""
    started = time.process_time()
    sum(number * number for number in range(1_000_000))
    return (time.process_time() - started) * 1000


def measure() -> dict[str, float]:
    """Return the median, the 95th percentile and the maximum in milliseconds, and the median by a fixed loop.

    Each answer is checked twice: with passages that no question had before, and again with the same.
    """
    spent: list[float] = []
    again: list[float] = []
    loop = _reference_ms()
    for question, answer, passages in answers():
        forget_sources()
        for times in (spent, again):
            started = time.process_time()
            check(question, answer, passages)
            times.append((time.process_time() - started) * 1000)
    spent.sort()
    again.sort()
    texts = [text for _, _, passages in answers() for _, text in passages]
    return {
        "answers": ANSWERS,
        "figures_of_a_passage": round(sum(len(figures(text)) for text in texts) / len(texts), 1),
        "median_ms": round(statistics.median(spent), 2),
        "p95_ms": round(spent[int(0.95 * len(spent))], 2),
        "max_ms": round(spent[-1], 2),
        "again_median_ms": round(statistics.median(again), 2),
        "again_p95_ms": round(again[int(0.95 * len(again))], 2),
        "reference_ms": round(loop, 2),
        "median_ratio": round(statistics.median(spent) / loop, 3),
    }


if __name__ == "__main__":
    argparse.ArgumentParser(
        prog="python -m tests.bench.grounding", description=(__doc__ or "").splitlines()[0]
    ).parse_args()
    print(json.dumps(measure(), indent=2))
