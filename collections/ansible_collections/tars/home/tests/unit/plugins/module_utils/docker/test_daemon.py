# SPDX-License-Identifier: GPL-3.0-or-later
import pytest
from ansible_collections.tars.home.plugins.module_utils.docker.daemon import Daemon


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ((0, "26.1.5\n", ""), ""),
        ((1, "\n", "Cannot connect to the Docker daemon.\n"), "Cannot connect to the Docker daemon."),
        ((2, "", ""), "docker version ended with 2"),
        ((124, "", ""), "nothing within 60 s"),
    ],
)
def test_a_daemon_answers_or_it_is_said_what_it_does_instead(answer, expected):
    assert Daemon(lambda command: answer, None).silence() == expected


def test_a_start_that_somebody_else_began_is_waited_for():
    shown = iter(("ActiveState=activating\nSubState=start-pre\n", "ActiveState=active\nSubState=running\n"))
    assert Daemon(lambda command: (0, next(shown), ""), None).service.active


@pytest.mark.parametrize(
    ("activation", "running", "expected"),
    [
        ("start", 2, ["restart"]),
        ("restart", 0, ["restart"]),
        ("restart", 2, ["reload", "restart"]),
    ],
)
def test_live_restore_is_in_force_before_containers_meet_a_restart(activation, running, expected):
    asked = []

    def run(command):
        asked.append(command[1])
        info = f'{{"ContainersRunning": {running}, "LiveRestoreEnabled": false}}'
        return 0, info if command[1] == "info" else "reloaded", ""

    assert Daemon(run, None).take_up(activation, live_restore=True) == ""
    assert [word for word in asked if word in ("reload", "restart")] == expected
