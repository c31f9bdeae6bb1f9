# SPDX-License-Identifier: GPL-3.0-or-later
"""`status` and `logs` on the machines of the story, compared with Docker's own client and with findmnt.

Docker's client connects with paramiko, so neither the ssh program nor the docker command is part of the comparison.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from ..conftest import BIN, ROOT, environment, tars
from .conftest import ADDRESSES, eventually, host

pytestmark = [pytest.mark.e2e, pytest.mark.lab, pytest.mark.usefixtures("provisioned")]

DESKTOP, SSH_FOLDER = ADDRESSES["xps8950"], Path("/var/lib/tars-lab/ssh")

FIX = re.compile(r"(?:systemctl|journalctl|docker) [^;\"'`]+")
"""A command in the next step of a health check."""


def status(code: int = 0) -> Any:
    """Return the status as JSON; the command ends with this exit code."""
    done = tars("status", "--json", check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[docker.DockerClient]:
    """Yield a client of the desktop's Docker."""
    home = tmp_path / ".ssh"
    home.mkdir(mode=0o700)
    (home / "config").write_text(f"Host {DESKTOP}\n  IdentityFile {SSH_FOLDER}/id_ed25519\n")
    (home / "known_hosts").write_bytes((SSH_FOLDER / "known_hosts").read_bytes())
    with monkeypatch.context() as patch:
        patch.setenv("HOME", str(tmp_path))
        client = docker.DockerClient(f"ssh://root@{DESKTOP}")
    yield client
    client.close()


def test_status_reports_what_docker_reports(daemon: docker.DockerClient) -> None:
    eventually(lambda: tars("status", check=False).returncode == 0)  # earlier tests have restarted services
    shown = status()
    services = shown["services"]
    assert shown["ok"] is True
    expected = {
        (
            container.name,
            container.status,
            container.attrs["State"]["Health"]["Status"],
            container.attrs["RestartCount"],
        )
        for container in daemon.containers.list(all=True, filters={"label": "com.docker.compose.project=tars"})
    }
    assert {(s["container"], s["state"], s["health"], s["restarts"]) for s in services} == expected
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
    eventually(lambda: tars("status", check=False).returncode == 0)


def test_logs_are_those_of_the_container(daemon: docker.DockerClient) -> None:
    postgres = daemon.containers.get("tars-postgres-1")
    # A line may be logged between the two.
    eventually(lambda: tars("logs", "postgres", "-n", "5").stdout == postgres.logs(tail=5).decode())
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
        assert follow.wait(180) == 130
    eventually(lambda: desktop.check_output(running) == "0")


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
        done = host("xps8950").run(f"timeout 180 {words}")
        assert done.rc in (0, 3), f"{words}\n{done.stdout}{done.stderr}"
