# SPDX-License-Identifier: GPL-3.0-or-later
"""Running the host's programs, and saying clearly what failed."""

import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

Progress = Callable[[str], None]

_TAIL = 20


class LabError(Exception):
    """The lab cannot go on; the message names the object, what was wanted, what was found and the next step."""


def run(
    command: Sequence[str | Path],
    *,
    input: str | None = None,
    log: Path | None = None,
    shown: Sequence[str | Path] | None = None,
    what: str | None = None,
) -> str:
    """Run a program to its end and return its standard output.

    With `log`, both streams are appended there instead and the answer is empty. `what` names the purpose in the error,
    and `shown` the command where it is not the one that was run.
    Raises LabError when the program is missing or fails, with the last lines it wrote.
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
        raise LabError(f"{words[0]} is not installed on this host") from error
    if done.returncode:
        tail = "\n".join(text.strip().splitlines()[-_TAIL:])
        where = f" (all of it in {log})" if log else ""
        command_line = " ".join(str(word) for word in shown or words)
        raise LabError(f"{what or words[0]}: `{command_line}` ended with {done.returncode}{where}:\n{tail}")
    return done.stdout or ""
