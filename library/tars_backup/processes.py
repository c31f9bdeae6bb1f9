# SPDX-License-Identifier: GPL-3.0-or-later
"""Run programs and functions with a time limit, in a known environment.

A process that waits for a network file system can ignore SIGKILL until the server answers. The limit still holds: such
a process is abandoned, so that this program ends and reports it.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import pickle
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple, TypeVar

from . import priority
from .errors import BackupError, DestinationError

Result = TypeVar("Result")

PROGRAMS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""The folders of the system's programs."""

ANSWER_S = 20.0
"""Seconds within which a file system must answer."""

KILL_S = 5.0
"""Seconds for a killed process to end before it is abandoned."""

_F_SETPIPE_SZ = 1031  # fcntl.F_SETPIPE_SZ since Python 3.10
_PIPE_BYTES = 1 << 20
"""With the usual 64 KiB, a program that writes rows and this one, which hashes them, wait for each other."""


class Finished(NamedTuple):
    """What a program returned: exit status (negative: the signal that ended it), standard output and error output."""

    status: int
    output: bytes
    errors: str


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of every program: nothing is inherited, so a timer and a shell give the same run."""
    return {"PATH": PROGRAMS, "HOME": "/root", "TZ": "UTC", "LC_ALL": "C.UTF-8", **(extra or {})}


@contextlib.contextmanager
def started(
    command: Sequence[str | Path],
    *,
    stdin: int | IO[bytes] = subprocess.DEVNULL,
    stderr: int | IO[bytes] = subprocess.PIPE,
    extra: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a program in a process group of its own; when the block is left, end whatever of the group still runs.

    Raises:
        BackupError: the program cannot be started.
    """
    words = [str(word) for word in command]
    try:
        process = subprocess.Popen(
            words,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=environment(extra),
            cwd=folder,
            start_new_session=True,
        )
    except OSError as error:
        raise BackupError(words[0], found=error.strerror, expected="a program that can be started") from error
    assert process.stdout is not None  # noqa: S101  for the type checker
    with contextlib.suppress(OSError):  # a smaller one is only slower
        fcntl.fcntl(process.stdout, _F_SETPIPE_SZ, _PIPE_BYTES)
    try:
        yield process
    finally:
        kill(process)
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream:
                with contextlib.suppress(BrokenPipeError):  # the input that it did not read any more
                    stream.close()


def kill(process: subprocess.Popen[bytes]) -> None:
    """End a program's process group, and wait a few seconds for the program; abandon it if it does not end."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(KILL_S)


def attempt(
    command: Sequence[str | Path],
    *,
    deadline_s: float,
    stdin: bytes = b"",
    extra: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Finished:
    """Run a program to its end with `stdin` as its input, and return what it returned, whatever its exit status.

    Raises:
        BackupError: it cannot be started, or has not ended after `deadline_s` seconds.
    """
    with started(command, stdin=subprocess.PIPE, extra=extra, folder=folder) as process:
        try:
            output, errors = process.communicate(stdin, timeout=deadline_s)
        except subprocess.TimeoutExpired as error:
            raise BackupError(
                command[0], found=f"no end after {deadline_s:.0f} s", expected="an end before the time limit"
            ) from error
    return Finished(process.returncode, output, errors.decode(errors="replace"))


def run(
    command: Sequence[str | Path],
    *,
    deadline_s: float,
    stdin: bytes = b"",
    extra: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> bytes:
    """Run a program to its end with `stdin` as its input, and return its standard output.

    Raises:
        BackupError: it cannot be started, has not ended after `deadline_s` seconds, or its exit status is not 0.
    """
    done = attempt(command, deadline_s=deadline_s, stdin=stdin, extra=extra, folder=folder)
    if done.status:
        detail = done.errors.strip() or done.output.decode(errors="replace").strip()
        raise BackupError(command[0], found=f"exit status {done.status}: {detail[-2000:]}", expected="exit status 0")
    return done.output


def isolated(
    function: Callable[[], Result], *, subject: object, deadline_s: float | None = None, folder: Path | None = None
) -> Result:
    """Return the result of a function that runs in a child process, which is abandoned at the time limit.

    For calls on the destination's files, which can block inside the kernel. The result and errors must be picklable.
    One with a long limit is given the `folder` that it reads, whose file system must go on answering meanwhile.

    Raises:
        DestinationError: no result after `deadline_s` (default: ANSWER_S) seconds, no answer of the folder, or an error
            of the file system.
        Exception: another error that the function raised.
    """
    with alongside(function, subject=subject, deadline_s=deadline_s, folder=folder) as result:
        return result()


@contextlib.contextmanager
def alongside(
    function: Callable[[], Result], *, subject: object, deadline_s: float | None = None, folder: Path | None = None
) -> Iterator[Callable[[], Result]]:
    """Run a function in a child process, as isolated() does, while the block runs, which calls for the result once.

    The time limit begins with this call. Without it, the child is killed at the end of the block.
    """
    read_end, write_end = os.pipe()
    # The other limits are long, and a child with one may read gigabytes.
    with priority.usual() if deadline_s is None else contextlib.nullcontext():
        child = os.fork()
        if child == 0:
            _answer(function, write_end)
    os.close(write_end)
    received = False

    def result() -> Result:
        nonlocal received
        data = _received(read_end, subject, ANSWER_S if deadline_s is None else deadline_s, folder)
        received = True
        value: Result = _value(data, subject)
        return value

    try:
        yield result
    finally:
        if not received:
            os.kill(child, signal.SIGKILL)
        os.close(read_end)
        _reap(child)


def _value(data: bytes, subject: object) -> Any:
    """Return the result that a child has sent, or raise its error."""
    if not data:
        raise BackupError(subject, found="the child process ended without a result", expected="a result")
    good, value = pickle.loads(data)  # noqa: S301  the bytes come from our own child process
    if good:
        return value
    if isinstance(value, OSError):
        raise DestinationError(
            value.filename or subject,
            found=value.strerror,
            expected="a share that can be read and written",
            next_step="Check the disk space and the permissions of the share on the NAS, then mount it again",
        ) from value
    raise value


def _received(read_end: int, subject: object, limit_s: float, folder: Path | None) -> bytes:
    """Return all that the child writes to the pipe before the time limit. Raises DestinationError, see isolated()."""
    data = bytearray()
    end = time.monotonic() + limit_s
    while True:
        left_s = max(0.0, end - time.monotonic())
        if not select.select([read_end], [], [], min(left_s, ANSWER_S))[0]:
            if left_s > ANSWER_S:
                if folder:
                    isolated(functools.partial(os.statvfs, folder), subject=subject)
                continue
            raise DestinationError(
                subject,
                found=f"no answer within {limit_s:.0f} s",
                expected="an answer of its file system",
                next_step="Check that the NAS is on and that its share is mounted",
            )
        block = os.read(read_end, 1 << 16)
        if not block:
            return bytes(data)
        data += block


def _answer(function: Callable[[], Any], write_end: int) -> None:
    """Run the function in the child, send its result or its error through the pipe, and end the process."""
    try:
        # An abandoned process must keep neither the program's lock nor its output open.
        nothing = os.open(os.devnull, os.O_RDWR)
        for descriptor in range(3):
            os.dup2(nothing, descriptor)
        os.closerange(3, write_end)
        os.closerange(write_end + 1, 4096)
        try:
            answer = pickle.dumps((True, function()))
        except Exception as error:  # noqa: BLE001  the parent raises it
            answer = pickle.dumps((False, error))
        with os.fdopen(write_end, "wb") as stream:
            stream.write(answer)
    finally:
        os._exit(0)


def _reap(child: int) -> None:
    """Wait a few seconds for a child that ends; one that the kernel does not let go is abandoned."""
    end = time.monotonic() + KILL_S
    while os.waitpid(child, os.WNOHANG) == (0, 0) and time.monotonic() < end:
        time.sleep(0.005)
