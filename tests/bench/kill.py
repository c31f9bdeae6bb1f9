# SPDX-License-Identifier: GPL-3.0-or-later
"""Kill commands at every boundary of their steps and at random moments, and break what they use.

    .venv/bin/python -m tests.bench.kill [--moments 100] [--minutes 9] [--only WORD] [--results FILE]

Goes on where the last call with the same file of results has ended, with the part that is least complete, and stops
after the given time. The moments of a part follow from its name and their numbers alone. It ends with an error at the
first backup that is bad, at the first error without a message, and at the first state from which the next command does
not converge. It needs root. tests/integration/backup/repository/test_kill.py has a quick part of it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from tars_lab import restic

from ..integration.backup.repository.desktop import PASSWORD, Desktop
from ..integration.backup.repository.killing import assert_converges, change, drive, strike_after
from ..integration.backup.repository.quick_key import replace_key
from . import kill_faults, kill_services
from .kill_faults import DISKS, HUNG, POWER, PROGRAM, RESTIC, Fault
from .kill_pieces import Part, Piece, call, report

_BACKUPS_TO_PRUNE = 5

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "docs/measurements/backup-kill.json"

Fill = Callable[[Desktop], set[str]]
Converge = Callable[[Desktop, set[str]], None]


def main() -> None:
    """Run the measurement."""
    description = (__doc__ or "").splitlines()[0]
    parser = argparse.ArgumentParser(prog="python -m tests.bench.kill", description=description)
    parser.add_argument("--moments", type=int, default=100, help="random moments of each part (default: %(default)s)")
    parser.add_argument("--minutes", type=float, default=9, help="stop after this time (default: %(default)s)")
    parser.add_argument("--only", default="", help="only the parts whose name contains this")
    parser.add_argument("--results", type=Path, default=RESULTS, help="file to go on with (default: %(default)s)")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if not arguments.inside:
        # Mounts that no other process sees, and that end with this one.
        words = ["unshare", "--mount", "--propagation", "private", sys.executable, "-m", "tests.bench.kill"]
        environment = {**os.environ, "PYTHONPATH": f"{ROOT}/library:{ROOT}/app"}
        os.execvpe(words[0], [*words, *sys.argv[1:], "--inside"], environment)  # noqa: S606  no shell
    chosen = {name: part for name, part in parts().items() if arguments.only in name}
    call(chosen, arguments.results, moments=arguments.moments, limit_s=60 * arguments.minutes)


def parts() -> dict[str, Part]:
    """Return the parts of the test by name."""
    from . import kill_drill  # it needs the application

    result: dict[str, Part] = {}
    for verb, fill, converge in (
        ("run", fill_run, assert_converges),
        ("prune", fill_prune, assert_converges),
        ("init", fill_init, assert_initialized),
    ):
        result[f"{verb}: boundaries"] = partial(at_boundaries, verb=verb, fill=fill, converge=converge)
        for fault in (PROGRAM, RESTIC, *DISKS, *([] if verb == "init" else [HUNG, POWER])):
            result[f"{verb}: {fault.name}"] = partial(at_moments, verb=verb, fault=fault, fill=fill, converge=converge)
    return {**result, **kill_services.parts(), **kill_drill.parts()}


def at_boundaries(piece: Piece, verb: str, fill: Fill, converge: Converge) -> dict[str, int]:
    """Kill a verb at its boundaries; return their number."""
    with prepared() as desktop:
        fill(desktop)
        whole = drive(desktop, verb)
        assert whole
        count = 0
        for step in piece.numbers(whole["steps"]):
            good = fill(desktop)
            assert drive(desktop, verb, step) is None
            converge(desktop, good)
            count += 1
            report(f"{piece.name} {step} of {whole['steps']}")
        assert desktop.verify(every=True, data=True).backups
    return {"boundaries": count, "of": whole["steps"]}


def at_moments(piece: Piece, verb: str, fault: Fault, fill: Fill, converge: Converge) -> dict[str, int]:
    """Let a fault strike at random moments of a verb; return how many there were, hit, and made the verb fail."""
    count = hit = failed = 0
    with prepared() as desktop:
        if fault is HUNG:
            kill_faults.mount_faulty(desktop)
        if fault is POWER:
            kill_faults.mount_disk(desktop)
        fill(desktop)
        whole = drive(desktop, verb)
        assert whole
        for number in piece.numbers():
            good = fill(desktop)
            delay_s = piece.moment(number).uniform(0.05, 1.1 * whole["seconds"] + 0.3)
            struck, code = strike_after(desktop, verb, delay_s, fault.strike, fault.heal)
            count += 1
            hit += struck
            failed += code != 0
            converge(desktop, good)
            report(f"{piece.name} {number}: after {delay_s:.2f} s, exit status {code}")
        assert desktop.verify(every=True, data=True).backups
    return {"moments": count, "hit": hit, "failed": failed}


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


if __name__ == "__main__":
    main()
