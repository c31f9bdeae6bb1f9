# SPDX-License-Identifier: GPL-3.0-or-later
"""Evaluate search and reading on the documents of an invented household, with the lab's embedding model.

    PYTHONPATH=app:library .venv/bin/python -m tests.eval.household [--questions german mixed] > household.json

Starts PostgreSQL on loopback (as root, under its own account), observes five years of documents, asks each question,
and prints one JSON object. It takes about half a minute.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from ..integration.servers import Server, start_postgres
from .corpus import EvaluationSet, load_household
from .reading import read_all
from .retrieval import mean_reciprocal_rank, score_all, summarize
from .store import Embedder, VectorsOnly, WordsOnly, observed, with_index

QUESTIONS = ("questions", "held_out", "german", "mixed")


def evaluate(server: Server, evaluation: EvaluationSet, embedder: Embedder) -> dict[str, Any]:
    """Return the scores of the search, of its two parts, and of reading."""
    with observed(server, evaluation, embedder) as dependencies:
        retrieval = summarize(score_all(dependencies, evaluation))
        parts = {
            name: mean_reciprocal_rank(score_all(with_index(dependencies, kind), evaluation))
            for name, kind in (("words", WordsOnly), ("vectors", VectorsOnly))
        }
    return {"retrieval": {**retrieval, "mean_reciprocal_rank_of_parts": parts}, "reading": read_all(evaluation)}


def evaluate_alone(evaluation: EvaluationSet) -> dict[str, Any]:
    """Start PostgreSQL, evaluate, and stop it."""
    workspace = Path(tempfile.mkdtemp(prefix="tars-eval-"))
    workspace.chmod(0o755)
    server = None
    try:
        server = start_postgres(workspace)
        return evaluate(server, evaluation, Embedder())
    finally:
        if server:
            server.stop()
        shutil.rmtree(workspace)


def main() -> None:
    """Evaluate, and print the result."""
    parser = argparse.ArgumentParser(prog="python -m tests.eval.household", description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--questions", nargs="+", choices=QUESTIONS, default=QUESTIONS, help="files of questions; default: all"
    )
    arguments = parser.parse_args()
    result = {name: evaluate_alone(load_household(name)) for name in arguments.questions}
    print(json.dumps(result, indent=2, ensure_ascii=False))


if __name__ == "__main__":
    main()
