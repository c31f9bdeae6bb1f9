# SPDX-License-Identifier: GPL-3.0-or-later
"""Make one backup in a process of its own, as the timer does, and print its time and its memory as JSON."""

from __future__ import annotations

import dataclasses
import json
import sys
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
    """Run with the configuration file in the first argument."""
    settings = configuration.load(Path(sys.argv[1]))
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
