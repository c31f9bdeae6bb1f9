# SPDX-License-Identifier: GPL-3.0-or-later
"""No request makes the application fail; none of its dependencies is up here."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from tars_app.main import create_app
from tars_app.settings import Settings

NOWHERE = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def client() -> TestClient:
    settings = Settings(chat_model="a", embedding_model="b", ollama_url=NOWHERE, chroma_url=NOWHERE)
    return TestClient(create_app(settings), raise_server_exceptions=False)


@pytest.mark.parametrize(
    "path", ["/%00", "/%ED%A0%80", f"/{'x' * 3000}", "/a/../../etc/passwd", "/trust/tars-household.%00"]
)
def test_a_path_without_a_page_is_not_found(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        rb'{"question": "\ud800"}',
        rb'{"question": 1e999}',
        rb'{"question": "a", "limit": NaN}',
        b'{"question": "a", "limit": 1' + b"0" * 5000 + b"}",
        b"[" * 30_000,
        b"\xff\xfe{",
        b"",
    ],
)
def test_a_body_that_is_not_a_question_is_refused_with_the_reason(client: TestClient, body: bytes) -> None:
    answer = client.post("/api/ask", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422) and answer.json()["detail"]
    assert "input" not in answer.json()["detail"][0], "what a person asked is not repeated"


@pytest.mark.parametrize("question", ["%00", "%ED%A0%80", "%F0%9F%94%A5"])
def test_a_query_of_strange_characters_reaches_the_search(client: TestClient, question: str) -> None:
    answer = client.get(f"/api/search?q={question}")
    assert answer.status_code == 503 and answer.json()["next_step"]


def test_a_question_of_nul_ends_in_an_event(client: TestClient) -> None:
    answer = client.post("/api/ask", json={"question": "\x00"})
    assert answer.status_code == 200 and answer.text.startswith("event: error")
