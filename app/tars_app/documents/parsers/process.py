# SPDX-License-Identifier: GPL-3.0-or-later
"""Parse a file in a process of its own, which a hostile file cannot leave and does not outlive."""

from __future__ import annotations

import atexit
import json
import logging
import os
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import asdict
from typing import Any, TypeVar

from tars_app.documents.parsers import turns
from tars_app.documents.parsers.confinement import Limits
from tars_app.documents.parsers.model import Parsed, RecognizedPage, Section, UnreadableError
from tars_app.kit.text import storable

log = logging.getLogger(__name__)

T = TypeVar("T")

DEFAULT = Limits()
RECOGNITION = Limits(memory_bytes=2 * 1024**3, processor_s=300, wall_s=7200, output_bytes=4 * 1024**2)
"""Of one page. It waits for the processor, which all others have first, and while files are read (`turns`)."""
_RECOGNIZE = "recognize"
_GRACE_S = 10
"""The kernel ends a process that exceeds its time; this much later, the program that started it is ended too."""
_PACKET_BYTES = 65536
_BLOCK = 1024 * 1024
_TICK_S = 0.5
"""Time between two calls of `turns.settle` while a process runs."""
_DATE = re.compile(r"[12]\d{3}(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?")
_warned = threading.Event()


def parse(name: str, content: bytes, limits: Limits = DEFAULT) -> Parsed:
    """Return the sections of a file that have text, of which there is at least one, its date, and notes.

    Raises:
        UnreadableError: the file is damaged, encrypted, exceeds a limit, or has no text.
        MemoryError, OSError: this computer is short of something; try again later.
    """
    parsed = run(name, content, limits, _parsed)
    if not parsed.sections and not parsed.scanned:
        raise UnreadableError("The file has no text.")
    return parsed


def recognize(name: str, content: bytes, page: int, limits: Limits = RECOGNITION) -> RecognizedPage:
    """Return the text of a page, from 1, whose number is in `scanned` of the file; empty where it has none.

    Raises:
        UnreadableError: the page is damaged, or exceeds a limit.
        MemoryError, OSError: this computer is short of something; try again later.
    """
    return run(name, content, limits, _recognized, {"call": _RECOGNIZE, "number": page})


def run(
    name: str, content: bytes, limits: Limits, read: Callable[[dict[str, Any]], T], page: dict[str, Any] | None = None
) -> T:
    """Return what `read` makes of the result for a file: of its text, or of what is asked about a `page`.

    `read` raises ValueError, KeyError, TypeError or AttributeError for a result that is not what it expects, as a
    hostile file may have made it. `page` is a function of the module `pages`, or "recognize", with its arguments.
    Raises as `parse`.
    """
    request = f"file{os.path.splitext(name)[1]}", content, limits, page
    try:
        answer, output = _read(*request)
    except ConnectionError:  # the program was killed, perhaps while it was idle
        answer, output = _read(*request)
    _require_success(answer, limits)
    try:
        result = _result(output)
        if not result["confined"] and not _warned.is_set():
            _warned.set()
            log.warning("This system does not refuse system calls: a parser could open network connections")
        if "unreadable" in result:
            raise UnreadableError(storable(result["unreadable"]))
        return read(result)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UnreadableError("The file is damaged: its reader returned no usable result.") from None


def _read(name: str, content: bytes, limits: Limits, page: dict[str, Any] | None) -> tuple[dict[str, Any], bytearray]:
    # The programs that recognise have its libraries in memory, which the others do not need.
    if page and page["call"] == _RECOGNIZE:
        with _program(_idle_recognition) as program:
            return program.read(name, content, limits, page, turns.page)
    with turns.file(), _program(_idle) as program:
        return program.read(name, content, limits, page)


def _result(output: bytearray) -> dict[str, Any]:
    """Return what the process wrote. Of large files there are not three copies in memory: the first one is dropped."""
    text = output.decode("utf-8", "surrogatepass")
    output.clear()
    result: dict[str, Any] = json.loads(text)
    return result


def _parsed(result: dict[str, Any]) -> Parsed:
    sections = [_section(section) for section in result["sections"] if storable(section["text"]).strip()]
    date = result["date"] if _DATE.fullmatch(result["date"] or "") else None
    notes = [storable(note) for note in result["notes"]]
    pages = max(0, int(result["pages"]))
    scanned = sorted({page for number in result["scanned"] if 1 <= (page := int(number)) <= pages})
    places = [place for entry in result["places"] if (place := _section(entry)).number in scanned]
    return Parsed(sections, date, storable(result["dated_by"]), notes, scanned, pages, places)


def _section(result: dict[str, Any]) -> Section:
    text, label, header = (storable(result[name]) for name in ("text", "label", "header"))
    return Section(int(result["number"]), text, label, header)


def _recognized(result: dict[str, Any]) -> RecognizedPage:
    return RecognizedPage(storable(result["text"]), bytes.fromhex(result["boxes"]))


class _Program:
    """A running program of this folder; it reads one file at a time."""

    def __init__(self) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "tars_app.documents.parsers.program"],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                # It needs the path to the packages only, and no password. Threads of libraries do not survive a fork.
                env={"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
                start_new_session=True,
            )

    @property
    def is_running(self) -> bool:
        """Whether it can read another file."""
        return self._process.poll() is None

    def read(
        self,
        name: str,
        content: bytes,
        limits: Limits,
        page: dict[str, Any] | None = None,
        running: Callable[[int], AbstractContextManager[object]] = nullcontext,
    ) -> tuple[dict[str, Any], bytearray]:
        """Return how the process that read a file ended, and what it wrote.

        `running` is entered with the process (pidfd) while it runs.

        Raises:
            UnreadableError: it exceeds a limit.
            ConnectionError: the program ended.
            OSError: this computer is short of something.
        """
        deadline = time.monotonic() + limits.wall_s + _GRACE_S
        text = json.dumps({"name": name, "limits": asdict(limits), "page": page}, ensure_ascii=False)
        request = text.encode("utf-8", "surrogatepass")
        source = os.memfd_create("content")
        receiving, sending = os.pipe()
        process, output = -1, bytearray()
        try:
            with os.fdopen(source, "wb", closefd=False) as file:
                file.write(content)
            socket.send_fds(self._control, [request], [source, sending])
            os.close(sending)
            sending = -1
            answer, process = self._packet(deadline)
            if process >= 0:
                with running(process):
                    output = _receive(receiving, limits, deadline)
                answer, _ = self._packet(deadline)
        finally:
            for descriptor in (source, receiving, sending, process):
                if descriptor >= 0:
                    os.close(descriptor)
        return answer, output

    def _packet(self, deadline: float) -> tuple[dict[str, Any], int]:
        """Return an answer of the program, and the descriptor with it, -1 without one."""
        self._control.settimeout(max(0.0, deadline - time.monotonic()))
        packet, descriptors, _, _ = socket.recv_fds(self._control, _PACKET_BYTES, 1, socket.MSG_CMSG_CLOEXEC)
        if not packet:
            raise ConnectionResetError("the program that reads files ended")
        return json.loads(packet), descriptors[0] if descriptors else -1

    def close(self) -> None:
        """End it, and the process that reads a file."""
        self._control.close()
        try:
            self._process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _receive(descriptor: int, limits: Limits, deadline: float) -> bytearray:
    output = bytearray()
    readable = select.poll()  # select() refuses the descriptors of a process that has more than 1,024
    readable.register(descriptor, select.POLLIN)
    while (left_s := deadline - time.monotonic()) > 0:
        turns.settle()
        if not readable.poll(1000 * min(left_s, _TICK_S)):
            continue
        block = os.read(descriptor, _BLOCK)
        if not block:
            return output
        output += block
        if len(output) > limits.output_bytes:
            most = limits.output_bytes // 1024**2
            raise UnreadableError(f"The file has more than {most} MiB of text. Divide it into several files.")
    raise UnreadableError(f"The file could not be read within {limits.wall_s} s.")


def _require_success(answer: dict[str, Any], limits: Limits) -> None:
    if "failure" in answer:
        raise OSError(f"no process can be started to read files: {answer['failure']}")
    if not os.WIFSIGNALED(answer["status"]):
        if code := os.waitstatus_to_exitcode(answer["status"]):
            raise UnreadableError(f"The file is damaged: its reader ended with code {code}.")
        return
    number = os.WTERMSIG(answer["status"])
    if number == signal.SIGALRM:
        raise UnreadableError(f"The file could not be read within {limits.wall_s} s.")
    if number == signal.SIGXCPU:
        raise UnreadableError(f"Reading the file takes more than {limits.processor_s} s of processor time.")
    if number == signal.SIGKILL:
        raise MemoryError("the system ended the process that read the file, probably because memory was short")
    raise UnreadableError(f"The file is damaged: its reader ended with {signal.Signals(number).name}.")


_idle: list[_Program] = []
_idle_recognition: list[_Program] = []


@contextmanager
def _program(idle: list[_Program]) -> Iterator[_Program]:
    """Yield a program that no other thread uses. After a failure it is not used again."""
    program = None
    while idle and program is None:
        with suppress(IndexError):  # another thread took the last one
            program = idle.pop()
        if program and not program.is_running:
            program.close()
            program = None
    program = program or _Program()
    try:
        yield program
    except BaseException:
        program.close()
        raise
    idle.append(program)


@atexit.register
def close_idle() -> None:
    """End the programs that wait for files."""
    for idle in (_idle, _idle_recognition):
        while idle:
            idle.pop().close()
