# SPDX-License-Identifier: GPL-3.0-or-later
"""How much memory the worker takes for the largest files that it reads.

The vectors come from a stand-in that answers at once: the model server is another process, and computing the vectors of
a file of 30 MB would take half an hour. They have as many numbers as those of the larger models that are used.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from .parsing import line, text_pdf
from .stack import stack

NUMBERS = 1024
"""Of a vector of bge-m3, which `tars.yml` has as its example."""
_END = ",".join(f"{random.Random(number).gauss(0, 1):.8f}" for number in range(NUMBERS - 8))
_SAMPLE_S = 0.1


class _Embedder(BaseHTTPRequestHandler):
    """Answers Ollama's /api/embed with vectors of chance numbers."""

    protocol_version = "HTTP/1.1"
    source = random.Random(2)

    def do_POST(self) -> None:
        """Answer with one vector per text."""
        texts = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["input"]
        begins = (",".join(f"{self.source.gauss(0, 9):.8f}" for _ in range(8)) for _ in texts)
        body = f'{{"embeddings":[{",".join(f"[{begin},{_END}]" for begin in begins)}]}}'.encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""


@contextmanager
def embedder() -> Iterator[str]:
    """Yield the address of the stand-in."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Embedder)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def files(megabytes: float) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Yield what is read together, by its name: files whose text has about so many MB, all of it different."""
    source = random.Random(3)

    def text(end: str) -> str:
        lines, size = [], 0
        while size < megabytes * 1e6:
            lines.append(line(source) + end)
            size += len(lines[-1]) + 1
        return "\n".join(lines)

    yield "text", {"a.txt": text(".").encode()}
    # One character beyond the Basic Multilingual Plane: Python then takes four bytes for each.
    yield "text with an emoji", {"a.txt": f"\U0001f600 {text('.')}".encode()}
    yield "table", {"a.csv": f"{line(source).replace(' ', ',')}\n{text('').replace(' ', ',')}".encode()}
    pages = round(megabytes * 1e6 / 4500)
    yield "PDF", {"a.pdf": text_pdf(source, pages)}
    yield "two texts", {name: text(".").encode() for name in ("a.txt", "b.txt")}


def processes(parent: int) -> list[int]:
    """Return a process with all that it started, directly or not."""
    children: list[int] = []
    with suppress(OSError):  # it has ended
        for task in Path(f"/proc/{parent}/task").iterdir():
            children += map(int, (task / "children").read_text().split())
    return [parent, *(process for child in children for process in processes(child))]


def mib(path: str, name: str) -> float:
    """Return a size of a process that its kernel states in kB; 0 where the process has ended."""
    with suppress(OSError):  # it has ended
        for text in Path(path).read_text().splitlines():
            if text.startswith(f"{name}:"):
                return int(text.split()[1]) / 1024
    return 0.0


def measure_one(contents: dict[str, bytes]) -> dict[str, Any]:
    """Return the memory and the time that reading these files takes."""
    most, ended = [0.0], threading.Event()

    def sample(process: int) -> None:
        while not ended.wait(_SAMPLE_S):
            most[0] = max(most[0], sum(mib(f"/proc/{each}/smaps_rollup", "Pss") for each in processes(process)))

    with embedder() as url, stack(url) as around:
        for name, content in contents.items():
            around.write(name, content)
        began = time.monotonic()
        with around.worker() as worker:
            assert worker.process
            process = worker.process.pid
            sampler = threading.Thread(target=sample, args=(process,), daemon=True)
            sampler.start()
            around.wait_until_read(len(contents))
            took = time.monotonic() - began
            ended.set()
            sampler.join()
            peak = mib(f"/proc/{process}/status", "VmHWM")
            after = mib(f"/proc/{process}/status", "VmRSS")
        with around.connect() as connection:
            [(passages,)] = connection.execute("SELECT count(*) FROM passages").fetchall()
    return {
        "MB": round(sum(map(len, contents.values())) / 1e6, 1),
        "passages": passages,
        "s": round(took, 1),
        "worker, MiB": round(peak),
        "worker afterwards, MiB": round(after),
        "with the processes that it started, MiB": round(most[0]),
    }


def measure(megabytes: float) -> dict[str, Any]:
    """Return the memory for each kind of file."""
    return {name: measure_one(contents) for name, contents in files(megabytes)}
