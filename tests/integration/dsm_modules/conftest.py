# SPDX-License-Identifier: GPL-3.0-or-later
"""The NAS of the lab on loopback, and the modules run against it as Ansible runs them: as programs of their own."""

from __future__ import annotations

import asyncio
import hashlib
import importlib
import io
import json
import os
import re
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args
from ansible_collections.tars.home.plugins.module_utils.dsm import ensure as dsm_module
from ansible_collections.tars.home.plugins.module_utils.dsm.client.client import Client
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tars_lab.dsm_twin import accounts
from tars_lab.dsm_twin.apis import BY_NAME, certificate, firewall
from tars_lab.dsm_twin.effects import DirectoryEffects
from tars_lab.dsm_twin.faults import Faults
from tars_lab.dsm_twin.install import factory_document, make_certificate
from tars_lab.dsm_twin.listen import RESTART_S, Server, listener, tls_server
from tars_lab.dsm_twin.nas import Factory, Nas
from tars_lab.dsm_twin.protocol import Call, Params
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
PATIENCE_S = firewall.PATIENCE_S
PACE = 200
"""Modules run inside the test wait so many times shorter than at home, and so do the NAS's own delays then."""


@dataclass
class Twin:
    """A NAS as it comes from the factory, or what became of it.

    `root` is where its volumes lie, `calls` what it was asked ("API.method"), `parts` the same with what compound calls
    were made of; `refused_logins` counts those for want of the right credentials.
    """

    root: Path
    project: Path
    faults: Faults
    nas: Nas
    port: int
    fingerprint: str
    session_file: Path
    server: Server
    calls: list[str] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    refused_logins: int = 0

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
        self._forget_calls()
        result = run_module(self.project, module, {**self.connection, **options}, check)
        assert PASSWORD not in str(result)
        return result

    def run_inside(self, module: str, check: bool = False, **options: Any) -> dict[str, Any]:
        """As `run`, in this interpreter and at another PACE: for tests of hundreds of runs."""
        self._forget_calls()
        arguments = {**self.connection, **options, "_ansible_check_mode": check, "_ansible_diff": True}
        main = importlib.import_module(f"ansible_collections.tars.home.plugins.modules.{module}").main
        output = io.StringIO()
        with at_pace(), patch_module_args(arguments), redirect_stdout(output), pytest.raises(SystemExit):
            main()
        assert json.dumps(PASSWORD)[1:-1] not in output.getvalue()
        result: dict[str, Any] = json.loads(output.getvalue())
        return result

    def do(self, api: str, method: str, version: int = 1, **fields: Any) -> Any:
        """Carry one call out as an administrator without the wire, faults or any of the modules' code."""
        session = self.nas.sessions.open("tars-admin", True, "127.0.0.1", with_token=True)
        params = Params({name: json.dumps(value) for name, value in fields.items()})
        data = BY_NAME[api].methods[method].run(Call(self.nas, params, version, "127.0.0.1", session))
        self.nas.sessions.close(session.sid)
        return data

    def _forget_calls(self) -> None:
        self.calls.clear()
        self.parts.clear()
        self.refused_logins = 0


@contextmanager
def at_pace() -> Iterator[None]:
    """Let the modules' clients wait PACE times shorter."""
    connect = dsm_module.connect

    def quick(*arguments: Any) -> Client:
        client = connect(*arguments)
        client.sleep = lambda seconds: time.sleep(seconds / PACE)
        return client

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dsm_module, "connect", quick)
        patch.setattr(firewall, "PATIENCE_S", PATIENCE_S / PACE)
        yield


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


class Stage:
    """A listener on loopback behind which one NAS after the other is set up, each as it comes from the factory."""

    def __init__(self, project: Path, where: Path) -> None:
        self._project = project
        make_certificate(where / "cert.pem", where / "key.pem", "ds1515plus", ["127.0.0.1"])
        self._certificate = (where / "cert.pem").read_text()
        self._bound = listener(0, "127.0.0.1")

        # A function, because uvicorn takes a method for an application of the old kind.
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            assert self._app_now is not None
            await self._app_now(scope, receive, send)

        self._server = tls_server(app, where / "cert.pem", where / "key.pem")
        self._factory = Factory.from_json(factory_document(FACTORY))
        self._app_now: ASGIApp | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._server.serve(sockets=[self._bound])))
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)

    def set_up(self, where: Path, pace: float = 1) -> Twin:
        """A new NAS on the empty folder `where`; the one before is gone."""
        root = where / "nas"
        for volume in self._factory.volumes:
            (root / volume.path.lstrip("/")).mkdir(parents=True)
        (root / "cert.pem").write_text(self._certificate)
        faults = Faults(where / "faults.json")
        effects = DirectoryEffects(root)
        # Hundreds of them need not outlive a power failure.
        state = State(root / "state.json" if pace == 1 else None)
        nas = Nas.create(self._factory, state, effects, faults)
        fingerprint = hashlib.sha256(ssl.PEM_cert_to_DER_cert(self._certificate)).hexdigest()
        port, session_file = self._bound.getsockname()[1], where / "run" / "session.json"
        twin = Twin(root, self._project, faults, nas, port, fingerprint, session_file, self._server)
        # Whatever the NAS before showed, or was about to.
        self._server.restart_s = 0
        restarted = self._server.show(None)
        assert restarted is not None
        restarted.result()
        self._server.restart_s = RESTART_S / pace
        effects.restart_web = self._server.show
        effects.interfaces.cut = self._server.cut
        certificate.first_start(nas, self._certificate)
        self._app_now = noting(application(nas), twin)
        return twin

    def close(self) -> None:
        self._server.should_exit = True
        self._thread.join()


def noting(app: ASGIApp, twin: Twin) -> ASGIApp:
    """`app`, with every call that reaches it noted, and every login that it refuses."""

    async def wrapper(scope: Scope, receive: Receive, send: Send) -> None:
        body = answer = b""
        form: dict[str, str] = {}

        async def listen() -> Message:
            nonlocal body
            message = await receive()
            if message["type"] == "http.request":
                body += message.get("body", b"")
                if not message.get("more_body"):
                    # A form with files names its call in the query.
                    form.update(parse_qsl(scope["query_string"].decode()))
                    if b"Content-Disposition" not in body:
                        form.update(parse_qsl(body.decode()))
                    twin.calls.append(f"{form.get('api')}.{form.get('method')}")
                    twin.parts.append(twin.calls[-1])
                    twin.parts += [f"{part['api']}.{part['method']}" for part in json.loads(form.get("compound", "[]"))]
            return message

        async def tell(message: Message) -> None:
            nonlocal answer
            answer += message.get("body", b"")
            await send(message)

        await app(scope, listen, tell)
        # Only these count towards the automatic block; a version that is refused does not.
        if form.get("method") == "login" and re.search(rb'"code":4[01][0-9]\b', answer):
            twin.refused_logins += 1

    return wrapper


@pytest.fixture(scope="session")
def module(root: Path) -> Callable[..., dict[str, Any]]:
    """Run a module with the options given: its result."""
    return partial(run_module, root)


@pytest.fixture(scope="module")
def stage(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """For tests of hundreds of runs: one listener for all."""
    with pytest.MonkeyPatch.context() as patch:
        # Passwords here guard nothing, and each costs some 50 ms otherwise.
        patch.setattr(accounts, "SCRYPT_COST", 2)
        stage = Stage(root, tmp_path_factory.mktemp("stage"))
        yield stage
        stage.close()


@pytest.fixture
def twin(root: Path, tmp_path: Path) -> Iterator[Twin]:
    stage = Stage(root, tmp_path)
    yield stage.set_up(tmp_path)
    stage.close()


@pytest.fixture
def play_nas(twin: Twin, root: Path, tmp_path: Path) -> Callable[..., Play]:
    """A play over the twin, through ansible-playbook.

    Given the variables and the names of its roles, returns a function that runs the play with further arguments and
    returns Ansible's counters and its output as JSON. Neither password nor `hidden` may be in the output.
    """

    def prepare(variables: dict[str, Any], *hidden: str, roles: Sequence[str] = ("tars.home.nas",)) -> Play:
        tasks = [
            {
                "name": f"Set or compare with {role}",
                "ansible.builtin.include_role": {"name": role, "tasks_from": "{{ entry | default('main') }}"},
                "tags": ["always"],
            }
            for role in roles
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
            # Lines that actions show precede the document.
            document = done.stdout[f"\n{done.stdout}".index("\n{") :]
            stats: dict[str, int] = json.loads(document)["stats"]["ds1515plus"]
            return stats, document

        return run

    return prepare
