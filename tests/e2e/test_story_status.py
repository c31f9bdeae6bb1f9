# SPDX-License-Identifier: GPL-3.0-or-later
"""`status` and `logs` on the machines of the story, compared with docker and findmnt themselves."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ..conftest import BIN, ROOT, environment, tars
from .conftest import Run, eventually, host

pytestmark = [pytest.mark.e2e, pytest.mark.lab, pytest.mark.usefixtures("provisioned")]

INSPECT = """docker inspect --format '{{.Name}} {{.State.Status}} {{.State.Health.Status}} {{.RestartCount}}' \
    $(docker ps -aq --filter label=com.docker.compose.project=tars)"""

FIX = re.compile(r"(?:systemctl|journalctl|docker) [^;\"'`]+")
"""A command in the next step of a health check."""


def status(code: int = 0) -> Any:
    """Return the status as JSON; the command ends with this exit code."""
    done = tars("status", "--json", check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_status_reports_what_docker_reports(provisioned: Run) -> None:
    shown = status()
    services = shown["services"]
    assert shown["ok"] is True
    lines = {f"/{each['container']} {each['state']} {each['health']} {each['restarts']}" for each in services}
    assert lines == set(host("xps8950").check_output(INSPECT).splitlines())
    for mount in shown["mounts"]:
        source, _, path = mount["name"].partition(" at ")
        assert host("xps8950").check_output(f"findmnt -nt noautofs -o SOURCE -M {path}") == source
    text = tars("status").stdout
    assert "running, healthy" in text and "answers the desktop over NFS" in text


def test_a_stopped_service_is_reported_with_its_logs() -> None:
    desktop = host("xps8950")
    desktop.check_output("docker stop tars-worker-1")
    try:
        done = tars("status", check=False)
        assert done.returncode == 1 and "exited" in done.stdout and " logs worker " in done.stdout, done.stdout
    finally:
        desktop.check_output("docker start tars-worker-1")
    eventually(lambda: tars("status", check=False).returncode == 0, seconds=120)


def test_logs_are_those_of_the_container() -> None:
    last = "docker logs --tail 1 tars-postgres-1 2>&1"
    # A line may be logged between the two.
    eventually(lambda: tars("logs", "postgres", "-n", "1").stdout.strip() == host("xps8950").check_output(last).strip())
    data = json.loads(tars("logs", "postgres", "--json", "--since", "3d").stdout)
    assert data["container"] == "tars-postgres-1" and data["lines"][0]["time"].startswith("20")
    wrong = tars("logs", "database", check=False)
    assert (
        wrong.returncode == 2 and "expected one of app, caddy, chroma, ollama, postgres, redis, worker" in wrong.stderr
    )


def test_following_a_log_leaves_nothing_on_the_desktop() -> None:
    desktop, running = host("xps8950"), "pgrep -fc '^docker logs .*tars-caddy-1' || test $? -eq 1"
    command: list[str | Path] = [BIN / "tars-provision", "logs", "caddy", "--follow", "-n", "1"]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, start_new_session=True
    ) as follow:
        eventually(lambda: desktop.check_output(running) == "1")
        os.killpg(follow.pid, signal.SIGINT)
        assert follow.wait(20) == 130
    eventually(lambda: desktop.check_output(running) == "0", seconds=20)


def test_every_command_in_a_next_step_of_a_check_works_on_the_desktop() -> None:
    files = [*ROOT.glob("roles/*/vars/main.yml"), *ROOT.glob("collections/**/roles/*/tasks/verify.yml")]
    lines = [line for file in files for line in file.read_text().splitlines() if re.match(r" +fix: ", line)]
    commands = [
        match[0].strip() for line in lines for match in FIX.finditer(line.replace("{{ stack_project }}", "tars"))
    ]
    assert len(commands) >= 4
    for command in commands:
        # A sentence may go on behind a command that shows something.
        words = re.sub(r"(status \S+|logs \S+).*", r"\1", command).replace("NAME", "tars-app-1")
        done = host("xps8950").run(f"timeout 20 {words}")
        assert done.rc in (0, 3), f"{words}\n{done.stdout}{done.stderr}"
