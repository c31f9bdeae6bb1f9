# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure search over real text without the embedding model, today's and of a past time, and the statement it replaced.

    PYTHONPATH=app .venv/bin/python -m tests.bench.search [--passages 100000] [--chroma] [--german 0.2] > search.json

Starts PostgreSQL on loopback (and Chroma with `--chroma`), fills the application's own schema with passages of the text
files below FOLDER and clustered random vectors, and prints one JSON object. It needs root. With 100,000 passages it
takes about four minutes and 2 GiB of temporary files; with `--chroma` three minutes more.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import shutil
import statistics
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import numpy as np

from tars_app.adapters.passage_index import PassageIndex
from tars_app.adapters.passage_words import words_of
from tars_app.adapters.postgres import Pool, migrate
from tars_app.dependencies import Dependencies, make_dependencies
from tars_app.documents.follow import compare
from tars_app.documents.recall import measure_recall
from tars_app.documents.vectors import pack, unpack
from tars_app.documents.visible import visible_versions
from tars_app.kit.instants import TimeRequest
from tars_app.retrieval.service import search

from ..integration.app.databases import connect, empty_database
from ..integration.servers import Server, start_chroma, start_postgres

DIMENSIONS, CLUSTERS = 384, 200
WORDS_OF_A_PASSAGE, PASSAGES_OF_A_VERSION = 150, 10
QUESTIONS, SLOW_QUESTIONS, LIMIT = 100, 20, 8
NOW = datetime.now(UTC)
BEGIN, CHANGE = NOW - timedelta(days=200), NOW - timedelta(days=100)
PAST = NOW - timedelta(days=150)

TARGETS = {"words p95_ms": 5, "past p95_ms": 25, "now p95_ms": 15, "recall of the past": 1.0, "load of words, s": 10}
"""For 100,000 passages: at most, the recall at least."""

# What search was before, for comparison.
BEFORE = """
WITH words AS (
    SELECT lexeme, ('''' || replace(replace(lexeme, '\\', '\\\\'), '''', '''''') || '''')::tsquery AS query
    FROM unnest(to_tsvector('english', %(question)s))
), weights AS (
    SELECT w.lexeme, w.query, ln(1 + (n.total - f.found + 0.5) / (f.found + 0.5)) AS idf
    FROM words w, (SELECT count(*) AS total FROM passages WHERE searchable) n,
         LATERAL (SELECT count(*) AS found FROM passages WHERE searchable AND terms @@ w.query) f
), candidates AS (
    SELECT hash, terms, length(terms) AS size, avg(length(terms)) OVER () AS usual_size FROM passages
    WHERE searchable AND terms @@ (SELECT string_agg(query::text, ' | ')::tsquery FROM weights)
), hits AS (
    SELECT c.hash, w.idf, cardinality(t.positions) AS times, c.size / c.usual_size AS relative_size
    FROM candidates c, LATERAL unnest(c.terms) t JOIN weights w ON w.lexeme = t.lexeme
)
SELECT hash, sum(idf * times * 2.2 / (times + 1.2 * (0.25 + 0.75 * relative_size))) AS rank
FROM hits GROUP BY hash ORDER BY rank DESC, hash LIMIT 40
"""


def texts(folder: Path) -> Iterator[str]:
    """Yield different passages of the text files below a folder, in an order that is always the same."""
    seen = set()
    for path in sorted(folder.rglob("*")):
        if path.suffix in (".rst", ".md", ".txt", ".py") and path.is_file():
            words = path.read_text(errors="ignore").replace("\x00", "").split()
            for start in range(0, len(words), WORDS_OF_A_PASSAGE):
                text = " ".join(words[start : start + WORDS_OF_A_PASSAGE])[:2000]
                if len(text) > 200 and text not in seen:
                    seen.add(text)
                    yield text


def fill(dependencies: Dependencies, passages: Sequence[str], generator: np.random.Generator, german: float) -> None:
    """Write documents of two versions each, of which the second one replaced the last passage of the first."""
    languages = np.where(generator.random(len(passages)) < german, "german", "english").tolist()
    hashes = [sha256(text.encode()).digest() for text in passages]
    centres = generator.normal(size=(CLUSTERS, DIMENSIONS))
    vectors = centres[generator.integers(CLUSTERS, size=len(passages))] + generator.normal(
        size=(len(passages), DIMENSIONS)
    )
    model = dependencies.settings.embedding_model
    with connect(dependencies.settings) as connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO sources VALUES ('docs', '/documents', true, NULL)")
        cursor.execute("INSERT INTO volatile.scans (source) VALUES ('docs')")
        superseded = set(hashes[PASSAGES_OF_A_VERSION - 1 :: PASSAGES_OF_A_VERSION + 1])
        with cursor.copy("COPY passages (hash, text, language, language_detected, searchable) FROM STDIN") as copy:
            for value, text, language in zip(hashes, passages, languages, strict=True):
                copy.write_row((value, text, language, True, value not in superseded))
        with cursor.copy("COPY vectors (hash, model, embedding) FROM STDIN") as copy:
            for value, vector in zip(hashes, vectors, strict=True):
                copy.write_row((value, model, pack(vector.tolist())))
        write_documents(cursor, hashes)
        cursor.execute("ANALYZE")


def write_documents(cursor: Any, hashes: Sequence[bytes]) -> None:
    rows: dict[str, list[tuple[Any, ...]]] = {"documents": [], "versions": [], "texts": [], "passages": [], "paths": []}
    for start in range(0, len(hashes) - PASSAGES_OF_A_VERSION, PASSAGES_OF_A_VERSION + 1):
        *same, old, new = hashes[start : start + PASSAGES_OF_A_VERSION + 1]
        document = uuid4()
        rows["documents"].append((document, "docs", f"{start}.txt", 1, 1))
        rows["paths"].append((document, BEGIN, f"{start}.txt"))
        for begin, end, of_version in ((BEGIN, CHANGE, [*same, old]), (CHANGE, None, [*same, new])):
            version = uuid4()
            rows["versions"].append((version, document, "ab", 1, begin, begin, end, "indexed", "none"))
            count = len(of_version)
            rows["texts"].append((version, of_version, [0] * count, *[[""] * count] * 3))
            rows["passages"] += [(document, value) for value in of_version if end is None]
    statements = {
        "documents": "documents (id, source, path, size, mtime_ns)",
        "paths": "document_paths (document_id, seen_from, path)",
        "versions": "versions (id, document_id, sha256, size, modified, seen_from, seen_to, state, dated_by)",
        "texts": "version_texts (version_id, hashes, pages, labels, before, after)",
        "passages": "document_passages (document_id, hash)",
    }
    for name, table in statements.items():
        with cursor.copy(f"COPY {table} FROM STDIN") as copy:
            for row in rows[name]:
                copy.write_row(row)
    cursor.execute(
        "UPDATE documents SET answered_from = v.id FROM versions v WHERE document_id = documents.id AND seen_to IS NULL"
    )


class Questions:
    """Questions of seven words that stand together in some passage, and vectors near that passage's."""

    def __init__(self, dependencies: Dependencies, passages: Sequence[str]) -> None:
        generator = random.Random(5)
        self.asked = []
        for text in generator.sample(passages, QUESTIONS):
            words = text.split()
            start = generator.randrange(len(words) - 8)
            self.asked.append(" ".join(words[start : start + 7]))
        with dependencies.pool.connection() as connection:
            rows = connection.execute("SELECT embedding FROM vectors ORDER BY hash LIMIT %s", (QUESTIONS,)).fetchall()
        noise = np.random.default_rng(7)
        vectors = [np.array(unpack(row["embedding"])) + noise.normal(scale=0.03, size=DIMENSIONS) for row in rows]
        self._vectors = dict(zip(self.asked, vectors, strict=True))

    def embed(self, model: str, input: Sequence[str], truncate: bool = True) -> Any:
        """Answer as Ollama's client does; of a text that the search has cut, with any vector."""
        anything = next(iter(self._vectors.values()))
        return SimpleNamespace(embeddings=[self._vectors.get(text, anything).tolist() for text in input])

    def vector(self, question: str) -> list[float]:
        """Return the vector of a question."""
        vector: list[float] = self._vectors[question].tolist()
        return vector


def timed(action: Callable[[str], object], questions: Sequence[str]) -> dict[str, float]:
    """Return the median and the 95th percentile of the times of an action for each question, in ms."""
    times = []
    for question in questions:
        began = time.perf_counter()
        action(question)
        times.append((time.perf_counter() - began) * 1000)
    return {"p50_ms": round(statistics.median(times), 2), "p95_ms": round(statistics.quantiles(times, n=20)[-1], 2)}


def measure(dependencies: Dependencies, passages: Sequence[str], with_chroma: bool) -> dict[str, Any]:
    """Return the times of the parts of a search, and of the whole."""
    questions = Questions(dependencies, passages)
    dependencies = replace(dependencies, embedder=questions)  # type: ignore[arg-type]  # all that a search uses of it
    pool, index = dependencies.pool, dependencies.passages
    result: dict[str, Any] = {
        "words before, in SQL": timed(lambda q: before(pool, q), questions.asked[:SLOW_QUESTIONS])
    }

    def words(question: str) -> object:
        with pool.reading() as connection:
            visible = visible_versions(connection, None, None, dependencies.reads)
        view = index.view(visible.ids, None, visible.named, visible.state)
        with pool.reading() as connection:
            asked, _ = words_of(connection, question, view.languages)
        return index.lexical(view, asked, 40)

    result["load of words, s"] = seconds(lambda: words(questions.asked[0]))
    result["words"] = timed(words, questions.asked)
    result["load of the past, s"] = seconds(lambda: search(dependencies, questions.asked[0], LIMIT, TimeRequest(PAST)))
    # Each is about another time; nothing was observed between these.
    times = {question: PAST + timedelta(minutes=number) for number, question in enumerate(questions.asked)}
    result["past"] = timed(lambda q: search(dependencies, q, LIMIT, TimeRequest(times[q])), questions.asked)
    result["recall of the past"] = recall(pool, index, questions)
    if with_chroma:
        result["load of Chroma, s"] = seconds(lambda: compare(dependencies, lambda: None))
        result["Chroma alone"] = timed(lambda q: dependencies.vectors.nearest(questions.vector(q), 40), questions.asked)
        result["now"] = timed(lambda q: search(dependencies, q, LIMIT), questions.asked)
        result["measuring the recall of Chroma, s"] = seconds(lambda: measure_recall(dependencies))
        result["recall of Chroma"] = measure_recall(dependencies)
    return result


def before(pool: Pool, question: str) -> list[Any]:
    """Rank the words of a question as it was done in SQL."""
    with pool.connection() as connection:
        return connection.execute(BEFORE, {"question": question}).fetchall()


def recall(pool: Pool, index: PassageIndex, questions: Questions) -> float:
    """Return the share of the 40 nearest passages of the past that the index returns, compared in double precision."""
    with pool.connection() as connection:
        rows = connection.execute(
            """SELECT DISTINCT x.hash, x.embedding FROM versions v JOIN version_texts t ON t.version_id = v.id
               JOIN vectors x ON x.hash = ANY(t.hashes)
               WHERE v.seen_from <= %(at)s AND (v.seen_to > %(at)s OR v.seen_to IS NULL)""",
            {"at": PAST},
        ).fetchall()
    matrix = np.array([np.frombuffer(row["embedding"], "<f2") for row in rows], np.float64)
    with pool.connection() as connection:
        view = index.view(visible_versions(connection, PAST).ids)
    shares = []
    for question in questions.asked[:SLOW_QUESTIONS]:
        order = np.argsort(-(matrix @ np.array(questions.vector(question))))[:40]
        truth = {rows[number]["hash"] for number in order}
        shares.append(len(truth & {value for value, _ in index.nearest(view, questions.vector(question), 40)}) / 40)
    return statistics.mean(shares)


def seconds(action: Callable[[], object]) -> float:
    """Return how long an action takes."""
    began = time.monotonic()
    action()
    return round(time.monotonic() - began, 2)


def main() -> None:
    """Fill a database, measure, and print the result."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.search", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--passages", type=int, default=100_000)
    parser.add_argument("--chroma", action="store_true", help="measure today's search as a whole too")
    parser.add_argument("--german", type=float, default=0.0, help="share of passages that are analysed as German")
    parser.add_argument("--text", type=Path, default=Path(sysconfig.get_path("purelib")), help="folder of text files")
    arguments = parser.parse_args()
    stream = texts(arguments.text)
    passages = [text for text, _ in zip(stream, range(arguments.passages), strict=False)]
    if len(passages) < arguments.passages:
        sys.exit(f"{arguments.text}: found {len(passages)} passages; expected {arguments.passages}")
    workspace = Path(tempfile.mkdtemp(prefix="tars-bench-"))
    workspace.chmod(0o755)
    servers: list[Server] = []
    try:
        with ExitStack() as stack:
            servers.append(start_postgres(workspace))
            settings = stack.enter_context(empty_database(servers[0]))
            if arguments.chroma:
                servers.append(start_chroma(workspace))
                settings = settings.model_copy(update={"chroma_url": servers[1].environment["CHROMA_URL"]})
            migrate(settings)
            dependencies = make_dependencies(settings)
            stack.enter_context(dependencies.pool)
            began = time.monotonic()
            fill(dependencies, passages, np.random.default_rng(3), arguments.german)
            filled = round(time.monotonic() - began, 1)
            result = measure(dependencies, passages, arguments.chroma)
    finally:
        for server in servers:
            server.stop()
        shutil.rmtree(workspace)
    machine = {"cores": os.cpu_count(), "load": round(os.getloadavg()[0], 1), "python": platform.python_version()}
    print(
        json.dumps(
            {
                "passages": len(passages),
                "german": arguments.german,
                "fill, s": filled,
                **result,
                "targets": TARGETS,
                "machine": machine,
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
