# SPDX-License-Identifier: GPL-3.0-or-later
"""Make one backup in a process of its own, as the timer does, and print its time and its memory as JSON.

    .venv/bin/python -m tests.bench.backup_step CONFIGURATION

tests.bench.backup starts it.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from pathlib import Path

from tars_backup import configuration, contract
from tars_backup.actions.run import run
from tars_backup.components import all_components
from tars_backup.context import Context
from tars_backup.deadline import Deadline

from ..integration.backup.local_services import LocalServices


def peak_mib() -> float:
    """Return the largest memory of this process. (getrusage includes that of the process that started it.)"""
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return round(int(line.split()[1]) / 1024, 1)


def main() -> None:
    """Print the measurements of one backup as JSON."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.backup_step", description="Measure one backup.")
    parser.add_argument("configuration", type=Path, help="the configuration file of tars_backup")
    settings = configuration.load(parser.parse_args().configuration)
    marks: dict[str, float] = {}
    began = time.monotonic()

    def progress(line: str) -> None:
        marks.setdefault(line, round(time.monotonic() - began, 2))

    context = Context(settings, contract.load(settings.contract), LocalServices(), Deadline(3600), progress)
    made = run(settings, all_components(), lambda: context, dry_run=False)
    print(
        json.dumps(
            {
                "seconds": round(time.monotonic() - began, 2),
                "changed": made.changed,
                "bytes": made.bytes,
                "added": made.added,
                "peak_mib": peak_mib(),
                "marks_s": marks,
                "components": {name: dataclasses.asdict(part)["bytes"] for name, part in made.components.items()},
            }
        )
    )


if __name__ == "__main__":
    main()
