# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure backups and a restore of a database with many passages and vectors, and compare them with the targets.

    .venv/bin/python -m tests.bench.backup [--passages 100000] [--backups-only] > backup.json

Starts PostgreSQL, Redis, Chroma and the application on loopback, fills the application's own schema, and prints one
JSON object. It needs root, about 4 GiB of disk space for temporary files, and with 100,000 passages ten minutes;
without questions and the restore (`--backups-only`) two.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx

from ..integration.backup.repository.stack import SERVICES
from .backup_data import PASSAGES_OF_A_DOCUMENT, Documents
from .backup_desktop import ROOT
from .backup_household import STORES, Household

TARGETS = {
    "first backup / restic alone": 1.5,
    "nothing changed, s": 6,
    "growth for 1 % appended, %": 3,
    "growth for 1 % of documents read again, %": 6,
    "growth for an idle hour, %": 0,
    "first answer after a restore, s": 180,
    "whole after a restore, s": 360,
    "p95 of questions, during a backup / idle": 1.2,
    "peak memory of tars_backup, MiB": 100,
}
"""The largest value of each measurement that is good enough."""

_QUESTIONS = 50
_FILL_S = 900
_TIMER = ("chrt", "--idle", "0", "ionice", "--class", "idle")
"""Priorities of the timer's unit, which the role tars.home.backup writes. (The unit has a weight besides: with the
policy alone, a run would hardly get on while other programs use all processors.)"""


def start_step(household: Household, verb: str, *prefix: str) -> subprocess.Popen[bytes]:
    """Start a backup or a restore in a process of its own."""
    path = os.pathsep.join(str(ROOT / name) for name in ("library", "app", "collections", "."))
    return subprocess.Popen(
        [*prefix, sys.executable, "-m", "tests.bench.backup_step", verb, str(household.folder)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
    )


def result_of(process: subprocess.Popen[bytes]) -> dict[str, Any]:
    """Wait for a step, and return what it measured."""
    output, _ = process.communicate()
    if process.returncode:
        sys.exit(f"a step ended with {process.returncode}")
    result: dict[str, Any] = json.loads(output)
    return result


def backup(household: Household) -> dict[str, Any]:
    """Make a backup; return its time, memory and the growth of the repository."""
    before, used = size(household.repository), processor_s()
    result = result_of(start_step(household, "run"))
    used = round(processor_s() - used, 2)
    return {**result, "processor_s": used, "growth": size(household.repository) - before}


def size(folder: Path) -> int:
    """Return the bytes of the files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def restic_alone(household: Household) -> tuple[float, float]:
    """Return the seconds that restic takes for the staged files, into a new repository, and its processor time in s."""
    folder = household.folder
    words = [household.settings["restic"], "--repo", folder / "alone", "--password-file", folder / "key"]
    words += ["--cache-dir", folder / "alone-cache"]
    subprocess.run([*words, "init"], check=True, stdout=subprocess.DEVNULL)
    used, began = processor_s(), time.monotonic()
    subprocess.run([*words, "backup", "."], cwd=household.configuration.staging, check=True, stdout=subprocess.DEVNULL)
    seconds, used = round(time.monotonic() - began, 2), round(processor_s() - used, 2)
    shutil.rmtree(folder / "alone")
    shutil.rmtree(folder / "alone-cache")
    return seconds, used


def processor_s() -> float:
    """Return the processor time of the programs that this process started and that have ended, in seconds."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def ask(household: Household, question: str) -> float:
    """Ask a question; return the seconds that the answer took."""
    began = time.monotonic()
    household.get("/api/search", q=question).raise_for_status()
    return time.monotonic() - began


def summary(seconds: list[float]) -> dict[str, float]:
    """Return the number of questions, and the median and the 95th percentile of their times in ms."""
    percentiles = statistics.quantiles(seconds, n=20)
    shown = {"p50_ms": statistics.median(seconds) * 1000, "p95_ms": percentiles[-1] * 1000}
    return {"questions": len(seconds), **{name: round(value, 1) for name, value in shown.items()}}


def ask_during_backup(household: Household, asked: list[str]) -> tuple[list[float], float]:
    """Return the times of the questions while a timer's backup runs, and its time, in seconds."""
    process = start_step(household, "run", *_TIMER)
    times = []
    for question in itertools.cycle(asked):
        if process.poll() is not None:
            break
        times.append(ask(household, question))
    return times, result_of(process)["seconds"]


def questions(household: Household, documents: Documents) -> dict[str, Any]:
    """Return the times of the same questions, one after the other, while nothing else runs and during backups."""
    asked = documents.questions(_QUESTIONS)
    for question in asked:
        ask(household, question)
    idle, unchanged, unchanged_s = [], [], []
    for _ in range(3):  # in turn, as the computer itself is now faster and now slower
        idle += [ask(household, question) for question in asked]
        times, seconds = ask_during_backup(household, asked)
        unchanged += times
        unchanged_s.append(seconds)
    household.forget_backups()
    first, first_s = ask_during_backup(household, asked)
    idle += [ask(household, question) for question in asked]
    return {
        "idle": summary(idle),
        "during_unchanged": {**summary(unchanged), "backup_s": max(unchanged_s)},
        "during_first": {**summary(first), "backup_s": first_s},
    }


def vectors_of_chroma(household: Household) -> int:
    """Return the number of vectors that Chroma has; 0 if there is no collection yet."""
    url = f"{household.services.settings['TARS_CHROMA_URL']}/api/v2/tenants/default_tenant/databases"
    url += "/default_database/collections"
    try:
        collections = httpx.get(url, timeout=60, trust_env=False).raise_for_status().json()
        counts = [httpx.get(f"{url}/{entry['id']}/count", timeout=60, trust_env=False) for entry in collections]
        return sum(int(count.raise_for_status().text) for count in counts)
    except httpx.HTTPError:
        return 0


def wait_for_vectors(household: Household, documents: Documents) -> None:
    """Wait until Chroma has the vectors of all passages that can be found."""
    ((expected,),) = documents.execute("SELECT count(DISTINCT hash) FROM document_passages")
    end = time.monotonic() + _FILL_S
    while vectors_of_chroma(household) < expected:
        if time.monotonic() > end:
            sys.exit(f"Chroma has {vectors_of_chroma(household)} of {expected} vectors after {_FILL_S} s")
        time.sleep(0.5)


def restore(household: Household, documents: Documents) -> dict[str, Any]:
    """Restore onto an empty desktop whose services run; return when it answers again, and when it is whole."""
    ((path, text),) = documents.execute(
        "SELECT path, text FROM documents JOIN document_passages ON id = document_id JOIN passages USING (hash) LIMIT 1"
    )
    question = " ".join(text.split()[:12])
    household.stop()
    household.empty()
    household.start(SERVICES)
    began = time.monotonic()
    process = start_step(household, "restore")
    while not answers(household, question, path):
        time.sleep(0.2)
    first_answer_s = round(time.monotonic() - began, 2)
    result = result_of(process)
    wait_for_vectors(household, documents)
    return {**result, "first_answer_s": first_answer_s, "whole_s": round(time.monotonic() - began, 2)}


def answers(household: Household, question: str, path: str) -> bool:
    """Return whether a document is found."""
    try:
        response = household.get("/api/search", q=question)
    except httpx.HTTPError:
        return False
    return response.is_success and any(result["path"] == path for result in response.json()["results"])


def measure(folder: Path, passages: int, *, backups_only: bool) -> dict[str, Any]:
    """Return all measurements, or those of backups only; everything is below `folder`."""
    household = Household(folder)
    documents = Documents(household.database, household.share_of_documents)
    results: dict[str, Any] = {"machine": platform.platform(), "cores": os.cpu_count(), "load": os.getloadavg()}
    try:
        household.empty()
        household.start(STORES)
        documents.create(household.ports.postgres)
        documents.add(passages)
        household.init()
        results |= {"passages": passages, **backups(household, documents, passages // 100)}
        if not backups_only:
            household.start(SERVICES)
            began = time.monotonic()
            wait_for_vectors(household, documents)
            results["vectors_filled_s"] = round(time.monotonic() - began, 2)
            results["questions"] = questions(household, documents)
            results["restore"] = restore(household, documents)
    finally:
        household.close()
    return {**results, "targets": compare(results)}


def backups(household: Household, documents: Documents, one_percent: int) -> dict[str, Any]:
    """Return the measurements of a first backup, and of others after changes."""
    results: dict[str, Any] = {"first": backup(household)}
    results["restic_alone_s"], results["restic_alone_processor_s"] = restic_alone(household)
    results["unchanged"] = backup(household)
    documents.execute("INSERT INTO volatile.scans (source) VALUES ('docs')")
    results["heartbeats"] = backup(household)
    documents.add(one_percent)
    results["one_percent_appended"] = backup(household)
    documents.read_again(one_percent // PASSAGES_OF_A_DOCUMENT)
    results["one_percent_of_documents_read_again"] = backup(household)
    return results


def compare(results: dict[str, Any]) -> dict[str, Any]:
    """Return each target with what was measured, and whether it holds."""
    first = results["first"]
    steps = [value for value in results.values() if isinstance(value, dict) and "peak_mib" in value]

    def growth(name: str) -> float:
        return float(results[name]["growth"] / first["growth"] * 100)

    measured = {
        "first backup / restic alone": first["seconds"] / results["restic_alone_s"],
        "nothing changed, s": results["unchanged"]["seconds"],
        "growth for 1 % appended, %": growth("one_percent_appended"),
        "growth for 1 % of documents read again, %": growth("one_percent_of_documents_read_again"),
        "growth for an idle hour, %": growth("heartbeats"),
        "peak memory of tars_backup, MiB": max(step["peak_mib"] for step in steps),
    }
    if "restore" in results:
        asked = results["questions"]
        during = max(asked[name]["p95_ms"] for name in ("during_first", "during_unchanged"))
        measured["p95 of questions, during a backup / idle"] = during / asked["idle"]["p95_ms"]
        measured["first answer after a restore, s"] = results["restore"]["first_answer_s"]
        measured["whole after a restore, s"] = results["restore"]["whole_s"]
    return {
        name: {"measured": round(value, 2), "at_most": TARGETS[name], "holds": value <= TARGETS[name]}
        for name, value in measured.items()
    }


def main() -> None:
    """Print the measurements as JSON."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.backup", description="Measure backups of a database with many passages and vectors."
    )
    parser.add_argument("--passages", type=int, default=100_000, help="default: %(default)s")
    parser.add_argument("--backups-only", action="store_true", help="measure neither questions nor a restore")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="tars-bench-"))
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))  # the services must not stay
    try:
        print(json.dumps(measure(folder, options.passages, backups_only=options.backups_only), indent=1))
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
