# SPDX-License-Identifier: GPL-3.0-or-later
"""Probes that need several commands: one shell command for all of them, and the parts of its output."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import NamedTuple, TypeVar

from ..resource.converge import Probe
from .process import ProcessError, attempt

State = TypeVar("State")

_END = "\x1e"
"""Comes after each part and its exit status. ASCII's record separator, which no text file contains."""


class Part(NamedTuple):
    """The exit status and the standard output of one command."""

    status: int
    output: str


def combined(*commands: Sequence[str]) -> list[str]:
    """Return one command that runs all of them, whatever their exit status."""
    steps = [f"{shlex.join(command)} </dev/null; printf '\\036%d\\036' $?" for command in commands]
    return ["sh", "-c", "; ".join(steps)]


def parts(output: str) -> list[Part]:
    """Return the parts of the output of a combined command."""
    fields = output.split(_END)
    return [Part(int(status), text) for text, status in zip(fields[::2], fields[1::2])]  # Python 3.9


def file_text(part: Part) -> str:
    """Return the text of a file by the part of `cat`, empty if the file does not exist."""
    return "" if part.status else part.output


def read_by(probe: Probe[State]) -> State:
    """Return the state that a probe reads on this machine.

    Raises:
        ProcessError: the probe cannot read it.
    """
    done = attempt(probe.command, probe.stdin, timeout_s=60)
    state = probe.parse(done.status, done.output)
    if state is None:
        raise ProcessError(
            f"The state of the machine could not be read: {done.errors.strip() or f'exit status {done.status}'}. "
            f"Next: run {shlex.join(probe.command)}"
        )
    return state
