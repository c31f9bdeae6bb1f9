# SPDX-License-Identifier: GPL-3.0-or-later
"""Interrupt changes of the desktop's firewall and of its address, and check that the machine answers again.

    .venv/bin/python -m tests.bench.cut [--of firewall|address|both] [--runs 100] [--seed N] [--skip N] > cut.json
    .venv/bin/python -m tests.bench.cut --case '{"of": "address", "change": "wrong", …}'

Needs the lab, up; the state of its desktop does not matter. The first runs of each kind interrupt every change at each
of its steps in every way, the others at random times of the change. Half of the changes are wrong ones, after which the
controller cannot reconnect, so that only the rollback on the machine helps.

The exit code is 1 if a machine was unreachable for longer than the deadline and a boot, kept an unconfirmed change, has
another state on disk than in force, or if the controller reported a wrong result. Each such run is printed as the case
that repeats it.
"""

import argparse
import itertools
import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from .cutting import Case, Result, attempt
from .cutting_address import Address
from .cutting_desktop import ROOT, Desktop, environment
from .cutting_firewall import Firewall

CUTS = ("controller", "module", "link", "reboot")
DEADLINE_S = {"firewall": 5, "address": 8}
LATE = ("back", "written", "kept")
"""Steps that must be reached before the deadline, also on a busy computer."""

GRACE_S = 60
"""Seconds beyond the deadline for a boot or for a DHCP lease on a busy computer."""


def named(of: str, steps: Mapping[str, Sequence[str]]) -> Iterator[Case]:
    """Yield a case for every combination of change, step and cut."""
    for change in steps:
        for step, how in itertools.product(steps[change], CUTS):
            deadline_s = DEADLINE_S[of] * (3 if step in LATE else 1)
            yield Case(of, change, step, how, deadline_s, deadline_s if how == "link" else 0)


def drawn(of: str, spans: dict[str, float], rng: random.Random) -> Iterator[Case]:
    """Yield cases with cuts at random times, and with cables unplugged for shorter and longer than the deadline."""
    while True:
        change, how = rng.choice(list(spans)), rng.choice(CUTS)
        link_s = round(rng.uniform(0.5, 2 * DEADLINE_S[of]), 2) if how == "link" else 0
        yield Case(of, change, round(rng.uniform(0, spans[change]), 3), how, DEADLINE_S[of], link_s)


def series(desktop: Desktop, runs: int, skip: int, rng: random.Random) -> Iterator[Result]:
    """Yield the results of `runs` runs, without the first `skip` ones."""
    spans = {}
    for change in desktop.steps:
        # Without a cut: it measures the duration, and checks the result that the controller reports.
        whole = attempt(
            desktop, Case(desktop.of, change, "begun", "none", 60 if change == "right" else DEADLINE_S[desktop.of])
        )
        yield whole
        spans[change] = whole.lasted_s
    cases = itertools.chain(named(desktop.of, desktop.steps), drawn(desktop.of, spans, rng))
    for case in itertools.islice(cases, skip, runs - len(spans)):
        yield attempt(desktop, case)


def summary(results: list[Result]) -> dict[str, object]:
    """Return the number of runs by step and cut, the longest silence by cut, and the failed runs."""
    counts: dict[str, dict[str, int]] = {}
    for result in results:
        case = result.case
        at = f"{case.change}: {case.at if isinstance(case.at, str) else 'at any time'}"
        row = counts.setdefault(at, {})
        row[case.cut] = row.get(case.cut, 0) + 1
    silence = {how: max((r.silent_s for r in results if r.case.cut == how), default=None) for how in CUTS}
    bad = [asdict(r) for r in results if not r.good or r.silent_s > r.case.deadline_s + GRACE_S]
    return {
        "runs": len(results),
        "good": len(results) - len(bad),
        "counts": counts,
        "longest_silence_s": silence,
        "bad": bad,
    }


def desktop(of: str) -> Desktop:
    """Return the desktop with its static address and a firewall, or with its DHCP address and without a firewall."""
    if of == "firewall":
        with tempfile.TemporaryDirectory(prefix="cut-") as folder:
            command = Address().move("10.77.0.10", Path(folder), 60)
            subprocess.run(command, cwd=ROOT, env=environment(), check=True, stdout=sys.stderr)
        prepared = Firewall()
        prepared.prepare()
        return prepared
    return Address()


def main() -> None:
    """Run the cuts and print the results as JSON."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.cut", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--of", choices=["firewall", "address", "both"], default="both", help="which changes to interrupt"
    )
    parser.add_argument("--runs", type=int, default=100, help="number of runs of each kind (default 100)")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="seed of the random times")
    parser.add_argument("--skip", type=int, default=0, help="number of cuts to skip, to continue a series")
    parser.add_argument("--case", type=json.loads, help="run only this case, given as it was printed")
    options = parser.parse_args()
    shown = {}
    if options.case:
        results = [attempt(desktop(options.case["of"]), Case(**options.case))]
        shown["case"] = summary(results)
    else:
        for of in ("firewall", "address") if options.of == "both" else (options.of,):
            rng = random.Random(f"{options.seed} {of}")
            shown[of] = summary(list(series(desktop(of), options.runs, options.skip, rng))) | {"seed": options.seed}
    print(json.dumps(shown, indent=1))
    sys.exit(1 if any(part["bad"] for part in shown.values()) else 0)


if __name__ == "__main__":
    main()
