# SPDX-License-Identifier: GPL-3.0-or-later
"""The messages of a running restic: read while it writes, and turned into errors."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from types import SimpleNamespace

import pytest

from tars_backup import processes, restic
from tars_backup.deadline import Deadline
from tars_backup.errors import BackupError, DestinationError

LINES = 30_000


def test_reading_messages_disturbs_no_writing() -> None:
    script = f"import sys\nfor number in range({LINES}): print(number, file=sys.stderr, flush=True)"
    lines: list[str] = []
    with (
        tempfile.TemporaryFile() as errors,
        processes.started([sys.executable, "-c", script], stderr=errors) as process,
    ):
        output = restic.Output(process, errors, "x", Deadline(60), lambda: None)
        while process.poll() is None:
            lines += output._new_lines()
        output.finish()
        lines += output._new_lines()
    assert [int(line) for line in lines if line] == list(range(LINES))


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        (
            '{"message_type":"exit_error","code":1,"message":"Fatal: no space left on device"}',
            DestinationError,
            "no space",
        ),
        ('{"message_type":"error","error":{"message":"denied"},"item":"/x"}', BackupError, "/x: denied"),
        ("plain  text\\n[1]\\n{}", BackupError, "plain text"),
        ("", BackupError, "no message"),
    ],
)
def test_messages_become_an_error(text: str, kind: type[BackupError], message: str) -> None:
    command = ["sh", "-c", f"printf '%b' '{text}' >&2; exit 1"]
    with tempfile.TemporaryFile() as errors, processes.started(command, stderr=errors) as process:
        output = restic.Output(process, errors, "restic x", Deadline(60), lambda: None)
        assert output.read() == b""
        with pytest.raises(BackupError, match=message) as caught:
            output.finish()
    assert type(caught.value) is kind


RETRY = "echo 'Save(%s) returned error, retrying after 1s: EROFS' >&2; "
SUCCESS = "echo 'Save(%s) operation successful after 1 retries' >&2; "


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (RETRY % "x" + "sleep 3600", "EROFS"),
        (RETRY % "x" + RETRY % "y" + "sleep 1; " + SUCCESS % "y" + "sleep 3600", "EROFS"),
        # What restic 0.18 printed before it waited for its own writers for ever.
        (
            "echo 'Save(<data/93bc>) failed: write share/93bc-tmp-9: no space left on device' >&2; sleep 999",
            "no space",
        ),
    ],
    ids=["retries", "another-succeeds", "waits"],
)
def test_an_operation_that_fails_for_too_long_ends_restic(
    script: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restic, "RETRY_S", 1.5)
    with tempfile.TemporaryFile() as errors, processes.started(["sh", "-c", script], stderr=errors) as process:
        output = restic.Output(process, errors, "restic x", Deadline(300), lambda: None)
        with pytest.raises(DestinationError, match=message):
            output.read()


def test_an_operation_that_succeeds_in_time_does_not_end_restic(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(restic, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    # A file that cannot be read is reported by restic itself; the rest of a check goes on.
    script = """read line; echo 'Save(x) returned error, retrying after 1s: EROFS' >&2
        echo 'Load(<index/1>) returned error, retrying after 1s: no such file' >&2; echo
        read line; echo 'Save(x) operation successful after 1 retries' >&2
        echo 'Load(<index/1>) failed: no such file' >&2; echo; read line"""
    with (
        tempfile.TemporaryFile() as errors,
        processes.started(["sh", "-c", script], stdin=subprocess.PIPE, stderr=errors) as process,
    ):
        assert process.stdin
        output = restic.Output(process, errors, "restic x", Deadline(300), lambda: None)
        for moment in (1.0, restic.RETRY_S, 10 * restic.RETRY_S):
            process.stdin.write(b"\n")
            process.stdin.flush()
            assert output.read(1) == (b"\n" if moment <= restic.RETRY_S else b"")
            clock[0] = moment
            output._tick()
        output.finish()


def test_time_limit_and_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restic, "PROBE_S", 0.5)

    def probe() -> None:
        raise DestinationError("share", found="no answer", expected="an answer")

    for limit_s, check, message in ((0.7, lambda: None, "no time left"), (300.0, probe, "no answer")):
        with tempfile.TemporaryFile() as errors, processes.started(["sleep", "3600"], stderr=errors) as process:
            output = restic.Output(process, errors, "restic x", Deadline(limit_s), check)
            with pytest.raises(BackupError, match=message):
                output.finish()


def test_as_many_bytes_as_asked_for() -> None:
    with tempfile.TemporaryFile() as errors, processes.started(["printf", "abcdef"], stderr=errors) as process:
        output = restic.Output(process, errors, "restic x", Deadline(60), lambda: None)
        assert (output.read(4), output.read(4), output.read(4)) == (b"abcd", b"ef", b"")
        output.finish()
