# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of services from the contract and from `docker inspect`, and how it is shown."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from tars_provision.commands.status import Place, Status
from tars_provision.desktop import remote
from tars_provision.desktop.services import Service, age, services

CONTRACT = {"services": {name: {"container": f"tars-{name}-1", "image": f"{name}:1"} for name in ("app", "caddy")}}
RUNNING = {"Status": "running", "StartedAt": "2026-11-29T20:00:00.123456789Z", "FinishedAt": "0001-01-01T00:00:00Z"}


def inspected(state: dict[str, Any], restarts: int = 0) -> dict[str, Any]:
    """Return a container in the form of `docker inspect`."""
    return {"Name": "/tars-app-1", "State": state, "RestartCount": restarts, "Config": {"Image": "app:1@sha256:ab"}}


@pytest.mark.parametrize(
    ("state", "expected", "ok"),
    [
        (RUNNING, ("running", "", ""), True),
        ({**RUNNING, "Health": {"Status": "starting"}}, ("running", "starting", ""), True),
        ({**RUNNING, "Health": {"Status": "healthy", "Log": []}}, ("running", "healthy", ""), True),
        (
            {**RUNNING, "Health": {"Status": "unhealthy", "Log": [{"Output": "old"}, {"Output": "no\n answer"}]}},
            ("running", "unhealthy", "no answer"),
            False,
        ),
        (
            {**RUNNING, "Status": "exited", "ExitCode": 137, "OOMKilled": True, "Health": {"Status": "unhealthy"}},
            ("exited", "", "exit code 137, out of memory"),
            False,
        ),
        (
            {**RUNNING, "Status": "restarting", "ExitCode": 1, "OOMKilled": False, "Error": "no such device"},
            ("restarting", "", "exit code 1, no such device"),
            False,
        ),
    ],
)
def test_the_state_of_a_service(state: dict[str, Any], expected: tuple[str, str, str], ok: bool) -> None:
    app, caddy = services(CONTRACT, [inspected(state, restarts=3)])
    assert ((app.state, app.health, app.detail), app.ok, app.restarts) == (expected, ok, 3)
    assert (caddy.state, caddy.ok, caddy.image) == ("missing", False, "caddy:1")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-2, "0 s"), (59.9, "59 s"), (60, "1 min"), (3600, "1 h 0 min"), (86399, "23 h 59 min"), (90000, "1 d 1 h")],
)
def test_ages(seconds: float, text: str) -> None:
    assert age(seconds) == text


def status(*shown: Service, mount: bool = True, docker: str = "") -> Status:
    places = [Place("10.77.0.20:/volume1/docs at /srv/docs", mount, "" if mount else "no answer within 10 s")]
    return Status(Path("site"), "xps8950", "0.1.0", list(shown), places, Place("10.77.0.20", True), docker)


def printed(shown: Status, capsys: pytest.CaptureFixture[str], *, terminal: bool = False) -> str:
    shown.show(Console(force_terminal=terminal, width=120, color_system=None, _environ={}))
    return capsys.readouterr().out


HEALTHY = Service("app", "tars-app-1", "app:1@sha256:ab", "running", "healthy", datetime.now(UTC).isoformat())


@pytest.mark.parametrize("terminal", [False, True])
def test_what_runs_is_one_line_for_each_part(capsys: pytest.CaptureFixture[str], terminal: bool) -> None:
    text = printed(status(HEALTHY), capsys, terminal=terminal)
    assert text.startswith("xps8950: T.A.R.S. 0.1.0\n") and "running, healthy" in text and "sha256" not in text
    assert "ok   mount 10.77.0.20:/volume1/docs at /srv/docs\n" in text
    assert "ok   NAS 10.77.0.20: answers the desktop over NFS\n" in text
    assert status(HEALTHY).exit_code == 0 and status(HEALTHY).as_data()["services"][0]["ok"]


def test_what_fails_has_its_reason_and_the_next_step(capsys: pytest.CaptureFixture[str]) -> None:
    stopped = Service("app", "tars-app-1", "app:1", "exited", "", HEALTHY.since, 3, "exit code 1")
    shown = status(stopped, Service("caddy", "tars-caddy-1", "caddy:1", "missing"), mount=False)
    text = printed(shown, capsys)
    assert "exit code 1" in text and "logs app -i site` shows why" in text
    assert "site -i site` starts what is missing" in text and "logs caddy" not in text
    assert "fail mount 10.77.0.20:/volume1/docs at /srv/docs: no answer within 10 s\n" in text
    assert shown.exit_code == 1
    silent = status(docker="Cannot connect to the Docker daemon")
    text = printed(silent, capsys, terminal=True)
    assert silent.exit_code == 1 and "fail docker: Cannot connect" in text and "`systemctl start docker`" in text


@pytest.mark.parametrize(
    ("content", "problem"),
    [(None, "no such file"), ("{", "Expecting property name"), ('{"schema": 2}', "another version"), ("[]", "another")],
)
def test_a_contract_that_cannot_be_used_is_reported(tmp_path: Path, content: str | None, problem: str) -> None:
    path = tmp_path / "contract.json"
    if content is not None:
        path.write_text(content)
    contract, actual = remote.read_contract(str(path))
    assert contract is None and problem in actual


def test_a_mount_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(remote, "MOUNT_TIMEOUT_S", 0.2)
        assert remote.mount("/x", "nas:/x", ["sleep", "3600"])["detail"] == "no answer within 0.2 s"
    assert remote.mount("/x", "nas:/x", ["echo", "nas:/x"]) == {
        "path": "/x",
        "source": "nas:/x",
        "ok": True,
        "detail": "",
    }
    assert remote.mount("/x", "nas:/x", ["false"])["detail"] == "not mounted"
