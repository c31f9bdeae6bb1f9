# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.tars.home.plugins.module_utils.system import jobs
from ansible_collections.tars.home.plugins.module_utils.system.jobs import Job

JOB = Job("tars-x", ("sleep", "1"), (("A", "b c"),), "/run/in")


@pytest.mark.parametrize(
    ("show", "state"),
    [
        ("ActiveState=active\n", "running"),
        ("ActiveState=activating\n", "running"),
        ("ActiveState=deactivating\n", "running"),
        ("ActiveState=failed\n", "failed"),
        ("ActiveState=inactive\n", "idle"),
        ("", "idle"),
    ],
)
def test_parse_state(show: str, state: str) -> None:
    assert jobs.parse_state(show) == state


def test_start_command() -> None:
    command = jobs.start_command(JOB)
    assert command[:4] == ["systemd-run", "--quiet", "--unit=tars-x", "--service-type=exec"]
    assert command[-3:] == ["--", "sleep", "1"]
    assert {"--setenv=A=b c", "--property=StandardInput=file:/run/in"} <= set(command)


class Systemd:
    """Answers as systemd does while its unit goes through these states, one a question."""

    def __init__(self, *states: str) -> None:
        self.states, self.mark = list(states), JOB.mark
        self.calls: list[list[str]] = []

    def __call__(self, command: list[str]) -> tuple[int, str, str]:
        self.calls.append(command[:2])
        if command[1] != "show":
            return 0, "", ""
        if "--property=Environment" in command:
            return 0, f"Environment=TARS_JOB={self.mark}\n", ""
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        return 0, f"ActiveState={state}\n", ""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(jobs, "LOG_FOLDER", str(tmp_path))
    return tmp_path


def test_a_running_job_is_not_started_again() -> None:
    systemd = Systemd("active")
    assert jobs.begin(systemd, JOB)
    assert {call[0] for call in systemd.calls} == {"systemctl"}


def test_another_job_of_the_name_is_waited_for() -> None:
    systemd = Systemd("active", "inactive")
    systemd.mark = "other"
    assert jobs.begin(systemd, JOB)
    assert systemd.calls[-1] == ["systemd-run", "--quiet"]


def test_another_job_of_the_name_that_does_not_end_is_reported() -> None:
    systemd = Systemd("active")
    systemd.mark = "other"
    assert not jobs.begin(systemd, JOB, seconds=0)
    assert {call[0] for call in systemd.calls} == {"systemctl"}


def test_a_failed_job_is_cleared_and_started() -> None:
    systemd = Systemd("failed")
    jobs.begin(systemd, JOB)
    assert [call[1] for call in systemd.calls] == ["show", "reset-failed", "--quiet"]


def test_a_job_that_does_not_start_is_reported() -> None:
    with pytest.raises(jobs.JobError, match="Starting tars-x failed: no such unit"):
        jobs.begin(lambda command: (0, "", "") if "show" in command else (1, "", "no such unit"), JOB)


def test_attending_ends_with_the_job() -> None:
    assert jobs.attend(Systemd("active", "inactive"), [JOB], 60) == []


def test_attending_ends_with_the_time() -> None:
    assert jobs.attend(Systemd("active"), [JOB], 0) == [JOB]


def test_a_failure_is_reported_with_the_end_of_the_output(folder: Path) -> None:
    (folder / "tars-x.log").write_text("line\n" * 30 + "10%\r90%\n\nno space left\n")
    with pytest.raises(jobs.JobError, match=r"(?s)tars-x failed.*line\n10%\n90%\nno space left$"):
        jobs.attend(Systemd("failed"), [JOB], 60)


def test_no_output_yet() -> None:
    assert jobs.tail(JOB) == []
