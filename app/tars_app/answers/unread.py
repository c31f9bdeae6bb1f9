# SPDX-License-Identifier: GPL-3.0-or-later
"""The file that was not read, and whose name fits a question better than the names of the documents that were."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Sequence

from tars_app.adapters.file_names import comparable
from tars_app.adapters.postgres import Pool
from tars_app.kit.errors import UnavailableError
from tars_app.library import repository, service
from tars_app.library.schemas import File
from tars_app.retrieval.fulltext import asking_of, content_of

log = logging.getLogger(__name__)

_MOST_FILES = 500
_SHORTEST_PART = 4
"""Fewest letters of a word that may be a part of a longer one, as Heizkosten of Heizkostenabrechnung."""
_WORD = re.compile(r"[^\W_]+")
_BEFORE_CAPITAL = re.compile(r"(?<=[^\W\d_A-ZÄÖÜ])(?=[A-ZÄÖÜ])")
_ENDING = re.compile(r"(?<=\w{4})(?:en|e|n|s)\Z")
_YEAR = re.compile(r"(?:19|20|21)\d\d")


def unread_file(pool: Pool, question: str, read: Iterable[str]) -> File | None:
    """Return the unread file whose name fits a question best; None where the path of a document that was `read` does.

    A name fits if it has two words of the question, one number of it, or no word that is not in it.
    """
    asked = _asked(question)
    if not asked:
        return None
    try:
        rows = repository.unread(pool, asked, _MOST_FILES)
    except UnavailableError as error:
        log.info("Unread files are not named", extra={"fields": {"reason": str(error)}})
        return None
    best = max((len(_matches(asked, path)) for path in read), default=0)
    fitting = [row for row in rows if _fits(asked, row["path"]) and len(_matches(asked, row["path"])) > best]
    if not fitting:
        return None
    return service.describe(max(fitting, key=lambda row: (len(_matches(asked, row["path"])), -len(row["path"]))))


def incomplete_files(pool: Pool, question: str) -> list[str]:
    """Return, as sentences, how many files could not be read, or not all of them, and which of these fits a question.

    A file of which nothing was read is named by `unread_file`.
    """
    rows = repository.incomplete(pool)
    partly = [f"{row['source']}/{row['path']}" for row in rows if row["state"] == "read"]
    failed = len(rows) - len(partly)
    sentences = []
    if failed:
        sentences.append(f"{_documents(failed)} could not be read.")
    if partly:
        sentences.append(f"{_documents(len(partly))} {'has' if len(partly) == 1 else 'have'} parts that were not read.")
    asked = _asked(question)
    if fitting := [path for path in partly if _fits(asked, path)]:
        best = max(fitting, key=lambda path: (len(_matches(asked, path)), -len(path)))
        sentences.append(f"The name of {best}, which is one of them, fits the question.")
    return sentences


def _documents(count: int) -> str:
    return "1 document" if count == 1 else f"{count:,} documents"


def _asked(question: str) -> list[str]:
    """Return the words of a question that a name may have."""
    return sorted(set(_stems(content_of(question))) - set(_stems(asking_of(question))))


def _fits(asked: Sequence[str], path: str) -> bool:
    matches = {word for word in _matches(asked, path) if not _YEAR.fullmatch(word)}
    if len(matches) > 1 or any(map(_has_digit, matches)):
        return True
    name = path.rsplit("/", 1)[-1].rsplit(".", 1)[0]
    words = [word for word in _stems(name) if not _has_digit(word)]
    return bool(matches and words) and all(_matches(asked, word) for word in words)


def _matches(asked: Sequence[str], path: str) -> set[str]:
    """Return the words of a question that are in a path."""
    words = set(_stems(path))
    return {word for word in asked if any(_is_part(word, other) or _is_part(other, word) for other in words)}


def _is_part(word: str, other: str) -> bool:
    return word == other or (len(word) >= _SHORTEST_PART and not _has_digit(word) and word in other)


def _stems(text: str) -> list[str]:
    """Return the words of a text or path, without case and without common endings."""
    spaced = comparable(_BEFORE_CAPITAL.sub(" ", text))
    return [_ENDING.sub("", word) for word in _WORD.findall(spaced) if len(word) > 2 or _has_digit(word)]


def _has_digit(word: str) -> bool:
    return any(map(str.isdecimal, word))
