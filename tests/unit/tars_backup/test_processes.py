# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs and functions end by their time limit, with a known environment."""

from __future__ import annotations

import os
import subprocess
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tars_backup import processes
from tars_backup.errors import BackupError, DestinationError, LockedError

from ...waiting import runs, wait_for


def test_environment_is_not_inherited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESTIC_REPOSITORY", "/elsewhere")
    text = processes.run(["env"], deadline_s=60, extra={"RESTIC_PROGRESS_FPS": "0.1"}).decode()
    variables = dict(line.split("=", 1) for line in text.splitlines())
    assert variables == {**processes.environment(), "RESTIC_PROGRESS_FPS": "0.1"}
    assert "RESTIC_REPOSITORY" not in variables


def test_failure_quotes_the_error_output() -> None:
    with pytest.raises(BackupError, match="exit status 3: no such thing"):
        processes.run(["sh", "-c", "echo no such thing >&2; exit 3"], deadline_s=60)
    with pytest.raises(BackupError, match="exit status 4: on standard output"):
        processes.run(["sh", "-c", "echo on standard output; exit 4"], deadline_s=60)


def test_absent_program() -> None:
    with pytest.raises(BackupError, match="/no/such/program: found No such file or directory"):
        processes.run(["/no/such/program"], deadline_s=60)


def test_time_limit_ends_the_whole_process_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, communicate = tmp_path / "pid", subprocess.Popen.communicate

    def communicate_later(process: subprocess.Popen[bytes], *arguments: Any, **options: Any) -> tuple[bytes, bytes]:
        wait_for(lambda: file.read_text().endswith("\n"), "the start of the grandchild")
        return communicate(process, *arguments, **options)

    monkeypatch.setattr(subprocess.Popen, "communicate", communicate_later)
    with pytest.raises(BackupError, match="no end after 1 s"):
        processes.run(["sh", "-c", f"sleep 3600 & echo $! >{file}; wait"], deadline_s=1)
    wait_for(lambda: not runs(int(file.read_text())), "the end of the grandchild")


def test_input_that_is_not_read() -> None:
    with processes.started(["true"], stdin=subprocess.PIPE) as process:
        assert process.stdin
        process.wait(60)
        process.stdin.write(b"x")
    assert process.returncode == 0


def test_isolated_returns_and_raises() -> None:
    assert processes.isolated(lambda: [os.getppid()], subject="x", deadline_s=60) == [os.getpid()]

    def fail() -> None:
        raise LockedError("lock", found="a", expected="b", next_step="Wait.")

    with pytest.raises(LockedError, match=r"lock: found a; expected b\. Wait\."):
        processes.isolated(fail, subject="x", deadline_s=60)


def test_isolated_ends_by_its_limit_and_keeps_no_files_open(tmp_path: Path) -> None:
    with pytest.raises(DestinationError, match="share: found no answer within 1 s"):
        processes.isolated(lambda: time.sleep(3600), subject="share", deadline_s=1)
    with (tmp_path / "file").open("w") as file:
        number = file.fileno()
        names = processes.isolated(lambda: sorted(os.listdir("/proc/self/fd")), subject="x", deadline_s=60)
        assert str(number) not in names
        assert len(names) == 5, "three standard streams, the pipe, the folder itself"


def test_isolated_child_that_ends_without_a_result() -> None:
    with pytest.raises(BackupError, match="ended without a result"):
        processes.isolated(lambda: os._exit(1), subject="x", deadline_s=60)


def test_isolated_is_slow_only_while_its_folder_answers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(processes, "ANSWER_S", 0.2)
    isolated = processes.isolated
    # What asks the folder may take longer here: this computer can be busy.
    monkeypatch.setattr(processes, "isolated", partial(isolated, deadline_s=60))

    def slow() -> int:
        time.sleep(1)
        return 1

    assert isolated(slow, subject="x", deadline_s=60, folder=tmp_path) == 1
    assert isolated(slow, subject="x", deadline_s=60) == 1
    with pytest.raises(DestinationError, match="No such file or directory"):
        isolated(slow, subject="x", deadline_s=60, folder=tmp_path / "gone")
