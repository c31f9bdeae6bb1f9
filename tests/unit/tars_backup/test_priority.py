# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs in containers, which inherit nothing, have the low priority of the run that starts them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable

import pytest

from tars_backup import priority, processes


def with_low_priority(function: Callable[[], str]) -> str:
    """Return the result of a function that runs in a process like that of the timer."""

    def run() -> str:
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        return function()

    # It waits for every other program, also for other tests.
    return processes.isolated(run, subject="a process with low priority", deadline_s=900)


def in_a_container(command: list[str], path: str = os.environ["PATH"]) -> str:
    """Return the output of a command that does not inherit the priority."""
    shown = ["chrt", "--other", "0", *command]
    return subprocess.run(shown, check=True, capture_output=True, text=True, env={"PATH": path}, timeout=600).stdout


SHOW = ["sh", "-c", 'exec chrt --pid "$$"']


def test_a_command_has_the_priority_of_its_run() -> None:
    assert not priority.is_low() and priority.lowered(SHOW) == SHOW
    assert "SCHED_IDLE" in with_low_priority(lambda: in_a_container(priority.lowered(SHOW)))
    assert "SCHED_OTHER" in in_a_container(SHOW), "the control"


def test_a_container_without_the_program_runs_the_command_all_the_same() -> None:
    command = ["/bin/echo", "it", "runs; $HOME"]
    without = ["/usr/bin/env", "-i", "PATH=/nonexistent", "/bin/sh"]
    output = with_low_priority(lambda: in_a_container([*without, *priority.lowered(command)[1:]]))
    assert output == "it runs; $HOME\n"


def test_what_has_to_answer_within_seconds_has_the_usual_priority(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "ANSWER_S", 900.0)  # this computer can be busy

    def policies() -> str:
        answering = processes.isolated(lambda: os.sched_getscheduler(0), subject="share")
        reading = processes.isolated(lambda: os.sched_getscheduler(0), subject="share", deadline_s=900)
        return f"{answering} {reading} {os.sched_getscheduler(0)}"

    assert with_low_priority(policies) == f"{os.SCHED_OTHER} {os.SCHED_IDLE} {os.SCHED_IDLE}"
    assert processes.isolated(lambda: os.sched_getscheduler(0), subject="share") == os.SCHED_OTHER


def test_half_of_the_processors_are_left() -> None:
    assert priority.processors() == max(1, (os.cpu_count() or 1) // 2)
