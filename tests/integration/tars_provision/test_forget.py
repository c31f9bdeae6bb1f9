# SPDX-License-Identifier: GPL-3.0-or-later
"""`forget` over real TLS, against a server that answers as the application does."""

from __future__ import annotations

import json
from typing import Any, Literal
from uuid import UUID

import click
import pytest
from click.testing import CliRunner, Result
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tars_provision.assistant import client
from tars_provision.cli_documents import forget
from tars_provision.commands import forget as command

from .conftest import Serve

pytestmark = pytest.mark.integration

NAMES = {"diary.txt": UUID(int=1), "lease.txt": UUID(int=2)}
BACKUP = {"made": "2026-11-29T23:00:00Z", "until": "2027-01-01T00:00:00Z"}


class Household:
    """The documents, what was forgotten, and how often the list was asked before the worker has erased it."""

    def __init__(self) -> None:
        self.documents = dict(NAMES)
        self.forgotten: list[str] = []
        self.lists = 0
        self.worker: Literal["erases", "waits", "unknown"] = "erases"

    def routes(self) -> list[Route]:
        return [
            Route("/api/forget", self.preview),
            Route("/api/forget", self.forget, methods=["POST"]),
            Route("/api/forgotten", self.listed),
            Route("/api/forgotten/{id}", self.take_back, methods=["DELETE"]),
        ]

    def describe(self, name: str) -> dict[str, Any]:
        return {
            "document_id": str(self.documents[name]), "source": "LLM_docs", "path": name, "versions": 2, "passages": 1,
            "shared_with": [{"source": "LLM_docs", "path": "copy.txt"}], "backups": {"made": [BACKUP]},
            "remains": ["The file stays on the share."],
        }  # fmt: skip

    async def preview(self, request: Request) -> Response:
        if (name := request.query_params["document"]) not in self.documents:
            return JSONResponse({"code": "no_document", "message": f"document {name!r}: found none"}, 404)
        return JSONResponse(self.describe(name))

    async def forget(self, request: Request) -> Response:
        order = await request.json()
        [name] = [name for name, value in self.documents.items() if str(value) == order["document"]]
        assert order["confirm"] == order["document"]
        described = self.describe(name)
        self.forgotten.append(str(self.documents.pop(name)))
        return JSONResponse({**described, "forgotten_id": self.forgotten[-1], "erased": False})

    async def listed(self, _: Request) -> Response:
        self.lists += 1
        at = "2026-11-30T08:00:00Z"
        if self.worker == "unknown":
            return JSONResponse({"code": "unavailable", "message": "The database does not answer."}, 503)
        erased = at if self.worker == "erases" and self.lists > 1 else None
        entries = [{"id": i, "forgotten_at": at, "versions": 1, "erased_at": erased} for i in self.forgotten]
        return JSONResponse({"forgotten": entries})

    async def take_back(self, request: Request) -> Response:
        if request.path_params["id"] not in self.forgotten:
            return JSONResponse({"code": "not_forgotten", "message": "found none"}, 404)
        self.forgotten.remove(request.path_params["id"])
        return Response(status_code=204)


@pytest.fixture
def household(serve_site: Serve) -> Household:
    """A site whose desktop is a server on loopback."""
    made = Household()
    serve_site(made.routes())
    return made


def run(*arguments: str, answer: str | None = None) -> Result:
    return CliRunner().invoke(forget, list(arguments), input=answer, standalone_mode=False)


def test_a_dry_run_shows_what_would_be_removed_and_what_stays(household: Household) -> None:
    done = run("--dry-run", "diary.txt")
    assert done.return_value == 3 and household.forgotten == []
    assert done.output.splitlines() == [
        "LLM_docs/diary.txt",
        "  to remove: 2 versions with 1 passage, their vectors, and every path that it had",
        "  same passages in: LLM_docs/copy.txt",
        "  in the backup of 2026-11-29 23:00, kept until about 2027-01-01",
        "  The file stays on the share.",
    ]


def test_one_document_that_cannot_be_forgotten_does_not_stop_the_others(household: Household) -> None:
    done = run("--yes", "--json", "diary.txt", "no such.txt", "lease.txt")
    assert done.return_value == 1 and household.documents == {}
    result = json.loads(done.stdout)
    assert [(document["path"], document["erased"]) for document in result["documents"]] == [
        ("diary.txt", True),
        ("lease.txt", True),
    ]
    assert result["failed"] == {"no such.txt": "document 'no such.txt': found none."}


@pytest.mark.parametrize("worker", ["waits", "unknown"])
def test_what_is_not_known_to_be_erased_is_not_done(
    household: Household, monkeypatch: pytest.MonkeyPatch, worker: Literal["waits", "unknown"]
) -> None:
    monkeypatch.setattr(command, "ERASED_WITHIN_S", 0)
    household.worker = worker
    done = run("--yes", "diary.txt")
    assert done.return_value == 3 and list(household.documents) == ["lease.txt"]
    assert "What the files of the database hold is not known to be erased yet; " in done.output
    assert "forget --list -i" in done.output
    done = run("--yes", "--json", "lease.txt")
    assert done.return_value == 3 and household.documents == {}
    assert [document["erased"] for document in json.loads(done.stdout)["documents"]] == [False]


def test_a_document_is_kept_without_a_yes(household: Household) -> None:
    done = run("diary.txt", "lease.txt", answer="n\ny\n")
    assert done.return_value == 0 and list(household.documents) == ["diary.txt"]
    assert "Kept: diary.txt" in done.output and "Forgotten: LLM_docs/lease.txt" in done.output
    assert "The files of the database hold nothing of it any more." in done.output
    nobody = run("diary.txt")
    assert isinstance(nobody.exception, Exception) and "found no terminal to ask on" in str(nobody.exception)
    assert list(household.documents) == ["diary.txt"]


def test_what_was_forgotten_is_listed_and_taken_back(household: Household) -> None:
    assert run("--list").output == "No document was forgotten.\n"
    run("--yes", "diary.txt")
    [entry] = json.loads(run("--list", "--json").stdout)["forgotten"]
    assert f"{entry['id']}  2026-11-30 08:00  1 version, erased" in run("--list").output
    assert run("--undo", entry["id"], "--json").stdout == f'{{"taken_back": "{entry["id"]}"}}\n'
    assert household.forgotten == []
    refused = run("--undo", entry["id"])
    assert isinstance(refused.exception, client.RefusedError) and "found none" in str(refused.exception)


@pytest.mark.parametrize("arguments", [[], ["--list", "diary.txt"], ["--list", "--undo", str(UUID(int=1))]])
def test_one_thing_at_a_time(household: Household, arguments: list[str]) -> None:
    assert isinstance(run(*arguments).exception, click.UsageError)
