# SPDX-License-Identifier: GPL-3.0-or-later
"""Evaluate the search for a time on the changelogs of the Debian packages that are installed, release by release.

    PYTHONPATH=app:library .venv/bin/python -m tests.eval.changelogs [--packages 25] > changelogs.json

A document for each source package contains the entry of its latest release, and was replaced on the day of each
release. The questions are for the release as of a day, for the latest, for the difference between two days, for days
before the first release, and for packages that do not exist. Prints one JSON object; it takes about a minute.
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

from .corpus import Content, Document, EvaluationSet, Question
from .household import evaluate_alone

FOLDER = Path("/usr/share/doc")
FEWEST_RELEASES, MOST_RELEASES = 8, 12
_ENTRY_CHARACTERS = 700
_ENTRY = re.compile(
    r"^(?P<package>[a-z0-9][a-z0-9+.-]+) \((?P<version>[^)]+)\) .*?^ -- .*?  (?P<date>.+?)$", re.M | re.S
)
_ABSENT = ("frobnitz-utils", "quuxmail", "zorgfs-tools", "blubbd", "libwibble9", "snarkpad")


@dataclass(frozen=True)
class Release:
    """An entry of a changelog."""

    package: str
    version: str
    day: date
    text: str

    @property
    def heading(self) -> str:
        """The name and version as the entry has them."""
        return f"{self.package} ({self.version})"


def releases(changelog: Path) -> list[Release]:
    """Return the last releases of a changelog, the oldest first, one a day."""
    of_day: dict[date, Release] = {}
    for match in _ENTRY.finditer(gzip.decompress(changelog.read_bytes()).decode(errors="replace")):
        try:
            day = parsedate_to_datetime(match["date"]).astimezone(UTC).date()
        except ValueError:
            continue
        of_day.setdefault(day, Release(match["package"], match["version"], day, match[0][:_ENTRY_CHARACTERS]))
    ordered = sorted(of_day.values(), key=lambda release: release.day)[-MOST_RELEASES:]
    return [release for release in ordered if release.package == ordered[-1].package]


def histories(count: int) -> list[list[Release]]:
    """Return the releases of some source packages, in the order of their names."""
    chosen: dict[str, list[Release]] = {}
    for changelog in sorted(FOLDER.glob("*/changelog.Debian.gz")):
        known = releases(changelog)
        if len(known) >= FEWEST_RELEASES and known[0].day.year > 1999:
            chosen.setdefault(known[0].package, known)
        if len(chosen) == count:
            break
    return list(chosen.values())


def make_set(packages: Sequence[Sequence[Release]]) -> EvaluationSet:
    """Return the documents and questions of some packages."""
    today = datetime.now(UTC).date()
    documents = tuple(
        Document(_path(history), tuple(Content(release.day, release.text) for release in history))
        for history in packages
    )
    begin = min(history[0].day for history in packages)
    questions = [question for history in packages for question in _questions(history, begin)]
    questions += [Question("unanswerable", f"What is the latest version of {name}?") for name in _ABSENT]
    return EvaluationSet(documents, tuple(questions), today)


def _path(history: Sequence[Release]) -> str:
    return f"releases/{history[0].package}.txt"


def _questions(history: Sequence[Release], begin: date) -> Iterator[Question]:
    name, path = history[0].package, _path(history)
    for place in (len(history) // 3, 2 * len(history) // 3):
        release, following = history[place], history[place + 1]
        day = release.day + (following.day - release.day) / 2
        versions = frozenset({release.day})
        yield Question(
            "content", f"Which version of {name} was released as of {day}?", None, path, versions, release.heading
        )
        yield Question("content", f"Which version of {name} is it?", day, path, versions, release.heading)
    last = history[-1]
    yield Question("latest", f"What is the latest version of {name}?", None, path, frozenset({last.day}))
    first, second = history[1], history[-2]
    yield Question(
        "change",
        f"What changed in {name} between {first.day} and {second.day}?",
        document=path,
        version=frozenset(release.day for release in history[1:-1]),  # any of then
        before=first.heading,
        after=second.heading,
    )
    before = begin - timedelta(days=400)
    yield Question("unanswerable", f"Which version of {name} was released as of {before}?", begins=True)


def main() -> None:
    """Evaluate, and print the result."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.eval.changelogs", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--packages", type=int, default=25, help="source packages; default: 25")
    packages = histories(parser.parse_args().packages)
    result = evaluate_alone(make_set(packages))
    print(json.dumps({"packages": len(packages), **result}, indent=2, ensure_ascii=False))


if __name__ == "__main__":
    main()
