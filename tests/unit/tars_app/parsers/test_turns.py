# SPDX-License-Identifier: GPL-3.0-or-later
"""The process that recognises a page is stopped while files are read; it goes on then, and ends with its worker."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from tars_app.documents.parsers import process, turns
from tars_app.documents.parsers.confinement import Limits
from tars_app.documents.parsers.model import UnreadableError

from ....letters import page, written
from ....waiting import runs, wait_for

RENT = "The monthly rent is 910 EUR."
SCAN = written(page(RENT, points=14).crop((0, 0, 1654, 500)))
WORKER = """
import sys, threading
from tars_app.documents.parsers import process, turns

turns.SHARE_S = 0
scan = sys.stdin.buffer.read()
file = turns.file()
file.__enter__()
threading.Thread(target=process.recognize, args=("a.png", scan, 1), daemon=True).start()
open(sys.argv[1]).read()
"""
"""Recognises a page while a file is read that never ends, and ends itself when its pipe is opened."""


@pytest.fixture(autouse=True)
def without_share(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    process.close_idle()
    monkeypatch.setattr(turns, "SHARE_S", 0)
    yield
    process.close_idle()


def stopped(worker: int | None = None) -> psutil.Process:
    """Wait for the process that recognises a page of a worker, this process by default, to be stopped."""

    def find() -> psutil.Process | None:
        started = psutil.Process(worker).children(recursive=True)
        return next((child for child in started if child.status() == psutil.STATUS_STOPPED), None)

    child: psutil.Process = wait_for(find, "a stopped process", passing=(psutil.NoSuchProcess,))
    return child


def test_a_process_is_stopped_while_any_file_is_read() -> None:
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as busy:
        state, descriptor = psutil.Process(busy.pid).status, os.pidfd_open(busy.pid)
        with turns.page(descriptor):
            for _ in range(2):
                with turns.file():
                    with turns.file():
                        wait_for(lambda: state() == psutil.STATUS_STOPPED, "the stop")
                    assert state() == psutil.STATUS_STOPPED
                wait_for(lambda: state() != psutil.STATUS_STOPPED, "the continuation")
            busy.kill()
            busy.wait()
            turns.settle()
        os.close(descriptor)


def test_a_page_goes_on_when_the_last_file_is_read() -> None:
    with ThreadPoolExecutor(1) as threads:
        with turns.file():
            recognized = threads.submit(process.recognize, "a.png", SCAN, 1)
            stopped()
        assert recognized.result().text == RENT


def test_pages_are_recognised_though_files_never_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "PERIOD_S", 1.0)
    monkeypatch.setattr(turns, "SHARE_S", 0.3)
    with ThreadPoolExecutor(1) as threads, turns.file():
        recognized = threads.submit(process.recognize, "a.png", SCAN, 1)
        stopped()
        assert recognized.result().text == RENT


def test_a_stopped_page_ends_at_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_GRACE_S", 1)
    with ThreadPoolExecutor(1) as threads, turns.file():
        recognized = threads.submit(process.recognize, "a.png", SCAN, 1, Limits(2 * 1024**3, wall_s=1))
        reader = stopped()
        with pytest.raises(UnreadableError, match="within 1 s"):
            recognized.result()
        assert not runs(reader.pid)


def test_a_stopped_page_ends_with_its_program_and_is_recognised_by_another_one() -> None:
    with ThreadPoolExecutor(1) as threads:
        with turns.file():
            recognized = threads.submit(process.recognize, "a.png", SCAN, 1)
            reader = stopped()
            os.kill(reader.ppid(), signal.SIGKILL)
            wait_for(lambda: not runs(reader.pid), "the end of the stopped process")
        assert recognized.result().text == RENT


@pytest.mark.parametrize("killed", [False, True])
def test_a_stopped_page_ends_with_its_worker(tmp_path: Path, killed: bool) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, "-c", WORKER, pipe], stdin=subprocess.PIPE, env=environment) as worker:
        assert worker.stdin
        worker.stdin.write(SCAN)
        worker.stdin.close()
        reader = stopped(worker.pid)
        program = reader.ppid()
        if killed:
            worker.kill()
        else:
            pipe.write_bytes(b"")
        worker.wait()
        wait_for(lambda: not runs(reader.pid) and not runs(program), "the end of what the worker started")
    assert worker.returncode == (-signal.SIGKILL if killed else 0)
