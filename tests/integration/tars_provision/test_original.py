# SPDX-License-Identifier: GPL-3.0-or-later
"""`original` over real TLS, against a server that answers as the application does."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import UUID

import pytest
from click.testing import CliRunner, Result
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tars_app.originals.schemas import Original
from tars_provision.assistant import client
from tars_provision.cli_documents import original
from tars_provision.errors import ProvisionError

from .conftest import Serve

pytestmark = pytest.mark.integration

CONTENT = b"%PDF \x00\xff"
REPLACED = {
    "code": "original_gone",
    "message": "LLM_docs/house/lease.pdf: the file was replaced by another content on 2026-09-02",
    "next_step": "Its text is on record.",
}


def show(request: Request) -> Response:
    past = request.query_params.get("as_of")
    described = Original(
        version_id=UUID(int=2 if past else 1),
        document_id=UUID(int=9),
        source="LLM_docs",
        path="house/lease.pdf",
        snapshot=None,
        name="../lease.pdf" if request.query_params["document"] == "wicked" else "lease.pdf",
        media_type="application/pdf",
        size=len(CONTENT),
    )
    return JSONResponse(described.model_dump(mode="json"))


def download(request: Request) -> Response:
    if request.path_params["version"] == str(UUID(int=2)):
        return JSONResponse(REPLACED, 410)
    return Response(CONTENT, media_type="application/pdf")


@pytest.fixture(autouse=True)
def server(serve_site: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A site whose desktop is a server on loopback; the current folder is empty."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    serve_site([Route("/api/originals", show), Route("/api/originals/{version}/file", download)])


def run(*arguments: str) -> Result:
    return CliRunner().invoke(original, list(arguments), standalone_mode=False)


def test_a_file_is_written_under_its_own_name_and_never_over_another() -> None:
    done = run("lease.pdf")
    assert done.return_value == 0 and Path("lease.pdf").read_bytes() == CONTENT
    assert done.output == "lease.pdf: 7 bytes written, from LLM_docs/house/lease.pdf\n"
    again = run("lease.pdf")
    assert isinstance(again.exception, ProvisionError) and "--output FILE" in str(again.exception)
    assert run("lease.pdf", "--output", "lease.pdf").return_value == 0


def test_a_name_never_leads_out_of_the_folder() -> None:
    assert run("wicked").return_value == 0
    assert [path.name for path in Path().iterdir()] == [".._lease.pdf"]


def test_the_result_as_json(tmp_path: Path) -> None:
    done = run("lease.pdf", "--json", "-o", str(tmp_path / "a.pdf"))
    data = json.loads(done.stdout)
    assert data["bytes"] == 7 and data["original"]["version_id"] == str(UUID(int=1))
    assert Path(data["path"]).read_bytes() == CONTENT


def test_a_version_that_is_gone_has_its_reason_and_writes_nothing() -> None:
    done = run("lease.pdf", "--as-of", "2026-03")
    assert isinstance(done.exception, client.RefusedError)
    assert str(done.exception) == f"{REPLACED['message']}. {REPLACED['next_step']}"
    assert done.exception.as_data()["code"] == "original_gone"
    assert not list(Path().iterdir())
