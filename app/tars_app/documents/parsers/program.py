# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that reads files: it waits for requests, and forks a confined process for each file.

It has Python and the parsers in memory already, so that a file costs milliseconds more than its parsing. A request is
one packet on the socket at descriptor 0: the file's name, the limits and, where a page is to be shown or recognised
instead of the text to be read, what is asked about it, as JSON; and two descriptors, one to read the content from and
one to write the result to. The answer is two packets: a descriptor of the process (pidfd), and how it ended; only the
last one if none was started. Where the socket is closed, the process is killed with all that it started, also if it is
stopped, and this program ends.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, replace
from functools import partial
from importlib import import_module
from typing import Any

from tars_app.documents.parsers import registry
from tars_app.documents.parsers.confinement import Limits, allow_files, confine
from tars_app.documents.parsers.model import UnreadableError

_PACKET_BYTES = 65536
_LONGEST_REASON = 200


def serve(control: socket.socket) -> None:
    """Read the files that are requested, one after the other, until the socket is closed."""
    files = allow_files()
    while True:
        packet, descriptors, _, _ = socket.recv_fds(control, _PACKET_BYTES, 2)
        if not packet:
            return
        request = json.loads(packet)
        try:
            call = _call(request)
            gc.freeze()  # so that the collector does not copy the memory that the processes share
            process = os.fork()
        except (OSError, MemoryError, ImportError) as error:
            answer: dict[str, Any] = {"failure": f"{type(error).__name__}: {error}"[:_LONGEST_REASON]}
        else:
            if process == 0:
                control.detach()
                os._exit(_answer(call, Limits(**request["limits"]), files, *descriptors))
            answer = {"status": _wait(process, control)}
        for descriptor in descriptors:
            os.close(descriptor)
        control.send(json.dumps(answer).encode())


def _wait(process: int, control: socket.socket) -> int:
    """Return the status with which a process ended. All that it started is killed, and it too if no one waits."""
    with suppress(OSError):  # it did so itself, or has ended
        os.setpgid(process, process)
    watched = os.pidfd_open(process)
    with suppress(ConnectionError):  # then the process is killed below
        socket.send_fds(control, [b"{}"], [watched])
    select.select([control.fileno(), watched], [], [])
    os.close(watched)
    os.killpg(process, signal.SIGKILL)  # it is not reaped yet, so that its number still names its group
    return os.waitpid(process, 0)[1]


Call = Callable[[bytes], dict[str, Any]]


def _call(request: dict[str, Any]) -> Call:
    """Return the function that does what a request asks for, with its modules in memory."""
    name, page = request["name"], request.get("page")
    if page is not None and page["call"] == "recognize":
        reader = import_module("tars_app.documents.parsers.recognition.reader")
        registry.load(name)
        return partial(reader.answer, name=name, number=page["number"])
    registry.load(name)
    if page is None:
        return lambda content: asdict(replace(registry.parse(name, content), files={}))
    pages = import_module("tars_app.documents.parsers.pages")  # needs the reader of PDF, which most files do not
    return partial(getattr(pages, page.pop("call")), **page)


def _answer(call: Call, limits: Limits, files: int | None, source: int, target: int) -> int:
    """Call a function with the content of a file in this process, and write the result; return the exit code."""
    os.setpgid(0, 0)
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nothing, standard)
    with os.fdopen(source, "rb") as file:
        file.seek(0)
        content = file.read()
    confined = confine(limits, files)
    result = json.dumps({**_result(call, content, limits), "confined": confined}, ensure_ascii=False)
    left = memoryview(result.encode("utf-8", "surrogatepass"))
    while left:
        left = left[os.write(target, left) :]
    return 0


def _result(call: Call, content: bytes, limits: Limits) -> dict[str, Any]:
    try:
        return call(content)
    except UnreadableError as error:
        return {"unreadable": str(error)}
    except MemoryError:
        most = limits.memory_bytes // 1024**2
        return {"unreadable": f"Reading the file needs more than {most} MiB of memory."}
    except RecursionError:
        return {"unreadable": "The file is damaged: it is nested too deeply."}
    except Exception as error:  # noqa: BLE001  any fault of a parser is one of this file alone
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:_LONGEST_REASON]
        return {"unreadable": f"The file is damaged: its reader failed ({reason})."}


if __name__ == "__main__":
    # The program that requests files may end, or give a file up, at any time.
    with suppress(KeyboardInterrupt, ConnectionError), socket.socket(fileno=0) as requests:
        serve(requests)
