# SPDX-License-Identifier: GPL-3.0-or-later
"""Run programs of the host, with errors that name the command and its last output."""

import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

Progress = Callable[[str], None]

_TAIL = 20


class LabError(Exception):
    """The lab cannot continue; the message names the object, the finding, the expectation and the next step."""


def run(
    command: Sequence[str | Path],
    *,
    input: str | None = None,
    log: Path | None = None,
    shown: Sequence[str | Path] | None = None,
    what: str | None = None,
) -> str:
    """Run a program to its end and return its standard output.

    With `log`, both streams are appended to that file instead and the result is empty. In the error, `what` names the
    purpose, and `shown` replaces the command that was run.
    Raises LabError with the last lines of output when the program is missing or fails.
    """
    words = [str(word) for word in command]
    try:
        if log is None:
            done = subprocess.run(words, input=input, capture_output=True, text=True, errors="replace")
            text = done.stderr or done.stdout
        else:
            log.parent.mkdir(parents=True, exist_ok=True)
            with log.open("a") as stream:
                start = stream.tell()
                done = subprocess.run(words, input=input, stdout=stream, stderr=stream, text=True)
            with log.open(errors="replace") as stream:
                stream.seek(start)
                text = stream.read() if done.returncode else ""
    except FileNotFoundError as error:
        raise LabError(f"{words[0]}: not installed on this host; install the package that contains it") from error
    if done.returncode:
        tail = "\n".join(text.strip().splitlines()[-_TAIL:])
        full_output = f" (full output: {log})" if log else ""
        command_line = " ".join(str(word) for word in shown or words)
        raise LabError(f"{what or words[0]}: `{command_line}` ended with {done.returncode}{full_output}:\n{tail}")
    return done.stdout or ""
