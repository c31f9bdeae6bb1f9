# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure how often the check of answers marks what is supported, and misses what is not.

    PYTHONPATH=app .venv/bin/python -m tests.eval.grounding [--sentences FILE ...]

Prints one JSON object. Deterministic; no model. The sentences are those of grounding.yml and household/answers*.yml,
and supported ones into which a value was planted that no passage has.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tars_app.answers.check import sentences_of
from tars_app.answers.figures import Figure, figures
from tars_app.answers.grounding import Evidence
from tars_app.answers.names import names, words_of
from tars_app.documents.model import NO_PAGE
from tars_app.documents.parsers.model import Section
from tars_app.documents.passages import place_passages
from tars_app.kit.language import fold, language

from .corpus import load_documents

FOLDER = Path(__file__).parent
FILES = {
    "grounding": FOLDER / "grounding.yml",
    "answers": FOLDER / "household/answers.yml",
    "answers_more": FOLDER / "household/answers_more.yml",
    "answers_others": FOLDER / "household/answers_others.yml",
    "answers_last": FOLDER / "household/answers_last.yml",
    "answers_held_out": FOLDER / "household/answers_held_out.yml",
}
_ABSENT_NAME = "Zybulski"
_ABSENT_YEAR = "1977"


@dataclass(frozen=True)
class Case:
    """A sentence, the question that it answers, and the passages, by path."""

    question: str
    sentence: str
    passages: tuple[tuple[str, str], ...]

    @property
    def marked(self) -> list[str]:
        """What is marked, of all its sentences."""
        evidence = Evidence(self.question, self.passages)
        parts = [self.sentence[start:end] for start, end in sentences_of(self.sentence)]
        return [entry.figure.text for part in parts for entry in evidence.check(part).unsupported]


def load(kind: str, *files: str) -> list[Case]:
    """Return the sentences of one kind, supported or invented, of these files; without any, of the first."""
    groups: list[dict[str, Any]] = [
        group for file in files or ("grounding",) for group in yaml.safe_load(FILES[file].read_text())
    ]
    return [
        Case(case["question"], sentence, passages)
        for group in groups
        for passages in [_passages(group)]
        for case in group["cases"]
        for sentence in case[kind]
    ]


def _passages(group: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return the passages of a group, by path: as written, or those of the latest versions of documents."""
    if written := group.get("passages"):
        return tuple(written.items())
    texts = {document.path: document.contents[-1].text or "" for document in load_documents()}
    return tuple(
        (path, passage.text)
        for path in group["documents"]
        for passage in place_passages([Section(NO_PAGE, texts[path])], 180, 1000)
    )


def planted(case: Case) -> Iterator[Case]:
    """Yield a supported sentence with each of its figures and names replaced by a value that no passage has."""
    values = [figure for figure in figures(case.sentence) if not (figure.weak or figure.ordinal)]
    spoken = language(case.sentence) or language(case.question)
    for figure in [*values, *names(_blank(case.sentence, values), spoken)]:
        if other := _absent(figure, case):
            sentence = case.sentence[: figure.start] + other + case.sentence[figure.end :]
            yield Case(case.question, sentence, case.passages)


def _blank(sentence: str, values: list[Figure]) -> str:
    for figure in values:
        sentence = sentence[: figure.start] + "0" * (figure.end - figure.start) + sentence[figure.end :]
    return sentence


def _absent(figure: Figure, case: Case) -> str | None:
    """Return another value of the same form; None where it has no digits to change."""
    if figure.kind == "name":
        first = words_of(figure)[0]
        street = re.search(r"stra(?:ß|ss)e\Z", first)
        other = _ABSENT_NAME + (street[0] if street else "")
        return re.sub(r"[^\W_]+", lambda word: other if fold(word[0]) == first else word[0], figure.text)
    if figure.kind == "date" and any(date.year for date in figure.dates):
        year = next(str(date.year) for date in figure.dates if date.year)
        return figure.text.replace(year, _ABSENT_YEAR) if year in figure.text else None
    text = " ".join([case.question, *(f"{path} {passage}" for path, passage in case.passages)])
    known = set(re.findall(r"\d+", text))
    groups = re.findall(r"\d+", figure.text)
    if not groups:
        return None
    last = groups[-1] if figure.kind in ("code", "telephone") else groups[0]
    other = next(
        changed
        for step in range(1, 10)
        for changed in ["".join(str((int(digit) + step) % 10) for digit in last)]
        if changed not in known and not changed.startswith("0") and abs(int(changed) - int(last)) > 0.05 * int(last)
    )
    position = figure.text.rindex(last) if figure.kind in ("code", "telephone") else figure.text.index(last)
    return figure.text[:position] + other + figure.text[position + len(last) :]


def measure(*files: str) -> dict[str, Any]:
    """Return the counts and shares of these files, and the sentences that were taken wrongly."""
    supported, invented = load("supported", *files), load("invented", *files)
    changed = [other for case in supported for other in planted(case)]
    falsely = [case for case in supported if case.marked]
    missed = [case for case in [*invented, *changed] if not case.marked]
    return {
        "supported": len(supported),
        "falsely_marked": len(falsely),
        "falsely_marked_share": round(len(falsely) / len(supported), 4),
        "unsupported": len(invented) + len(changed),
        "missed": len(missed),
        "found_share": round(1 - len(missed) / (len(invented) + len(changed)), 4),
        "falsely_marked_sentences": [[case.sentence, case.marked] for case in falsely],
        "missed_sentences": [[case.question, case.sentence] for case in missed],
    }


def main() -> None:
    """Measure, and print the result."""
    parser = argparse.ArgumentParser(prog="python -m tests.eval.grounding", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sentences", nargs="+", choices=FILES, default=list(FILES), help="files; default: all")
    files = parser.parse_args().sentences
    print(json.dumps({file: measure(file) for file in files}, indent=2, ensure_ascii=False))


if __name__ == "__main__":
    main()
