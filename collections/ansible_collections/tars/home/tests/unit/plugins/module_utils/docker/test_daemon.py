# SPDX-License-Identifier: GPL-3.0-or-later
"""dockerd by the commands of its machine; its planner has cases/docker/daemon."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from ansible_collections.tars.home.plugins.module_utils.docker import daemon_plan
from ansible_collections.tars.home.plugins.module_utils.docker.daemon import Daemon, Run, parse_probe, resource
from ansible_collections.tars.home.plugins.module_utils.docker.daemon_plan import Goal
from ansible_collections.tars.home.plugins.module_utils.docker.service import Service
from ansible_collections.tars.home.plugins.module_utils.resource.converge import converge
from ansible_collections.tars.home.plugins.module_utils.resource.errors import Incomplete, ResourceError

Answer = tuple[int, str, str]


def answering(answer: Callable[[Sequence[str]], Answer]) -> Run:
    def run(command: Sequence[str], text: str = "", timeout_s: float = 0) -> Answer:
        return answer(command)

    return run


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ((0, "26.1.5\n", ""), ""),
        ((1, "\n", "Cannot connect to the Docker daemon.\n"), "Cannot connect to the Docker daemon."),
        ((2, "", ""), "docker version ended with 2"),
        ((124, "", ""), "no answer within 60 s"),
    ],
)
def test_reason_why_a_daemon_does_not_answer(answer: Answer, expected: str) -> None:
    assert Daemon(answering(lambda command: answer)).no_answer() == expected


def test_a_start_that_another_program_began_is_waited_for() -> None:
    shown = iter(("ActiveState=activating\nSubState=start-pre\n", "ActiveState=active\nSubState=running\n"))
    assert Daemon(answering(lambda command: (0, next(shown), ""))).service().active


@pytest.mark.parametrize(
    ("activation", "running", "expected"),
    [
        ("start", 2, ["restart"]),
        ("restart", 0, ["restart"]),
        ("restart", 2, ["reload", "restart"]),
    ],
)
def test_live_restore_is_in_force_before_a_restart_with_containers(
    activation: str, running: int, expected: list[str]
) -> None:
    words = []

    def answer(command: Sequence[str]) -> Answer:
        words.append(command[1])
        info = f'{{"ContainersRunning": {running}, "LiveRestoreEnabled": false}}'
        return 0, info if command[1] == "info" else "reloaded", ""

    assert Daemon(answering(answer)).activate(activation, live_restore=True) == ""
    assert [word for word in words if word in ("reload", "restart")] == expected


SHOWN = "ActiveState={}\nSubState=running\nLoadState=loaded\nUnitFileState=enabled\nMainPID=0\n"


class Dockerd:
    """dockerd and systemctl: refuse the keys of `refused` in validation, and those of `broken` only at a start."""

    def __init__(self, path: Path, refused: set[str], broken: set[str]) -> None:
        self.path, self.refused, self.broken = path, refused, broken
        self.active, self.commands = True, list[str]()

    def __call__(self, command: Sequence[str], text: str = "", timeout_s: float = 0) -> Answer:
        words = " ".join(command[:2])
        self.commands.append(words)
        if "--validate" in command:
            keys = set(json.loads(Path(command[-1]).read_text()))
            return (
                (1, "", f"unknown key {self.refused & keys} in {command[-1]}") if self.refused & keys else (0, "", "")
            )
        if words == "systemctl show":
            return 0, SHOWN.format("active" if self.active else "inactive"), ""
        if words == "systemctl restart":
            keys = set(json.loads(self.path.read_text()))
            self.active = not keys & (self.refused | self.broken)
            return (0, "", "") if self.active else (1, "", "")
        if command[0] == "journalctl":
            return 0, "failed to start: no such log driver\n", ""
        return 0, "{}", ""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "daemon.json"
    path.write_text('{"labels": ["owner=me"]}\n')
    return path


def run(dockerd: Dockerd, settings: dict[str, object]) -> list[str]:
    daemon = Daemon(dockerd, "/usr/bin/dockerd", str(dockerd.path.with_name("pending")))
    goal = Goal(settings, enabled=True, started=True)
    return [str(change) for change in converge(resource(goal, str(dockerd.path), daemon), False).changes]


def test_a_change_is_written_and_a_second_run_changes_nothing(path: Path) -> None:
    dockerd = Dockerd(path, set(), set())
    assert run(dockerd, {"log-driver": "local"}) == [f"set log-driver in {path}", "restart docker.service"]
    assert json.loads(path.read_text()) == {"labels": ["owner=me"], "log-driver": "local"}
    assert run(dockerd, {"log-driver": "local"}) == []


def test_a_file_that_dockerd_refuses_is_an_error_although_nothing_is_to_change(path: Path) -> None:
    path.write_text('{"hosts": ["fd://"], "debug": true}')
    dockerd = Dockerd(path, {"hosts"}, set())
    with pytest.raises(ResourceError, match=f"dockerd refuses {path}, and would not start with it: unknown key"):
        run(dockerd, {"debug": True})
    assert "systemctl restart" not in dockerd.commands


@pytest.mark.parametrize(
    ("present", "settings"),
    [
        ({"hosts": ["fd://"]}, {"log-driver": "local"}),
        ({}, {"hosts": ["fd://"]}),
        # The settings remove what dockerd refuses; but there would be no way back from a failed restart.
        ({"hosts": ["fd://"]}, {"hosts": None}),
        ({"registry-mirrors": {"a": 1}, "hosts": []}, {"registry-mirrors": ["http://m"]}),
    ],
    ids=["owner's key", "own key", "removed key", "both"],
)
def test_a_running_daemon_is_never_restarted_with_a_refused_file(
    path: Path, present: dict[str, object], settings: dict[str, object]
) -> None:
    path.write_text(json.dumps(present))
    dockerd = Dockerd(path, {"hosts"}, set())
    with pytest.raises(ResourceError):
        run(dockerd, settings)
    assert json.loads(path.read_text()) == present and dockerd.active
    assert not {"systemctl restart", "systemctl reload"} & set(dockerd.commands)


def test_text_instead_of_a_list_is_refused_before_any_change(path: Path) -> None:
    path.write_text('{"registry-mirrors": "http://10.77.0.1:5000"}')
    dockerd = Dockerd(path, set(), set())
    daemon = Daemon(dockerd, "/usr/bin/dockerd", str(path.with_name("pending")))
    goal = Goal(lists={"registry-mirrors": ["http://m"]}, started=True)
    with pytest.raises(ResourceError, match=f"{path}: registry-mirrors: found text, expected a list"):
        converge(resource(goal, str(path), daemon), False)
    assert path.read_text() == '{"registry-mirrors": "http://10.77.0.1:5000"}' and dockerd.active


def test_the_old_file_is_restored_where_dockerd_does_not_start_with_the_new_one(path: Path) -> None:
    before = path.read_text()
    dockerd = Dockerd(path, set(), {"log-driver"})
    with pytest.raises(Incomplete, match=r"no such log driver\n.* is restored, and dockerd runs with that") as caught:
        run(dockerd, {"log-driver": "nonsense"})
    assert path.read_text() == before and dockerd.active
    assert caught.value.done == [] and not caught.value.changed
    assert not path.with_name("pending").exists()


PROBED = [
    SHOWN.format("active"),
    "/usr/sbin/dockerd\n-H\nfd://\n",
    "",
    '{"live-restore": true}',
]


def test_state_from_the_output_of_the_probe() -> None:
    service = Service(True, ("/usr/sbin/dockerd", "-H", "fd://"), "loaded", "enabled")
    state = daemon_plan.State(service, "/etc/docker/daemon.json", {"live-restore": True})
    assert parse_probe(0, "\x1e".join(PROBED), "/etc/docker/daemon.json") == state
    assert daemon_plan.plan(state, Goal({"live-restore": True}, enabled=True, started=True)) == []


@pytest.mark.parametrize(
    ("status", "sections"),
    [
        (1, PROBED[:3]),
        (0, [SHOWN.format("inactive"), *PROBED[1:]]),
        (0, [PROBED[0], "/usr/sbin/dockerd\n--config-file=/d.json\n", *PROBED[2:]]),
        (0, [*PROBED[:3], "{"]),
    ],
    ids=["refused or no answer", "stopped", "another file", "not JSON"],
)
def test_the_module_reads_what_the_probe_cannot(status: int, sections: list[str]) -> None:
    assert parse_probe(status, "\x1e".join(sections), "/etc/docker/daemon.json") is None


def test_a_log_driver_without_limits_is_a_warning() -> None:
    state = daemon_plan.State(Service(True, ()), content={"log-driver": "journald"})
    assert daemon_plan.warnings(state, Goal(log_limits={"max-size": "10m"})) == [
        "/etc/docker/daemon.json sets the log driver journald, which takes no limits for the size of logs."
    ]
    assert daemon_plan.warnings(state, Goal()) == []
