# SPDX-License-Identifier: GPL-3.0-or-later
"""Make or restore one backup in a process of its own, and print its time and its memory as JSON.

    .venv/bin/python -m tests.bench.backup_step run|restore FOLDER

tests.bench.backup starts it, with the folder of its desktop.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

from tars_backup.actions.restore import restore
from tars_backup.actions.run import run

from .backup_desktop import BenchDesktop


def peak_mib() -> float:
    """Return the largest memory of this process. (getrusage includes that of the process that started it.)"""
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return round(int(line.split()[1]) / 1024, 1)


def main() -> None:
    """Print the measurements of one backup or restore as JSON."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.backup_step", description="Measure one backup.")
    parser.add_argument("verb", choices=("run", "restore"))
    parser.add_argument("folder", type=Path, help="folder of the desktop")
    options = parser.parse_args()
    desktop = BenchDesktop(options.folder)
    marks: dict[str, float] = {}
    began = time.monotonic()

    def progress(line: str) -> None:
        marks.setdefault(line, round(time.monotonic() - began, 2))

    configuration, components = desktop.configuration, desktop.components
    result: dict[str, Any]
    if options.verb == "run":
        made = run(configuration, components, lambda: desktop.context(progress), dry_run=False)
        sizes = {name: part.bytes for name, part in made.components.items()}
        result = {"changed": made.changed, "bytes": made.bytes, "added": made.added, "components": sizes}
    else:
        restored = restore(
            configuration, components, lambda: desktop.context(progress), name="latest", parts=None, preview=False
        )
        result = {"changed": restored.changed, "bytes": restored.bytes}
    seconds = round(time.monotonic() - began, 2)
    print(json.dumps({"seconds": seconds, **result, "peak_mib": peak_mib(), "marks_s": marks}))


if __name__ == "__main__":
    main()
