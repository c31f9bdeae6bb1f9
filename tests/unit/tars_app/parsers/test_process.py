# SPDX-License-Identifier: GPL-3.0-or-later
"""A file is parsed in a process with limits, and whatever it does ends in one clear state."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import textwrap
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from threading import Thread

import psutil
import pytest

from tars_app.documents.parsers import process, turns
from tars_app.documents.parsers.confinement import Limits, allow_files
from tars_app.documents.parsers.model import Section, UnreadableError

from ....letters import page, written
from ....waiting import runs, wait_for

HOSTILE = """
    import ctypes, os, signal, socket, subprocess, sys, time
    from tars_app.documents.parsers.model import Parsed, Section, UnreadableError

    def parse(content):
        return Parsed([Section(0, str(eval(content.decode())))], "2023-05-04", "PDF metadata", ["A note."])

    def attempt(call, *arguments, **named):
        try:
            call(*arguments, **named)
        except OSError as error:
            return type(error).__name__
        return "allowed"

    def grow():
        held = []
        while True:
            held.append(bytearray(10_000_000))

    def nest(depth):
        return nest(depth + 1)

    def spin():
        while True:
            pass

    def fail(error):
        raise error
"""


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Replace the parser of text files, in the processes that read them, by one that runs the file."""
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "sitecustomize.py").write_text(
        textwrap.dedent("""
        import importlib.util, sys
        from pathlib import Path
        name = "tars_app.documents.parsers.text"
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name("hostile.py"))
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
        """)
    )
    (folder / "hostile.py").write_text(textwrap.dedent(HOSTILE))
    process.close_idle()
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        yield
    process.close_idle()


def run(code: str, **limits: int) -> str:
    [section] = process.parse("a.txt", code.encode(), Limits(**limits)).sections
    return section.text


def readers() -> list[psutil.Process]:
    """The processes that read files. Other tests may have left servers running in this process."""
    programs = [
        child for child in psutil.Process().children() if "tars_app.documents.parsers.program" in child.cmdline()
    ]
    return [reader for program in programs for reader in program.children()]


def wait_until_gone(pid: int) -> None:
    # Not by its files in /proc, some of which are gone while it still ends, and has its sockets.
    wait_for(lambda: not runs(pid), f"the end of process {pid}")


def test_a_file_is_read_with_its_date_and_notes(hostile: None) -> None:
    parsed = process.parse("a.txt", b"'text'")
    assert parsed.sections == [Section(0, "text")]
    assert (parsed.date, parsed.dated_by, parsed.notes) == ("2023-05-04", "PDF metadata", ["A note."])


@pytest.mark.parametrize(
    ("code", "limits", "reason"),
    [
        ("grow()", {"memory_bytes": 300_000_000}, "needs more than 286 MiB of memory"),
        ("spin()", {"processor_s": 1}, "takes more than 1 s of processor time"),
        ("time.sleep(3600)", {"wall_s": 1}, "could not be read within 1 s"),
        ("'x' * 3_000_000", {"output_bytes": 2 * 1024**2}, "has more than 2 MiB of text"),
        ("nest(0)", {}, "nested too deeply"),
        ("ctypes.string_at(0)", {}, "its reader ended with SIGSEGV"),
        ("os.abort()", {}, "its reader ended with SIGABRT"),
        ("os._exit(3)", {}, "its reader ended with code 3"),
        ("os._exit(0)", {}, "no usable result"),
        ("fail(KeyError('a\\nb'))", {}, r"its reader failed \(KeyError: 'a\\nb'\)"),
        ("fail(UnreadableError('It is empty.'))", {}, r"^It is empty\.$"),
        ("''", {}, "has no text"),
        ("' \\x00 '", {}, "has no text"),
    ],
)
def test_what_a_file_does_is_one_clear_state(hostile: None, code: str, limits: dict[str, int], reason: str) -> None:
    with pytest.raises(UnreadableError, match=reason) as error:
        run(code, **limits)
    assert str(error.value).endswith((".", ")."))
    assert run("'next'") == "next", "the next file is read"


def test_a_file_reaches_neither_network_nor_programs_nor_other_processes_nor_secrets(
    hostile: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TARS_SECRET", "hunter2")
    process.close_idle()
    assert "TARS_SECRET" not in run("dict(os.environ)")
    assert run("attempt(socket.socket)") == "PermissionError"
    assert run("attempt(subprocess.run, ['true'])") == "PermissionError"
    assert run(f"attempt(os.kill, {os.getpid()}, 0)") == "PermissionError"
    assert run("attempt(os.setsid)") == "PermissionError"
    (tmp_path / "secret").write_text("hunter2")
    if allow_files() is not None:  # the kernel has Landlock
        assert run(f"attempt(open, {str(tmp_path / 'secret')!r})") == "PermissionError"
        assert run("attempt(open, '/proc/self/environ')") == "PermissionError"
    assert run("attempt(os.write, os.memfd_create('file'), b'x')") == "OSError"
    assert run("attempt(lambda: [os.dup(1) for _ in range(100)])", open_files=20) == "OSError"


def test_what_a_file_starts_ends_with_it(hostile: None) -> None:
    child = int(run("os.fork() or time.sleep(600)"))
    wait_until_gone(child)


def test_a_lack_of_memory_of_the_system_is_no_fault_of_the_file(hostile: None) -> None:
    with pytest.raises(MemoryError):
        run("signal.raise_signal(signal.SIGKILL)")


def test_a_program_that_was_killed_is_replaced(hostile: None) -> None:
    run("'a'")
    program = int(run("os.getppid()"))
    os.kill(program, signal.SIGKILL)
    wait_until_gone(program)
    assert run("'b'") == "b"


def test_a_file_is_read_by_a_process_with_many_open_files(hostile: None) -> None:
    opened = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    try:
        assert run("'a'") == "a"
    finally:
        for descriptor in opened:
            os.close(descriptor)


def test_a_program_that_ends_when_it_is_asked_is_replaced(hostile: None) -> None:
    """Between its death and the system's notice, an idle program cannot be distinguished from one that runs."""
    run("'a'")
    [idle] = process._idle
    idle._control.shutdown(socket.SHUT_RDWR)
    assert run("'b'") == "b"


def test_an_answer_that_no_one_reads_is_no_error(capfd: pytest.CaptureFixture[str]) -> None:
    program = process._Program()
    request = json.dumps({"name": "a.txt", "limits": asdict(Limits())}).encode()
    source, (receiving, sending) = os.memfd_create("content"), os.pipe()
    socket.send_fds(program._control, [request], [source, sending])
    for descriptor in (source, sending, receiving):
        os.close(descriptor)
    assert select.select([program._control], [], [], 60)[0]
    program.close()
    assert (program._process.returncode, capfd.readouterr().err) == (0, "")


def test_a_slow_file_does_not_block_others(hostile: None) -> None:
    outcome: list[str] = []

    def read_slowly() -> None:
        with pytest.raises(UnreadableError) as error:
            run("time.sleep(3600)", wall_s=3)
        outcome.append(str(error.value))

    slow = Thread(target=read_slowly)
    slow.start()
    assert [run(f"'{number}'") for number in range(5)] == list("01234")
    slow.join()
    assert outcome == ["The file could not be read within 3 s."]


def test_a_page_waits_for_a_file_that_is_read(hostile: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "SHARE_S", 0)
    with ThreadPoolExecutor(2) as threads:
        reading = threads.submit(run, "time.sleep(3600)", wall_s=120)
        [file] = wait_for(readers, "the process that reads the file")
        recognized = threads.submit(process.recognize, "a.png", written(page("The rent is 910 EUR.", points=14)), 1)
        stopped = psutil.STATUS_STOPPED
        wait_for(lambda: stopped in [reader.status() for reader in readers()], "the stop of the page")
        file.kill()
        with pytest.raises(MemoryError):
            reading.result()
        assert recognized.result().text == "The rent is 910 EUR."


def test_any_characters_are_returned_so_that_stores_take_them(hostile: None) -> None:
    assert run("'a\\x00b\\ud800c\\x1b\\ue000'") == "ab\ufffdc\x1b\ue000"


def test_a_large_file_is_handed_over(hostile: None) -> None:
    assert run("len(content)" + " " * 30_000_000) == str(30_000_000 + len("len(content)"))


@pytest.mark.parametrize("name", ["a.zip", "a", "a.txt.exe"])
def test_other_files_are_not_read(name: str) -> None:
    bomb = BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.txt", bytes(1_000_000))
    with pytest.raises(UnreadableError, match="of this format are not read"):
        process.parse(name, bomb.getvalue())
