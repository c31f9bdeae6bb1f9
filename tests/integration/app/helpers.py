# SPDX-License-Identifier: GPL-3.0-or-later
"""Questions that the tests put to the application and, past it, to its stores."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import chromadb
import httpx
from PIL import Image
from reportlab.lib.pagesizes import A4
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from ...waiting import PATIENCE_S
from .conftest import Server, Stack, wait_for

RECOGNITION_S = 900
"""Longest wait for pages that are recognised: the system lets everything else precede that, also other tests."""
SCANNED = None
"""In place of the text of a page: a picture, as a scanner makes it."""


def write_pdf(path: Path, pages: Sequence[str | None], password: str | None = None) -> None:
    """A PDF with one page per text, lines as they stand."""
    path.parent.mkdir(parents=True, exist_ok=True)
    canvas = Canvas(str(path), pagesize=A4, encrypt=password)
    for text in pages:
        if text is SCANNED:
            canvas.drawImage(ImageReader(Image.new("L", (40, 56), 200)), 0, 0, *A4)
            canvas.showPage()
            continue
        lines = canvas.beginText(60, 780)
        for line in text.splitlines():
            lines.textLine(line)
        canvas.drawText(lines)
        canvas.showPage()
    canvas.save()


def document(stack: Stack, path: str) -> dict[str, Any] | None:
    entries = [entry for entry in stack.get("/api/documents")["documents"] if entry["path"] == path]
    assert len(entries) < 2
    return entries[0] if entries else None


def wait_for_state(stack: Stack, path: str, state: str, seconds: float = PATIENCE_S) -> dict[str, Any]:
    def entry_in_state() -> dict[str, Any]:
        entry = document(stack, path)
        assert entry and entry["state"] == state, f"it is {entry}"
        return entry

    result: dict[str, Any] = wait_for(entry_in_state, f"{path} to be {state}", seconds)
    return result


def wait_until_gone(stack: Stack, path: str) -> None:
    wait_for(lambda: document(stack, path) is None, f"{path} to be gone")


def found_paths(stack: Stack, query: str) -> list[str]:
    return [result["path"] for result in stack.get("/api/search", q=query)["results"]]


def found_text(stack: Stack, query: str) -> str:
    """The texts that are found, without ids and times, which have any digits."""
    return "\n".join(result["text"] for result in stack.get("/api/search", q=query)["results"])


def readiness(stack: Stack) -> tuple[int, dict[str, bool]]:
    answer = httpx.get(f"{stack.url}/ready", timeout=30, trust_env=False)
    return answer.status_code, {name: check["ok"] for name, check in answer.json()["checks"].items()}


def searchable_passages(stack: Stack) -> set[str]:
    return {row[0] for row in stack.sql("SELECT encode(hash, 'hex') FROM passages WHERE searchable")}


@functools.cache
def client_of(url: str) -> chromadb.api.ClientAPI:
    """Chroma's own client, one for all tests: each new one keeps its connections open."""
    host, port = url.removeprefix("http://").split(":")
    return chromadb.HttpClient(host=host, port=int(port))


def ids_in_chroma(stack: Stack) -> set[str]:
    """Every id in every collection; AssertionError while Chroma is down, or where it drops one that was listed."""
    try:
        client = client_of(stack.chroma_url)
        return {i for collection in client.list_collections() for i in collection.get(include=[])["ids"]}
    except Exception as error:  # as which the client raises some failures of the server
        raise AssertionError(f"Chroma: {error!r}") from error


def log_entries(server: Server) -> list[dict[str, Any]]:
    """The lines of a server's log that are whole; it may be writing the next one."""
    return [json.loads(line) for line in server.log.read_text().splitlines(keepends=True) if line.endswith("\n")]


def assert_stores_agree(stack: Stack) -> None:
    """Chroma holds the passages of the living documents, and each version's text is on record."""
    wait_for(
        lambda: ids_in_chroma(stack) == searchable_passages(stack),
        "Chroma to hold exactly the passages of the living documents",
    )
    for wrong in INVARIANTS:
        assert stack.sql(wrong) == [], wrong


INVARIANTS = [
    # The versions of a document follow each other, and the last one is current unless the document is deleted.
    "SELECT id FROM versions WHERE seen_to <= seen_from",
    """SELECT a.id FROM versions a JOIN versions b ON b.document_id = a.document_id AND b.id <> a.id
       WHERE b.seen_from >= a.seen_from AND b.seen_from < coalesce(a.seen_to, 'infinity')""",
    """SELECT d.id FROM documents d JOIN versions v ON v.document_id = d.id GROUP BY d.id
       HAVING CASE WHEN d.deleted_at IS NULL THEN count(*) - count(v.seen_to) <> 1
                   ELSE bool_or(v.seen_to IS NULL) OR max(v.seen_to) <> d.deleted_at END""",
    # A passage is searchable if and only if a living document is answered from a version that contains it.
    """SELECT p.hash FROM passages p WHERE searchable <> EXISTS (
           SELECT FROM documents d JOIN version_texts t ON t.version_id = d.answered_from
           WHERE d.deleted_at IS NULL AND p.hash = ANY(t.hashes))""",
    """SELECT document_id, hash FROM document_passages
       EXCEPT SELECT d.id, unnest(hashes) FROM documents d JOIN version_texts t ON t.version_id = d.answered_from""",
    """SELECT d.id, unnest(hashes) FROM documents d JOIN version_texts t ON t.version_id = d.answered_from
       EXCEPT SELECT document_id, hash FROM document_passages""",
    # The text of every version that was ever indexed is kept, with its passages.
    "SELECT id FROM versions WHERE (state = 'indexed') <> EXISTS (SELECT FROM version_texts WHERE version_id = id)",
    "SELECT unnest(hashes) FROM version_texts EXCEPT SELECT hash FROM passages",
    """SELECT hash FROM passages WHERE hash <> sha256(
           CASE header WHEN '' THEN ''::bytea ELSE convert_to(header, 'UTF8') || '\\x00'::bytea END
           || convert_to(text, 'UTF8'))""",
    "SELECT p.hash FROM passages p WHERE NOT EXISTS (SELECT FROM vectors v WHERE v.hash = p.hash)",
    # A document's latest path is the last one of its history.
    """SELECT id FROM documents d WHERE path <> (
           SELECT path FROM document_paths h WHERE h.document_id = d.id ORDER BY seen_from DESC LIMIT 1)""",
]
"""Queries that return the records that are wrong."""


def ask(stack: Stack, question: str, **more: Any) -> list[tuple[str, dict[str, Any]]]:
    """The events of an answer, read as a browser reads them."""
    events: list[tuple[str, dict[str, Any]]] = []
    body = {"question": question, **more}
    with httpx.stream("POST", f"{stack.url}/api/ask", json=body, timeout=120, trust_env=False) as answer:
        answer.raise_for_status()
        assert answer.headers["content-type"].startswith("text/event-stream")
        name = ""
        for line in answer.iter_lines():
            if line.startswith("event:"):
                name = line.removeprefix("event:").strip()
            elif line.startswith("data:"):
                events.append((name, json.loads(line.removeprefix("data:"))))
    return events
