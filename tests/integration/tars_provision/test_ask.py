# SPDX-License-Identifier: GPL-3.0-or-later
"""Questions over real TLS: the site's authority is trusted, its name expected, and nothing else."""

import hashlib
import json
import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tars_provision.assistant import client
from tars_provision.controller import trust

from .desktop import NAME, endpoint, serving

pytestmark = pytest.mark.integration


def event(name: str, **data: object) -> str:
    return f"event: {name}\r\ndata: {json.dumps(data)}\r\n\r\n"


silences: list[str] = []
"""Questions that were answered with a stream without events."""


async def answer(request: Request) -> Response:
    body = await request.json()
    question = body["question"]
    if question == "too long":
        return JSONResponse({"detail": "question: at most 2000 characters"}, 422)

    async def stream() -> AsyncIterator[str]:
        if question in ("silent", "broken") or (question in ("silent once", "broken once") and not silences):
            silences.append(question)
            if question.startswith("broken"):
                raise ConnectionAbortedError("the server cuts the connection, and its log has this")
            return
        later = {"state": "changed", "at": "2024-05-04T10:00:00Z"} if body.get("as_of") == "2023" else None
        source = {"id": 1, "source": "LLM_docs", "path": "boiler.txt", "superseded": later}
        named = {"kind": "period", "text": "2023", "first": "2023-01-01", "last": "2023-12-31"}
        yield event("sources", sources=[source], as_of=None, understood=named if "2023" in question else None)
        yield ": still here\r\n\r\n"
        yield event("token", text=f"{request.headers['host']} was asked: ")
        if question == "cut":
            return
        if question == "fail":
            yield event("error", message="The model server is away.", next_step="Run verify.")
            return
        yield event("token", text=question)
        yield event("done", answer=question, citations=[{"source": 1, "quote": "ü", "page": None}])

    return StreamingResponse(stream(), media_type="text/event-stream")


async def history(request: Request) -> Response:
    if (name := request.query_params["document"]) == "lease & co.txt":
        return JSONResponse({"path": name})
    body = {"code": "no_document", "message": f"document {name!r}: found none", "next_step": "Name its path."}
    return JSONResponse(body, 404)


@pytest.fixture(scope="module")
def port(folder: Path) -> Iterator[int]:
    """A server that answers as the application does."""
    routes = [
        Route("/api/ask", answer, methods=["POST"]),
        Route("/api/history", history),
        Route("/ready", lambda _: JSONResponse({"ready": False}, 503)),
    ]
    with serving(folder, routes) as port:
        yield port


def test_an_answer_comes_in_events(folder: Path, port: int) -> None:
    shown: list[str] = []
    answer = client.show(client.ask(endpoint(folder, port), "What?"), shown.append)
    assert shown[:2] == [f"{NAME} was asked: ", "What?"]
    assert shown[-1] == '\n\n[1] LLM_docs/boiler.txt: "ü"\n'
    assert answer["answer"] == "What?"


def test_a_citation_of_the_past_states_what_became_of_it(folder: Path, port: int) -> None:
    shown: list[str] = []
    client.show(client.ask(endpoint(folder, port), "What?", as_of="2023"), shown.append)
    assert shown[-1] == '\n\n[1] LLM_docs/boiler.txt, changed on 2024-05-04: "ü"\n'


def test_the_time_that_was_read_from_the_question_is_shown(folder: Path, port: int) -> None:
    shown: list[str] = []
    answer = client.show(client.ask(endpoint(folder, port), "What in 2023?", interpret=True), shown.append)
    line = '"2023" is understood as: documents of 2023-01-01 to 2023-12-31 first; --literal takes it as words'
    assert shown[-1].splitlines()[2] == line and answer["understood"]["kind"] == "period"
    assert answer["as_of"] is None


@pytest.mark.parametrize(
    ("first", "meaning"),
    [("2024-01-01", "of all times from 2024-01-01 to 2026-01-01"), (None, "of all times until 2026-01-01")],
)
def test_the_time_of_a_question_for_changes_may_be_all_of_it(first: str | None, meaning: str) -> None:
    line = client.understood({"kind": "between", "text": "changed", "first": first, "last": "2026-01-01"})
    assert line == f'"changed" is understood as: the documents {meaning}; --literal takes it as words'


def test_a_query_returns_an_object_or_the_refusal_for_people_and_programs(folder: Path, port: int) -> None:
    to = endpoint(folder, port)
    assert client.query(to, "/api/history", document="lease & co.txt", until=None) == {"path": "lease & co.txt"}
    with pytest.raises(client.RefusedError, match=r"document 'x': found none\. Name its path\.") as caught:
        client.query(to, "/api/history", document="x")
    assert caught.value.as_data() == {"error": str(caught.value), "code": "no_document"}


def test_get_returns_the_content_of_any_status(folder: Path, port: int) -> None:
    assert client.get(endpoint(folder, port), "/ready") == {"ready": False}


@pytest.mark.parametrize(
    ("question", "message"),
    [
        ("too long", r"found HTTP 422: question: at most 2000 characters"),
        ("fail", r"The model server is away\. Run verify\."),
        ("cut", r"found a stream that ended after token; expected a whole answer\. Ask again"),
    ],
)
def test_a_response_without_an_answer_is_reported(folder: Path, port: int, question: str, message: str) -> None:
    with pytest.raises(client.AskError, match=message):
        client.show(client.ask(endpoint(folder, port), question), lambda _: None)


@pytest.mark.parametrize("fault", ["silent", "broken"])
def test_a_stream_without_an_event_is_requested_once_more(folder: Path, port: int, fault: str) -> None:
    silences.clear()
    answer = client.show(client.ask(endpoint(folder, port), f"{fault} once"), lambda _: None)
    assert answer["answer"] == f"{fault} once" and len(silences) == 1
    silences.clear()
    with pytest.raises(client.AskError, match=r"found a stream that ended after no event"):
        list(client.ask(endpoint(folder, port), fault))
    assert len(silences) == 2


def test_another_authority_or_name_is_refused(folder: Path, port: int) -> None:
    for stranger in (endpoint(folder, port, authority="stranger.pem"), endpoint(folder, port, name="other.home.arpa")):
        with pytest.raises(client.AskError, match="CERTIFICATE_VERIFY_FAILED"):
            list(client.ask(stranger, "What?"))


def test_a_silent_address_is_reported(folder: Path) -> None:
    with pytest.raises(client.AskError, match=r"127\.0\.0\.1:9: found ConnectError.*; expected an answer"):
        list(client.ask(endpoint(folder, 9), "What?"))


def test_the_fingerprint_is_that_of_the_certificate(folder: Path, port: int) -> None:
    der = ssl.PEM_cert_to_DER_cert((folder / "server.pem").read_text())
    assert trust.fingerprint("127.0.0.1", port) == hashlib.sha256(der).hexdigest()
