# SPDX-License-Identifier: GPL-3.0-or-later
"""The application behind caddy with the configuration that the role `stack` renders."""

from __future__ import annotations

import filecmp
import json
import os
import re
import select
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import jinja2
import pytest
from ansible.plugins.test import core

from ...waiting import PATIENCE_S
from .conftest import Server, Stack, free_port, get_ok
from .helpers import wait_for_state

pytestmark = pytest.mark.integration

LARGE = 256 * 2**20
"""Size of a document in bytes."""
TEMPLATE = "collections/ansible_collections/tars/home/roles/stack/templates/Caddyfile.j2"


class SlowModel(ThreadingHTTPServer):
    """Passes requests to the model server, but never answers a chat; it notices when its client leaves."""

    daemon_threads = True

    def __init__(self, target: str) -> None:
        super().__init__(("127.0.0.1", 0), SlowModelHandler)
        self.target = target
        self.asked = threading.Event()
        self.left = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class SlowModelHandler(BaseHTTPRequestHandler):
    server: SlowModel

    def _pass(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/api/chat":
            self.server.asked.set()
            readable, _, _ = select.select([self.connection], [], [], 2 * PATIENCE_S)
            if readable and not self.connection.recv(1):
                self.server.left.set()
            return
        url = f"{self.server.target}{self.path}"
        # The first request for a model waits until it is loaded, under load for longer than httpx's 5 s.
        answer = httpx.request(self.command, url, content=body, trust_env=False, timeout=PATIENCE_S)
        self.send_response(answer.status_code)
        self.send_header("Content-Type", answer.headers["content-type"])
        self.send_header("Content-Length", str(len(answer.content)))
        self.end_headers()
        self.wfile.write(answer.content)

    do_GET = do_POST = _pass  # noqa: N815  names that http.server requires

    def log_message(self, *_: Any) -> None:
        pass


@dataclass
class Site:
    """The address of caddy, and the model behind it."""

    url: str
    model: SlowModel
    processes: tuple[int, int]
    """Caddy's and the application's."""


def render(root: Path, authority: Path, listen: int, health: int, app: str) -> str:
    """The role's Caddyfile with the ports and the files of this test."""
    environment = jinja2.Environment(trim_blocks=True, keep_trailing_newline=True)  # noqa: S701  not HTML
    environment.filters["regex_replace"] = lambda value, pattern, text: re.sub(pattern, text, value)
    environment.tests["version"] = core.TestModule().tests()["version"]
    text = environment.from_string((root / TEMPLATE).read_text()).render(
        stack_names=[],
        stack_addresses=["127.0.0.1"],
        stack_certificate_days=1,
        __stack_issuer_name="issuer",
        __stack_page={"port": 8443},
        __stack_caddy_version=subprocess.check_output(["caddy", "version"], text=True).split()[0].removeprefix("v"),
    )
    for old, new in (
        ("https_port 8443", f"https_port {listen}"),
        ("http://:8081", f"http://:{health}"),
        ("app:8000", app),
        ("/run/secrets/issuer", str(authority)),
    ):
        assert old in text
        text = text.replace(old, new)
    return text


def connect(port: int) -> ssl.SSLSocket:
    plain = socket.create_connection(("127.0.0.1", port), timeout=60)
    return ssl._create_unverified_context().wrap_socket(plain)  # noqa: S323  only a relay is looked at


def has_certificate(port: int) -> bool:
    """Whether caddy has made its certificate, which is later than its first answer by HTTP; raises OSError if not."""
    connect(port).close()
    return True


@contextmanager
def caddy_before(application: str, root: Path, folder: Path) -> Iterator[tuple[str, int]]:
    """Start caddy before an application, and yield its address and the id of its process."""
    authority, listen, health = folder / "issuer", free_port(), free_port()
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{authority}.key"]
    subprocess.run(["openssl", "req", "-x509", *key, "-subj", "/CN=Household", "-out", f"{authority}.pem"], check=True)
    configuration = folder / "Caddyfile"
    configuration.write_text(render(root, authority, listen, health, application))
    caddy = Server(
        ["caddy", "run", "--config", str(configuration), "--adapter", "caddyfile"],
        folder / "caddy.log",
        lambda: get_ok(f"http://127.0.0.1:{health}/health") and has_certificate(listen),
        {"XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)},
    )
    caddy.start()
    assert caddy.process
    yield f"https://127.0.0.1:{listen}", caddy.process.pid
    caddy.stop()


@pytest.fixture
def site(stack: Stack, root: Path, tmp_path: Path) -> Iterator[Site]:
    port = free_port()
    with SlowModel(stack.model_server.environment["OLLAMA_URL"]) as model:
        threading.Thread(target=model.serve_forever, args=(0.01,), daemon=True).start()
        app = Server(
            [sys.executable, "-m", "tars_app", "serve"],
            tmp_path / "serve.log",
            lambda: get_ok(f"http://127.0.0.1:{port}/health"),
            stack.settings
            | {"TARS_PORT": str(port), "TARS_OLLAMA_URL": model.url}
            | {"TARS_UPLOADS": str(stack.share), "TARS_UPLOADS_PLACE": "LLM_docs", "TARS_MAX_FILE_BYTES": str(LARGE)},
        )
        app.start()
        assert app.process
        with caddy_before(f"127.0.0.1:{port}", root, tmp_path) as (url, caddy):
            yield Site(url, model, (caddy, app.process.pid))
        app.stop()
        model.shutdown()


@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_a_reader_who_leaves_before_the_first_word_stops_the_model(site: Site, stack: Stack, version: str) -> None:
    (stack.share / "ladder.txt").write_text("The long ladder is lent to the neighbours at number seven.")
    wait_for_state(stack, "ladder.txt", "indexed")
    question = '{"question": "Who has the long ladder?"}'
    arguments = ["--insecure", "--no-buffer", "--silent", "--show-error", version, "--data", question]
    reader = subprocess.Popen(
        ["curl", *arguments, "--header", "Content-Type: application/json", f"{site.url}/api/ask"],
        stdout=subprocess.PIPE,
    )
    assert reader.stdout
    try:
        assert reader.stdout.readline() == b"event: sources\r\n", "the first event is passed on at once"
        assert site.model.asked.wait(PATIENCE_S)
        time.sleep(1)
        assert not site.model.left.is_set()
    finally:
        reader.kill()
        reader.wait()
    assert site.model.left.wait(PATIENCE_S), "the model works on although nobody reads the answer"


def test_a_request_is_passed_on_once_all_of_it_is_there(root: Path, tmp_path: Path) -> None:
    """Caddy 2.6.2 closed the body of a request when the answer began, and sometimes the connection with it."""
    with socket.create_server(("127.0.0.1", 0)) as application:
        application.settimeout(PATIENCE_S)
        listening = f"127.0.0.1:{application.getsockname()[1]}"
        with (
            caddy_before(listening, root, tmp_path) as (url, _),
            connect(int(url.rpartition(":")[2])) as client,
        ):
            client.sendall(b"POST /api/ask HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 2\r\n\r\na")
            assert not select.select([application], [], [], 1)[0], "passed on before its end"
            client.sendall(b"b")
            connection, _ = application.accept()
            with connection:
                received = b""
                while not received.endswith(b"\r\n\r\nab"):
                    block = connection.recv(65536)
                    assert block, received
                    received += block


def most_memory(process: int) -> int:
    """The most memory that a process has had, in bytes (proc(5), VmHWM)."""
    status = Path(f"/proc/{process}/status").read_text()
    return 1024 * int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0])


def add(site: Site, version: str, file: Path, name: str) -> tuple[int, Any]:
    """Add a document with curl; return status and answer."""
    head = ["--insecure", "--silent", "--show-error", version, "--header", "Content-Type: application/octet-stream"]
    # Without --upload-file, curl reads the whole file first, and without Expect it does not wait for a first answer.
    body = ["--request", "POST", "--upload-file", str(file), "--header", "Expect:"]
    url = f"{site.url}/api/uploads?name={name}"
    done = subprocess.run(
        ["curl", *head, *body, "--write-out", "\n%{http_code}", url], check=True, capture_output=True, text=True
    )
    answer, _, status = done.stdout.rpartition("\n")
    return int(status), json.loads(answer)


@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_a_large_document_is_passed_on_as_it_arrives(site: Site, stack: Stack, tmp_path: Path, version: str) -> None:
    large, saved = tmp_path / "large", stack.share / "large.txt"
    with large.open("wb") as file:
        for _ in range(LARGE // 2**20):
            file.write(os.urandom(2**20))
    assert add(site, version, large, "film.mkv")[1]["code"] == "unread_format"  # refused, and not broken off
    before = [most_memory(process) for process in site.processes]
    assert add(site, version, large, "large.txt")[0] == 201
    grown = [most_memory(process) - most for process, most in zip(site.processes, before, strict=True)]
    assert filecmp.cmp(large, saved, shallow=False)
    saved.unlink()
    assert max(grown) < LARGE / 4, f"caddy and the application need {grown} bytes more"
