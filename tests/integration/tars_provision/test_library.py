# SPDX-License-Identifier: GPL-3.0-or-later
"""`library` over real TLS, against a server that answers as the application does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tars_app.library.schemas import Counts, File, Files, Folder, Library, Progress, Retried, Share
from tars_provision.cli_library import library

from .conftest import Serve

pytestmark = pytest.mark.integration

COUNTS = Counts(read=412, waiting=2588, failed=3)
NOTHING = dict.fromkeys(File.model_fields)
FAILED = File.model_validate(
    {**NOTHING, "source": "LLM_docs", "path": r"B\xfccher.pdf", "state": "failed", "reason": "The PDF is encrypted.",
     "next_step": "Save it without its password.", "earlier": True}
)  # fmt: skip
READ = FAILED.model_copy(update={"path": "lease.txt", "state": "read", "reason": None, "next_step": None})


class Server:
    """The library, and what was ordered."""

    def __init__(self) -> None:
        self.orders: list[dict[str, Any]] = []
        self.asked: list[dict[str, str]] = []

    def routes(self) -> list[Route]:
        return [
            Route("/api/library", self.overview),
            Route("/api/library/files", self.files),
            Route("/api/library/file", self.file),
            Route("/api/library/export", self.export),
            Route("/api/library/retry", self.retry, methods=["POST"]),
        ]

    async def overview(self, request: Request) -> Response:
        folder = request.query_params.get("folder", "")
        counts = COUNTS if folder in ("", "LLM_docs") else Counts()
        return _json(
            Library(
                folder=folder,
                counts=counts,
                folders=[] if folder else [Folder(path="LLM_docs", name="LLM_docs", counts=COUNTS)],
                shares=[Share(name="LLM_docs", available=False, detail="not mounted", scanned=None)],
                progress=Progress(
                    read=412, total=3003, files_per_minute=200, minutes_left=12,
                    text="412 of 3,003 read, about 12 minutes left",
                ),
            )
        )  # fmt: skip

    async def files(self, request: Request) -> Response:
        self.asked.append(dict(request.query_params))
        return _json(Files(total=3, files=[FAILED]))

    async def file(self, request: Request) -> Response:
        if request.query_params["path"] == "lease.txt":
            return _json(READ)
        return _json(FAILED)

    async def export(self, request: Request) -> Response:
        self.asked.append(dict(request.query_params))
        if request.query_params["format"] == "json":
            return _json(Files(total=1, files=[FAILED]))
        return Response("file,state\r\nLLM_docs/a.txt,read\r\n", media_type="text/csv")

    async def retry(self, request: Request) -> Response:
        order = await request.json()
        self.orders.append(order)
        if order.get("path") in ("LLM_docs", "no such"):
            return JSONResponse({"code": "no_file", "message": "file: found none"}, 404)
        if order.get("path") == "lease.txt":
            return JSONResponse({"code": "nothing_to_retry", "message": "lease.txt was read"}, 409)
        return _json(Retried(retried=1, checked=0, text="1 file is read next."))


def _json(model: Any) -> Response:
    return JSONResponse(model.model_dump(mode="json"))


@pytest.fixture
def server(serve_site: Serve) -> Server:
    """A site whose desktop is a server on loopback."""
    made = Server()
    serve_site(made.routes())
    return made


def run(*arguments: str) -> Result:
    return CliRunner().invoke(library, list(arguments), standalone_mode=False)


@pytest.mark.usefixtures("server")
def test_the_counts_of_all_shares_and_the_next_step() -> None:
    done = run()
    assert done.return_value == 0
    lines = done.output.splitlines()
    assert lines[:4] == [
        "412 of 3,003 read, about 12 minutes left",
        "! LLM_docs: not mounted",
        "LLM_docs: 412 read, 2,588 waiting, 3 failed",
        "all shares: 412 read, 2,588 waiting, 3 failed",
    ]
    assert "library list --state failed -i" in lines[4]
    data = json.loads(run("--json").stdout)
    assert data["counts"]["read"] == 412 and data["progress"]["minutes_left"] == 12


def test_failed_files_of_a_folder_are_listed_with_reason_and_next_step(server: Server) -> None:
    done = run("LLM_docs", "--state", "failed", "--limit", "1")
    assert done.return_value == 0
    assert done.output.splitlines()[2:] == [
        r"LLM_docs/B\xfccher.pdf: failed",
        "  The PDF is encrypted. Answers use its earlier version. Save it without its password.",
        "1 of 3 files; --limit lists more, and --export FILE writes all of them.",
    ]
    assert server.asked == [{"folder": "LLM_docs", "state": "failed", "limit": "1"}]
    assert json.loads(run("--text", "x", "--json").stdout)["files"][0]["path"] == r"B\xfccher.pdf"


@pytest.mark.usefixtures("server")
def test_was_this_file_read() -> None:
    assert run("file", "lease.txt").return_value == 0
    done = run("file", "other.pdf")
    assert done.return_value == 1 and "The PDF is encrypted." in done.output


def test_tables_are_written(server: Server, tmp_path: Path) -> None:
    done = run("--state", "failed", "--export", str(tmp_path / "files.csv"))
    assert done.return_value == 0 and "bytes written" in done.output
    assert (tmp_path / "files.csv").read_bytes() == b"file,state\r\nLLM_docs/a.txt,read\r\n"
    assert server.asked == [{"state": "failed", "format": "csv"}]
    assert run("--export", str(tmp_path / "files.json")).return_value == 0
    assert json.loads((tmp_path / "files.json").read_text())["total"] == 1


def test_files_folders_and_everything_are_read_again(server: Server) -> None:
    done = run("retry", "scan.pdf", "LLM_docs", "lease.txt", "no such")
    assert done.return_value == 1
    assert done.output.splitlines() == [
        "scan.pdf: 1 file is read next.",
        "LLM_docs: 1 file is read next.",
        "Not read again: lease.txt: lease.txt was read.",
        "Not read again: no such: file: found none.",
    ]
    assert {"folder": "LLM_docs"} in server.orders
    assert json.loads(run("retry", "--failed", "--json").stdout)["done"][""]["retried"] == 1
    assert server.orders[-1] == {"failed": True}
