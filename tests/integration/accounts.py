# SPDX-License-Identifier: GPL-3.0-or-later
"""Other accounts for servers of tests. It imports little: tests.bench.backup_step measures its own memory."""

from __future__ import annotations

import os


def as_other(user: str, command: list[str]) -> list[str]:
    """Return a command that runs under another account than root: PostgreSQL refuses to run as root."""
    if os.getuid() != 0:
        return command
    # The kernel forgets the signal at the parent's death when the account changes.
    account = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--pdeathsig", "SIGINT"]
    return [*account, *command]
