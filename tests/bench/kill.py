# SPDX-License-Identifier: GPL-3.0-or-later
"""Kill runs and prunes at every boundary of their steps and at random moments; print how many, as one JSON object.

    .venv/bin/python -m tests.bench.kill [--moments 100] [--stride 1] > kill.json

It ends with an error at the first backup that is bad, and at the first state from which the next run does not converge.
tests/integration/backup/repository/test_kill.py has a quick part of it.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import time
from pathlib import Path

from tars_lab import restic

from ..integration.backup.repository.desktop import PASSWORD, Desktop
from ..integration.backup.repository.killing import assert_converges, change, drive, kill_after
from ..integration.backup.repository.quick_key import replace_key

_KEEP = {"run": 99, "prune": 3}
_BACKUPS_TO_PRUNE = 5


def main() -> None:
    """Run the measurement."""
    description = (__doc__ or "").splitlines()[0]
    parser = argparse.ArgumentParser(prog="python -m tests.bench.kill", description=description)
    parser.add_argument("--moments", type=int, default=100, help="random moments for each command")
    parser.add_argument("--stride", type=int, default=1, help="use every Nth boundary of a step")
    arguments = parser.parse_args()
    start = time.monotonic()
    outcome: dict[str, object] = {verb: kill(verb, arguments.stride, arguments.moments) for verb in _KEEP}
    print(json.dumps({**outcome, "seconds": round(time.monotonic() - start)}))


def kill(verb: str, stride: int, moments: int) -> dict[str, int]:
    """Kill a verb at its boundaries and at random moments; return the numbers."""
    generator = random.Random(1)
    with tempfile.TemporaryDirectory(prefix="tars-kill-") as folder:
        desktop = prepared(Path(folder) / "desktop")
        desktop.run()
        fill(desktop, verb)
        whole = drive(desktop, verb)
        assert whole
        steps = range(1, whole["steps"] + 1, stride)
        for step in steps:
            good = fill(desktop, verb)
            assert drive(desktop, verb, step) is None
            assert_converges(desktop, good)
            report(f"{verb}: step {step} of {whole['steps']}")
        killed = 0
        for number in range(moments):
            good = fill(desktop, verb)
            killed += kill_after(desktop, verb, generator.uniform(0.05, 1.2 * whole["seconds"] + 0.3))
            assert_converges(desktop, good)
            report(f"{verb}: moment {number + 1} of {moments}")
        assert desktop.verify(every=True, data=True).backups
    return {"boundaries": len(steps), "moments": moments, "killed_at_moments": killed}


def prepared(folder: Path) -> Desktop:
    """Return a desktop with a repository whose key opens quickly."""
    desktop = Desktop(folder, restic.binary())
    desktop.init()
    master = json.loads(desktop.stock_restic("cat", "masterkey").stdout)
    replace_key(desktop.repository, PASSWORD, json.dumps(master).encode())
    (desktop.documents / "photo").write_bytes(os.urandom(4 << 20))
    return desktop


def fill(desktop: Desktop, verb: str) -> set[str]:
    """Give the verb something to do; return the ids of the backups that must stay."""
    desktop.write_settings(retention={"last": 99})
    while verb == "prune" and len(desktop.listing().backups) < _BACKUPS_TO_PRUNE:
        change(desktop)
        desktop.run()
    change(desktop)
    desktop.write_settings(retention={"last": _KEEP[verb]})
    backups = [mark.id for mark in desktop.listing().backups]
    # After the kill, assert_converges makes one more backup.
    return set(backups[-2:] if verb == "prune" else backups)


def report(line: str) -> None:
    """Print progress."""
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
