# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure how documents are found and read: parsing, scans, the share of the embedding model, and memory.

    PYTHONPATH=app .venv/bin/python -m tests.bench.ingest [--only PART …] > docs/measurements/ingest.json

It prints one JSON object, and ends with 1 where a target is missed. It needs root. The parts, in this order:

parsing    generated files in their confined processes, with two threads as the worker has
scanning   scans of a local folder, with as many ignored files as documents
nas        the same over NFS, without ignored files: a machine of the lab exports them (`ingesting/nas.py`), which needs
           libnfs14 (Debian 12: libnfs13) on this computer
reading    the worker with PostgreSQL, Redis, Chroma and the lab's model server, which reads many small files
embedding  the same with files of different lengths, and the same passages sent to the model alone
memory     of the worker, for the largest files of different kinds (`ingesting/memory.py`)

`ingesting` has a module for each.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import sysconfig
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
from pydantic import SecretStr

from tars_app.settings import Settings

from ..integration.servers import start_postgres
from .ingesting import embedding, memory, nas, parsing, scanning
from .search import texts

AT_LEAST, AT_MOST = "at least", "at most"
TARGETS: tuple[tuple[str, str, str, float], ...] = (
    ("parsing", "PDF, MB a minute", AT_LEAST, 50),
    ("scanning", "second scan, s", AT_MOST, 10),
    ("scanning", "longest pause, s", AT_MOST, 2),
    ("nas", "second scan, s", AT_MOST, 10),
    ("nas", "longest pause, s", AT_MOST, 2),
    ("reading", "longest pause of the scan, s", AT_MOST, 2),
    ("embedding", "share of the embedding model", AT_LEAST, 0.85),
    ("memory", "worker, MiB", AT_MOST, 600),
)
"""Part, what is measured, and its limit for 100,000 documents and 10,000 new files on two cores."""


def scan(arguments: argparse.Namespace, over_nfs: bool) -> dict[str, Any]:
    """Measure scans of a local folder, or of one on the lab's NAS."""
    workspace = Path(tempfile.mkdtemp(prefix="tars-bench-"))
    workspace.chmod(0o755)
    share = workspace / "documents" / scanning.SHARE
    share.mkdir(parents=True)
    server = start_postgres(workspace)
    try:
        port = server.environment["PGPORT"]
        with psycopg.connect(f"host=127.0.0.1 port={port} user=tars dbname=postgres", autocommit=True) as connection:
            connection.execute("CREATE DATABASE tars")
        settings = Settings(
            postgres_host="127.0.0.1",
            postgres_port=int(port),
            postgres_password=SecretStr("not-asked-for"),
            chat_model="none",
            embedding_model="none",
            documents=[share.parent],
            require_mount=over_nfs,
        )
        if over_nfs:
            with nas.mounted_share(share) as folder:
                return scanning.measure(settings, folder, arguments.files, 0, arguments.new)
        return scanning.measure(settings, share, arguments.files, arguments.files, arguments.new)
    finally:
        server.stop()
        shutil.rmtree(workspace)


def embed(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure the share of the embedding model."""
    passages = [text for text, _ in zip(texts(arguments.text), range(arguments.passages), strict=False)]
    return embedding.measure(list(embedding.files_of(passages)))


PARTS: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
    "parsing": lambda arguments: parsing.measure(arguments.megabytes, arguments.new),
    "scanning": lambda arguments: scan(arguments, over_nfs=False),
    "nas": lambda arguments: scan(arguments, over_nfs=True),
    "reading": lambda arguments: embedding.measure(list(embedding.notes(arguments.new))),
    "embedding": embed,
    "memory": lambda arguments: memory.measure(arguments.largest),
}


def compared(results: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the targets beside what was measured; of memory, the worst kind of file."""
    rows: dict[str, dict[str, Any]] = {}
    for part, name, limit, target in TARGETS:
        if part in results:
            kinds = [each for each in results[part].values() if isinstance(each, dict) and name in each]
            value = max(each[name] for each in kinds or [results[part]])
            met = value >= target if limit == AT_LEAST else value <= target
            rows[f"{part}: {name}"] = {"measured": value, limit: target, "met": met}
    return rows


def main() -> None:
    """Measure, and print the result."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.ingest", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="parts to measure")
    parser.add_argument("--megabytes", type=float, default=20, help="of text PDF to parse")
    parser.add_argument("--files", type=int, default=100_000, help="documents on record before a scan")
    parser.add_argument("--new", type=int, default=10_000, help="small files that are found and read")
    parser.add_argument("--passages", type=int, default=1500, help="that are embedded")
    parser.add_argument("--text", type=Path, default=Path(sysconfig.get_path("purelib")), help="folder of their text")
    parser.add_argument(
        "--text-megabytes", type=float, default=30, help="text of the files that memory is measured for"
    )
    arguments = parser.parse_args()
    results: dict[str, Any] = {}
    for name, measure in PARTS.items():
        if name in arguments.only:
            print(f"… {name}", file=sys.stderr, flush=True)
            load = round(os.getloadavg()[0], 1)
            results[name] = {"load before": load, **measure(arguments)}
    targets = compared(results)
    machine = {"cores": os.cpu_count(), "kernel": platform.release(), "python": platform.python_version()}
    print(json.dumps({"targets": targets, **results, "machine": machine}, indent=2))
    sys.exit(0 if all(row["met"] for row in targets.values()) else 1)


if __name__ == "__main__":
    main()
