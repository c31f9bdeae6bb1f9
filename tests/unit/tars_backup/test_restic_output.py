# SPDX-License-Identifier: GPL-3.0-or-later
"""The messages of a running restic: read while it writes, and turned into errors."""

from __future__ import annotations

import sys
import tempfile

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


def test_retries_and_success(monkeypatch: pytest.MonkeyPatch) -> None:
    """An operation that fails for too long ends the command; one that succeeds in time does not."""
    monkeypatch.setattr(restic, "RETRY_S", 1.5)
    failing = "echo 'Save(x) returned error, retrying after 1s: EROFS' >&2; sleep 60"
    success = "Save(x) operation successful after 1 retries"
    healing = f"echo 'Save(x) returned error, retrying after 1s' >&2; sleep 1; echo '{success}' >&2; sleep 2"
    for script, succeeds in ((failing, False), (healing, True)):
        with tempfile.TemporaryFile() as errors, processes.started(["sh", "-c", script], stderr=errors) as process:
            output = restic.Output(process, errors, "restic x", Deadline(60), lambda: None)
            if succeeds:
                output.read()
                output.finish()
            else:
                with pytest.raises(DestinationError, match="EROFS"):
                    output.read()


def test_time_limit_and_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restic, "PROBE_S", 0.5)

    def probe() -> None:
        raise DestinationError("share", found="no answer", expected="an answer")

    for limit_s, check, message in ((0.7, lambda: None, "no time left"), (60.0, probe, "no answer")):
        with tempfile.TemporaryFile() as errors, processes.started(["sleep", "60"], stderr=errors) as process:
            output = restic.Output(process, errors, "restic x", Deadline(limit_s), check)
            with pytest.raises(BackupError, match=message):
                output.finish()


def test_as_many_bytes_as_asked_for() -> None:
    with tempfile.TemporaryFile() as errors, processes.started(["printf", "abcdef"], stderr=errors) as process:
        output = restic.Output(process, errors, "restic x", Deadline(60), lambda: None)
        assert (output.read(4), output.read(4), output.read(4)) == (b"abcd", b"ef", b"")
        output.finish()
