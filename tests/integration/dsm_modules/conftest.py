# SPDX-License-Identifier: GPL-3.0-or-later
"""The NAS of the lab on loopback, and the modules run against it as Ansible runs them: as programs of their own."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
import yaml
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tars_lab.dsm_twin.apis import certificate
from tars_lab.dsm_twin.effects import DirectoryEffects
from tars_lab.dsm_twin.faults import Faults
from tars_lab.dsm_twin.install import factory_document, make_certificate
from tars_lab.dsm_twin.listen import Server, listener, tls_server
from tars_lab.dsm_twin.nas import Factory, Nas
from tars_lab.dsm_twin.server import application
from tars_lab.dsm_twin.state import State

Play = Callable[..., tuple[dict[str, int], str]]
PASSWORD = "rïght &+=%\"'"
FACTORY = {
    "model": "DS1515+",
    "serial": "LAB0000001",
    "account": "tars-admin",
    "password": PASSWORD,
    "volumes": ["/volume1", {"path": "/volume2", "fs_type": "ext4"}],
    "accounts": [
        {"account": "guest-user", "password": "plain", "administrator": False},
        {"account": "guarded", "password": "plain", "otp_secret": "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"},
    ],
}


@dataclass
class Twin:
    """`state` is what the NAS remembers, `root` where its volumes lie, `calls` what it was asked ("API.method")."""

    root: Path
    project: Path
    faults: Faults
    nas: Nas
    port: int
    fingerprint: str
    session_file: Path
    calls: list[str]
    server: Server

    @property
    def state(self) -> dict[str, Any]:
        return self.nas.state.data

    @property
    def connection(self) -> dict[str, Any]:
        return {
            "host": "127.0.0.1",
            "port": self.port,
            "account": "tars-admin",
            "password": PASSWORD,
            "fingerprint": self.fingerprint,
            "session_file": str(self.session_file),
        }

    def count(self, call: str) -> int:
        return self.calls.count(call)

    def run(self, module: str, check: bool = False, **options: Any) -> dict[str, Any]:
        """The result of one module, run in an interpreter of its own with its options on standard input."""
        self.calls.clear()
        result = run_module(self.project, module, {**self.connection, **options}, check)
        assert PASSWORD not in str(result)
        return result


def run_module(project: Path, module: str, options: dict[str, Any], check: bool = False) -> dict[str, Any]:
    modes = {"_ansible_check_mode": check, "_ansible_diff": True}
    done = subprocess.run(
        [sys.executable, "-m", f"ansible_collections.tars.home.plugins.modules.{module}"],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": {**options, **modes}}),
        env={**os.environ, "PYTHONPATH": str(project / "collections")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert not done.stderr, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def noting(app: ASGIApp, calls: list[str]) -> ASGIApp:
    """`app`, with every call that reaches it noted."""

    async def wrapper(scope: Scope, receive: Receive, send: Send) -> None:
        body = b""

        async def listen() -> Message:
            nonlocal body
            message = await receive()
            if message["type"] == "http.request":
                body += message.get("body", b"")
                if not message.get("more_body"):
                    form = dict(parse_qsl(body.decode()))
                    calls.append(f"{form.get('api')}.{form.get('method')}")
            return message

        await app(scope, listen, send)

    return wrapper


@pytest.fixture(scope="session")
def module(root: Path) -> Callable[..., dict[str, Any]]:
    """Run a module with the options given: its result."""
    return partial(run_module, root)


@pytest.fixture
def twin(tmp_path: Path, root: Path) -> Iterator[Twin]:
    where = tmp_path / "nas"
    for volume in ("volume1", "volume2"):
        (where / volume).mkdir(parents=True)
    faults = Faults(tmp_path / "faults.json")
    effects = DirectoryEffects(where)
    nas = Nas.made(Factory.from_json(factory_document(FACTORY)), State(where / "state.json"), effects, faults)
    make_certificate(where / "cert.pem", where / "key.pem", "ds1515plus", ["127.0.0.1"])
    calls: list[str] = []
    bound = listener(0, "127.0.0.1")
    server = tls_server(noting(application(nas), calls), where / "cert.pem", where / "key.pem")
    effects.restart_web = server.show
    effects.wiring.cut = server.cut
    certificate.first_start(nas, (where / "cert.pem").read_text())
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[bound])))
    thread.start()
    fingerprint = hashlib.sha256(ssl.PEM_cert_to_DER_cert((where / "cert.pem").read_text())).hexdigest()
    session_file = tmp_path / "run" / "session.json"
    yield Twin(where, root, faults, nas, bound.getsockname()[1], fingerprint, session_file, calls, server)
    server.should_exit = True
    thread.join()


@pytest.fixture
def play_nas(twin: Twin, root: Path, tmp_path: Path) -> Callable[..., Play]:
    """A play of one role over the twin, through ansible-playbook.

    Given the role's variables and its name, returns a function that runs the play with further arguments and returns
    Ansible's counters and output. Neither password nor `hidden` may be in the output.
    """

    def prepare(variables: dict[str, Any], *hidden: str, role: str = "tars.home.nas") -> Play:
        tasks = [
            {
                "name": "Set or compare the NAS",
                "ansible.builtin.include_role": {"name": role, "tasks_from": "{{ entry | default('main') }}"},
                "tags": ["always"],
            }
        ]
        connection = {f"nas_{key}": value for key, value in twin.connection.items()}
        plays = [{"name": "Set the NAS up", "hosts": "nas", "gather_facts": False, "tasks": tasks}]
        hosts = {"nas": {"hosts": {"ds1515plus": {**connection, **variables}}}}
        (tmp_path / "play.yml").write_text(yaml.safe_dump(plays))
        (tmp_path / "hosts.yml").write_text(yaml.safe_dump(hosts))
        (tmp_path / "none.cfg").touch()
        environment = {
            **os.environ,
            "ANSIBLE_CONFIG": str(tmp_path / "none.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(root / "collections"),
            "ANSIBLE_ROLES_PATH": str(root / "roles"),
            "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
            "ANSIBLE_HOME": str(tmp_path / "ansible"),
        }
        command = [sys.executable, "-m", "ansible", "playbook", "-i", str(tmp_path / "hosts.yml")]

        def run(*arguments: str) -> tuple[dict[str, int], str]:
            done = subprocess.run(
                [*command, str(tmp_path / "play.yml"), *arguments],
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            assert "stats" in done.stdout, done.stdout + done.stderr
            for secret in (twin.connection["password"], *hidden):
                assert json.dumps(secret)[1:-1] not in done.stdout + done.stderr
            stats: dict[str, int] = json.loads(done.stdout)["stats"]["ds1515plus"]
            return stats, done.stdout

        return run

    return prepare
