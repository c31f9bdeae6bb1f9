# SPDX-License-Identifier: GPL-3.0-or-later
"""Call one verb of a desktop in a process of its own, and print its outcome as JSON.

python -m tests.integration.backup.repository.driver FOLDER VERB
"""

from __future__ import annotations

import dataclasses
import sys
import time
from pathlib import Path

from tars_backup import output, processes, restic
from tars_backup.errors import BackupError

from .desktop import Desktop


def main() -> None:
    """Print {seconds, code, result or message}."""
    # Shorter limits than those of the program, which test_time_limits states.
    processes.ANSWER_S, processes.KILL_S, restic.RETRY_S, restic.PROBE_S = 6.0, 1.0, 5.0, 3.0
    desktop = Desktop(Path(sys.argv[1]), Path())
    start = time.monotonic()
    try:
        result = getattr(desktop, sys.argv[2])()
    except BackupError as error:
        outcome = {"code": error.code, "message": str(error), "result": None}
    else:
        outcome = {
            "code": 0,
            "message": "",
            "result": result if isinstance(result, str) else dataclasses.asdict(result),
        }
    print(output.to_json({**outcome, "seconds": time.monotonic() - start}))


if __name__ == "__main__":
    main()
