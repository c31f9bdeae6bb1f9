# SPDX-License-Identifier: GPL-3.0-or-later
"""What a model server does when it fails: the real one rarely does, so a scripted one stands in, on a real socket."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import ollama
import pytest

from tars_app.answers import generate as module
from tars_app.answers.generate import Usage, generate
from tars_app.kit.errors import UnavailableError
from tars_app.settings import Settings

Reply = tuple[int, list[dict[str, Any]]]
CUT = {"cut": True}


class ScriptedServer(ThreadingHTTPServer):
    """Answers the n-th request with the n-th reply; `CUT` ends the connection in the middle."""

    def __init__(self, replies: list[Reply]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.replies = replies
        self.requests: list[dict[str, Any]] = []


class Handler(BaseHTTPRequestHandler):
    server: ScriptedServer

    def do_POST(self) -> None:
        self.server.requests.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        status, lines = self.server.replies[len(self.server.requests) - 1]
        self.send_response(status)
        self.send_header("Content-Length", "100000" if CUT in lines else str(len(body(lines))))
        self.end_headers()
        self.wfile.write(body(lines))

    def log_message(self, *_: Any) -> None:
        pass


def body(lines: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines if line is not CUT)


def token(text: str) -> dict[str, Any]:
    return {"model": "m", "message": {"role": "assistant", "content": text}, "done": False}


END = token("") | {"done": True, "prompt_eval_count": 7, "eval_count": 2}


@pytest.fixture
def server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedServer]:
    monkeypatch.setattr(module, "RETRY_AFTER_S", 0)
    with ScriptedServer(request.param) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


async def answer(server: ScriptedServer, into: list[str | Usage]) -> None:
    client = ollama.AsyncClient(f"http://127.0.0.1:{server.server_port}", trust_env=False)
    settings = Settings(chat_model="m", embedding_model="e", context_tokens=2048, answer_tokens=160)
    async for part in generate(client, settings, [ollama.Message(role="user", content="Why?")]):
        into.append(part)


@pytest.mark.parametrize("server", [[(200, [token("A"), token("B"), END])]], indirect=True)
async def test_pieces_then_usage_and_the_window_is_always_sent(server: ScriptedServer) -> None:
    parts: list[str | Usage] = []
    await answer(server, parts)
    assert parts == ["A", "B", Usage(7, 2)]
    assert server.requests[0]["options"] == {
        "num_ctx": 2048,
        "num_predict": 160,
        "temperature": 0,
        "seed": 0,
        "repeat_penalty": 1.0,
    }


@pytest.mark.parametrize(
    "server",
    [
        [(200, [token("A"), {"error": "out of memory"}])],
        [(200, [token("A"), CUT])],
        [(200, [token("A")])],
    ],
    ids=["error line", "connection cut", "no end"],
    indirect=True,
)
async def test_a_failure_after_the_first_piece_is_never_tried_again(server: ScriptedServer) -> None:
    parts: list[str | Usage] = []
    with pytest.raises(UnavailableError, match="broke off"):
        await answer(server, parts)
    assert parts == ["A"] and len(server.requests) == 1


@pytest.mark.parametrize("server", [[(503, [{"error": "busy"}]), (200, [token("A"), END])]], indirect=True)
async def test_a_busy_server_is_asked_once_more(server: ScriptedServer) -> None:
    parts: list[str | Usage] = []
    await answer(server, parts)
    assert parts == ["A", Usage(7, 2)] and len(server.requests) == 2


@pytest.mark.parametrize("server", [[(404, [{"error": "model 'm' not found"}])]], indirect=True)
async def test_a_model_that_is_missing_is_named(server: ScriptedServer) -> None:
    with pytest.raises(UnavailableError, match="m is not installed") as caught:
        await answer(server, [])
    assert "ollama pull m" in caught.value.next_step and len(server.requests) == 1
