# SPDX-License-Identifier: GPL-3.0-or-later
"""The questions of a drill: those that the household keeps, and sentences of its documents; and what answers them."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ..components.postgres.session import Session
from ..configuration import Question
from ..deadline import Deadline
from ..errors import BackupError
from ..services import Stack

GENERATED = 5
"""Documents of which a sentence is asked for."""

RESULTS = 8
"""Passages among which the expected document has to be: as many as the page shows."""

_DOCUMENTS = 8 * GENERATED
_WORDS = range(5, 41)
_PAUSE_S = 1.0
_ANSWER_S = 300.0

# The application finds and ranks for a search as for an answer. The image has no curl.
_SCRIPT = """\
import json, os, sys, time, urllib.error, urllib.parse, urllib.request

opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
base = "http://127.0.0.1:" + os.environ.get("TARS_PORT", "8000") + "/api/search?"
answers = []
for question in json.load(sys.stdin):
    began = time.monotonic()
    query = urllib.parse.urlencode({"q": question, "limit": int(sys.argv[1])})
    try:
        with opener.open(base + query, timeout=120) as answer:
            results = json.load(answer)["results"]
        answers.append({"results": results, "seconds": time.monotonic() - began})
    except urllib.error.HTTPError as error:
        answers.append({"status": error.code, "message": error.read().decode(errors="replace")[:300]})
json.dump(answers, sys.stdout)
"""


@dataclass(frozen=True)
class Asked:
    """A question and what answered it.

    Attributes:
        generated: it is a sentence of a document, not one of the household's questions.
        sources: paths of the documents in the answer, the best first; each with the share before it.
        problem: why it counts as failed; empty if the expected document is among the sources.
        seconds: until the answer.
    """

    question: str
    path: str
    generated: bool
    sources: tuple[str, ...]
    problem: str
    seconds: float


def generate(session: Session, seed: str) -> list[Question]:
    """Return sentences of up to GENERATED documents, each of which occurs in one passage only.

    The documents are chosen by `seed`, so that a drill of the same backup asks the same, and another one others.
    """
    order = re.sub(r"[^0-9A-Za-z-]", "", seed)
    # The seed has no character that SQL could take for something else.
    rows = session.query(
        "SELECT d.source || '/' || d.path AS path, p.text FROM ("  # noqa: S608  letters, digits and hyphens alone
        " SELECT id, source, path FROM public.documents WHERE answered_from IS NOT NULL AND deleted_at IS NULL"
        f" ORDER BY pg_catalog.md5(id::text || '{order}') LIMIT {_DOCUMENTS}) AS d"
        " CROSS JOIN LATERAL (SELECT p.text FROM public.document_passages AS c JOIN public.passages AS p USING (hash)"
        "  WHERE c.document_id = d.id AND p.searchable"
        f"  ORDER BY pg_catalog.md5(pg_catalog.encode(p.hash, 'hex') || '{order}') LIMIT 3) AS p"
        f" ORDER BY pg_catalog.md5(d.id::text || '{order}')"
    )
    chosen: dict[str, Question] = {}
    for row in rows:
        if row["path"] in chosen or len(chosen) == GENERATED:
            continue
        sentence = next((text for text in _sentences(row["text"]) if _passages(session, text) == 1), None)
        if sentence:
            # Words alone: a quotation mark or a minus would be an operator of the search.
            chosen[row["path"]] = Question(" ".join(re.findall(r"\w+", sentence)), row["path"])
    return list(chosen.values())


def _sentences(text: str) -> Iterable[str]:
    """Return the sentences of a passage that are neither a heading nor a table, the longest first."""
    parts = [part.strip() for part in re.split(r"(?<=[.!?])\s+|\n+", text)]
    return sorted((part for part in parts if len(re.findall(r"\w+", part)) in _WORDS), key=len, reverse=True)[:3]


def _passages(session: Session, text: str) -> int:
    """Return the number of passages that contain a text."""
    literal = f"pg_catalog.convert_from('\\x{text.encode().hex()}'::bytea, 'UTF8')"
    query = f"SELECT count(*) AS count FROM public.passages WHERE searchable AND position({literal} in text) > 0"  # noqa: S608  hexadecimal digits
    return int(session.query(query)[0]["count"])


def ask(services: Stack, application: str, questions: Sequence[Question], kept: int, deadline: Deadline) -> list[Asked]:
    """Ask the application of a drill, as soon as it answers; the first `kept` questions are the household's.

    Raises:
        BackupError: it ends, or does not answer before the time limit.
    """
    words = json.dumps([question.question for question in questions]).encode()
    answers = _answers(services, application, words, deadline)
    return [
        _compared(question, answer, generated=number >= kept)
        for number, (question, answer) in enumerate(zip(questions, answers))
    ]


def _answers(services: Stack, application: str, words: bytes, deadline: Deadline) -> list[dict[str, Any]]:
    while True:
        done = services.exec(
            application,
            ["python", "-c", _SCRIPT, str(RESULTS)],
            stdin=words,
            deadline_s=deadline.remaining_s("questions of the drill", at_most=_ANSWER_S),
        )
        if done.status == 0:
            answers: list[dict[str, Any]] = json.loads(done.output)
            return answers
        require_running(services, [application])
        time.sleep(_PAUSE_S)


def _compared(question: Question, answer: dict[str, Any], *, generated: bool) -> Asked:
    if "results" not in answer:
        problem = f"status {answer['status']}: {answer['message']}"
        return Asked(question.question, question.path, generated, (), problem, 0.0)
    places = [place for result in answer["results"] for place in (result, *result.get("also_in", ()))]
    sources = tuple(dict.fromkeys(f"{place['source']}/{place['path']}" for place in places))
    accepted = {question.path, *(f"{place['source']}/{question.path}" for place in places)}
    problem = "" if accepted & set(sources) else "the expected document is not among the sources"
    return Asked(question.question, question.path, generated, sources, problem, round(answer["seconds"], 3))


def require_running(services: Stack, names: Iterable[str]) -> None:
    """Check that services of a drill have not ended.

    Raises:
        BackupError: one has; the message has the end of its log.
    """
    for name in names:
        health = services.health(name)
        if not health.running:
            raise BackupError(
                f"service {name} of the drill",
                found=health.detail,
                expected="a service that runs on the restored data",
                next_step="Compare its image and its settings with those of the backup",
            )
