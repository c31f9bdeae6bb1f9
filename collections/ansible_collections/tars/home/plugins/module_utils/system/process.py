# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs of the system: run one with a deadline, and turn its failure into an error that names it."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from typing import NamedTuple

from ..resource.errors import ResourceError

PROGRAMS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where programs of the system are, also for a login whose PATH lacks the folders of root."""


class ProcessError(ResourceError):
    """A program could not be started, ran out of time, or ended with an error. The message quotes its output."""


class Finished(NamedTuple):
    """What a program left: exit status, standard output and standard error, as `AnsibleModule.run_command` does."""

    status: int
    output: str
    errors: str


def attempt(command: Sequence[str], text: str = "", timeout_s: float = 20) -> Finished:
    """Run a program with `text` as its input, whatever its exit status.

    Raises:
        ProcessError: it cannot be started, or has not ended after `timeout_s` seconds.
    """
    try:
        done = subprocess.run(
            command, input=text, capture_output=True, text=True, errors="replace", timeout=timeout_s, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ProcessError(f"{' '.join(command)}: {error}") from error
    return Finished(done.returncode, done.stdout, done.stderr)


def run(command: Sequence[str], text: str = "", timeout_s: float = 20) -> str:
    """Run a program with `text` as its input and return its standard output.

    Raises:
        ProcessError: it cannot be started, has not ended after `timeout_s` seconds, or ended with an error.
    """
    done = attempt(command, text, timeout_s)
    if done.status:
        detail = (done.errors or done.output).strip()
        raise ProcessError(f"{' '.join(command)} ended with {done.status}: {detail}")
    return done.output
