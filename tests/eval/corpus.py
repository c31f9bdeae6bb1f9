# SPDX-License-Identifier: GPL-3.0-or-later
"""Documents with the versions they had over time, and questions about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any, Literal

import yaml

HOUSEHOLD = Path(__file__).with_name("household")
Kind = Literal["content", "now", "versions", "change", "unannounced", "latest", "unanswerable"]
KINDS: tuple[Kind, ...] = ("content", "now", "versions", "change", "unannounced", "latest", "unanswerable")


@dataclass(frozen=True)
class Content:
    """A text that a document had from the day `observed` on; None: the file was gone."""

    observed: date
    text: str | None


@dataclass(frozen=True)
class Document:
    """A document, and its contents in order."""

    path: str
    contents: tuple[Content, ...]


@dataclass(frozen=True)
class Question:
    """A question, and what the right result is; see household/questions.yml for the fields."""

    kind: Kind
    ask: str
    at: date | None = None
    document: str = ""
    version: frozenset[date] = frozenset()
    contains: str = ""
    before: str = ""
    after: str = ""
    versions: int = 0
    begins: bool = False


@dataclass(frozen=True)
class EvaluationSet:
    """Documents, questions, and the day on which these are asked."""

    documents: tuple[Document, ...]
    questions: tuple[Question, ...]
    today: date


def load_documents(path: Path = HOUSEHOLD / "documents.yml") -> tuple[Document, ...]:
    """Return the documents of a file.

    Raises:
        ValueError: a later version replaces a text that the one before it does not have exactly once.
    """
    return tuple(_document(entry) for entry in yaml.safe_load(path.read_text()))


def load_household(*names: str) -> EvaluationSet:
    """Return the questions of these files (questions, held_out, german, mixed), and their documents."""
    files = [yaml.safe_load((HOUSEHOLD / f"{name}.yml").read_text()) for name in names]
    questions = tuple(_question(kind, entry) for file in files for kind in KINDS for entry in file.get(kind, []))
    documents = sorted({name for file in files for name in file.get("documents", "documents").split()})
    return EvaluationSet(
        tuple(document for name in documents for document in load_documents(HOUSEHOLD / f"{name}.yml")),
        questions,
        max(file["today"] for file in files),
    )


def _document(entry: Mapping[str, Any]) -> Document:
    text = entry["text"]
    contents = [Content(entry["observed"], text)]
    for version in entry.get("versions", []):
        text = _changed(entry["path"], text, version.get("replace", [])) + version.get("append", "")
        contents.append(Content(version["observed"], text))
    if deleted := entry.get("deleted"):
        contents.append(Content(deleted, None))
    return Document(entry["path"], tuple(contents))


def _changed(path: str, text: str, replacements: Sequence[tuple[str, str]]) -> str:
    for old, new in replacements:
        if text.count(old) != 1:
            raise ValueError(f"{path}: found {old!r} {text.count(old)} times in the version before, expected it once")
        text = text.replace(old, new)
    return text


def _question(kind: Kind, entry: Mapping[str, Any]) -> Question:
    version = entry.get("version", [])
    days = frozenset([version] if isinstance(version, date) else version)
    return Question(kind, **{**entry, "version": days})


def morning_of(day: date) -> datetime:
    """Return the time of a day at which a change is observed, UTC."""
    return datetime.combine(day, time(9), UTC)
