# SPDX-License-Identifier: GPL-3.0-or-later
"""Kill commands at every boundary of their steps and at random moments, and break what they use.

    .venv/bin/python -m tests.bench.kill [--moments 100] [--stride 1] [--only WORD] > kill.json

Prints one JSON object with the numbers. It ends with an error at the first backup that is bad, at the first error
without a message, and at the first state from which the next run does not converge. It needs root.
tests/integration/backup/repository/test_kill.py has a quick part of it.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from tars_lab import restic

from ..integration.backup.repository.desktop import PASSWORD, Desktop
from ..integration.backup.repository.killing import assert_converges, change, drive, strike_after
from ..integration.backup.repository.quick_key import replace_key
from . import kill_faults, kill_services
from .kill_faults import DISKS, HUNG, PROGRAM, RESTIC, Fault

_BACKUPS_TO_PRUNE = 5

Fill = Callable[[Desktop], set[str]]
Converge = Callable[[Desktop, set[str]], None]


def main() -> None:
    """Run the measurement."""
    description = (__doc__ or "").splitlines()[0]
    parser = argparse.ArgumentParser(prog="python -m tests.bench.kill", description=description)
    parser.add_argument("--moments", type=int, default=100, help="random moments for each command and fault")
    parser.add_argument("--stride", type=int, default=1, help="use every Nth boundary of a step")
    parser.add_argument("--only", default="", help="only the parts whose name contains this")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if not arguments.inside:
        # Mounts that no other process sees, and that end with this one.
        words = ["unshare", "--mount", "--propagation", "private", sys.executable, "-m", "tests.bench.kill"]
        os.execvp(words[0], [*words, *sys.argv[1:], "--inside"])  # noqa: S606  no shell
    outcome: dict[str, object] = {}
    start = time.monotonic()
    for name, part in parts(arguments.stride, arguments.moments).items():
        if arguments.only in name:
            began = time.monotonic()
            outcome[name] = {**part(name), "seconds": round(time.monotonic() - began)}
            report(json.dumps({name: outcome[name]}))
    print(json.dumps({**outcome, "seconds": round(time.monotonic() - start)}, indent=1))


def parts(stride: int, moments: int) -> dict[str, Callable[[str], dict[str, int]]]:
    """Return the parts of the test by name."""
    result: dict[str, Callable[[str], dict[str, int]]] = {}
    for verb, fill in (("run", fill_run), ("prune", fill_prune)):
        result[f"{verb}: boundaries"] = partial(at_boundaries, verb=verb, fill=fill, stride=stride)
        for fault in (PROGRAM, RESTIC, *DISKS, HUNG):
            result[f"{verb}: {fault.name}"] = partial(
                at_moments, verb=verb, fault=fault, moments=moments, fill=fill, converge=assert_converges
            )
    for fault in (PROGRAM, RESTIC, *DISKS[:1]):
        result[f"init: {fault.name}"] = partial(
            at_moments, verb="init", fault=fault, moments=moments, fill=fill_init, converge=assert_initialized
        )
    return {**result, **kill_services.parts(moments, report)}


def at_boundaries(name: str, verb: str, fill: Fill, stride: int) -> dict[str, int]:
    """Kill a verb at its boundaries; return their number."""
    with prepared() as desktop:
        fill(desktop)
        whole = drive(desktop, verb)
        assert whole
        steps = range(1, whole["steps"] + 1, stride)
        for step in steps:
            good = fill(desktop)
            assert drive(desktop, verb, step) is None
            assert_converges(desktop, good)
            report(f"{name} {step} of {whole['steps']}")
        assert desktop.verify(every=True, data=True).backups
    return {"boundaries": len(steps)}


def at_moments(name: str, verb: str, fault: Fault, moments: int, fill: Fill, converge: Converge) -> dict[str, int]:
    """Let a fault strike at random moments of a verb; return how many there were, hit, and made the verb fail."""
    generator = random.Random(name)
    hit = failed = 0
    with prepared() as desktop:
        if fault is HUNG:
            kill_faults.mount_faulty(desktop)
        fill(desktop)
        whole = drive(desktop, verb)
        assert whole
        for number in range(moments):
            good = fill(desktop)
            delay_s = generator.uniform(0.05, 1.1 * whole["seconds"] + 0.3)
            struck, code = strike_after(desktop, verb, delay_s, fault.strike, fault.heal)
            hit += struck
            failed += code != 0
            converge(desktop, good)
            report(f"{name} {number + 1} of {moments}: after {delay_s:.2f} s, exit status {code}")
        assert desktop.verify(every=True, data=True).backups
    return {"moments": moments, "hit": hit, "failed": failed}


@contextmanager
def prepared() -> Iterator[Desktop]:
    """Yield a desktop with a backup in a repository whose key opens quickly."""
    folder = Path(tempfile.mkdtemp(prefix="tars-kill-"))
    desktop = Desktop(folder / "desktop", restic.binary())
    kill_faults.mount(desktop)
    try:
        desktop.init()
        master = json.loads(desktop.stock_restic("cat", "masterkey").stdout)
        replace_key(desktop.repository, PASSWORD, json.dumps(master).encode())
        (desktop.documents / "photo").write_bytes(os.urandom(4 << 20))
        desktop.run()
        yield desktop
    finally:
        kill_faults.unmount(desktop)
        shutil.rmtree(folder)


def fill_run(desktop: Desktop) -> set[str]:
    """Give a run something to save; return the ids of the backups that must stay."""
    desktop.write_settings(retention={"last": 12})
    change(desktop)
    (desktop.documents / "video").write_bytes(os.urandom(1 << 20))
    # After the fault, assert_converges makes one more backup.
    return {mark.id for mark in desktop.listing().backups[-10:]}


def fill_prune(desktop: Desktop) -> set[str]:
    """Give a prune something to remove; return the ids of the backups that must stay."""
    desktop.write_settings(retention={"last": 99})
    while len(desktop.listing().backups) < _BACKUPS_TO_PRUNE:
        fill_run(desktop)
        desktop.write_settings(retention={"last": 99})
        desktop.run()
    change(desktop)
    desktop.write_settings(retention={"last": 3})
    return {mark.id for mark in desktop.listing().backups[-2:]}


def fill_init(desktop: Desktop) -> set[str]:
    """Take the repository away."""
    for folder in (desktop.repository, desktop.configuration.good, desktop.configuration.state):
        if folder.exists():
            shutil.rmtree(folder)
    desktop.write_settings(repository_id=None)
    return set()


def assert_initialized(desktop: Desktop, _good: set[str]) -> None:
    """Check that the next init gets through, and makes a repository that works."""
    desktop.init()
    assert desktop.run().changed
    assert desktop.verify(data=True).backups


def report(line: str) -> None:
    """Print progress."""
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
