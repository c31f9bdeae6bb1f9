# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether files were read, by the API: counts by folder, lists, one file, tables, and reading again."""

from __future__ import annotations

import csv
import io
import os
import re
from typing import Any

import httpx
import pytest

from ..conftest import Stack, wait_for
from ..helpers import ask, assert_stores_agree, wait_for_state

pytestmark = pytest.mark.integration

FOLDER = "LLM_docs/library"


def put(stack: Stack, path: str, content: str) -> None:
    file = stack.share / "library" / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content)


def files(stack: Stack, **selection: Any) -> dict[str, dict[str, Any]]:
    answer = stack.get("/api/library/files", **{"folder": FOLDER, **selection})
    assert answer["total"] == len(answer["files"])
    return {entry["path"].removeprefix("library/"): entry for entry in answer["files"]}


def file(stack: Stack, path: str) -> httpx.Response:
    return httpx.get(f"{stack.url}/api/library/file", params={"path": path}, timeout=30, trust_env=False)


def retry(stack: Stack, **order: Any) -> httpx.Response:
    return httpx.post(f"{stack.url}/api/library/retry", json=order, timeout=30, trust_env=False)


@pytest.fixture(scope="module")
def filled(stack: Stack) -> Stack:
    """A folder with files of several states."""
    put(stack, "house/roof tiles.txt", "The roof tiles were laid in May 2019 by the firm Kramer.")
    put(stack, "house/gutter.txt", "The gutter is cleaned every November.")
    put(stack, "scan.pdf", "no PDF at all")
    put(stack, "empty.txt", "")
    put(stack, "film.mkv", "x")
    put(stack, "@eaDir/scan.pdf", "x")
    put(stack, "=sum.txt", "The sum of all invoices is in the ledger.")
    for path, state in (("house/roof tiles.txt", "indexed"), ("scan.pdf", "failed"), ("=sum.txt", "indexed")):
        wait_for_state(stack, f"library/{path}", state)
    wait_for_state(stack, "library/empty.txt", "failed")
    wait_for_state(stack, "library/house/gutter.txt", "indexed")
    wait_for(lambda: {"film.mkv", "@eaDir"} <= files(stack).keys(), "what is ignored to be on record")
    return stack


def test_every_file_has_a_state_and_a_reason(filled: Stack) -> None:
    listed = files(filled)
    assert {path: entry["state"] for path, entry in listed.items()} == {
        "house/roof tiles.txt": "read",
        "house/gutter.txt": "read",
        "=sum.txt": "read",
        "scan.pdf": "failed",
        "empty.txt": "failed",
        "film.mkv": "ignored",
        "@eaDir": "ignored",
    }
    for path, entry in listed.items():
        assert (entry["reason"] is None) == (entry["state"] == "read"), path
        assert entry["reason"] is None or entry["reason"].endswith("."), path
    assert listed["film.mkv"]["reason"] == "Files of this format (.mkv) are not read."
    assert listed["empty.txt"]["reason"] == "The file is empty (0 bytes)." and listed["empty.txt"]["next_step"]
    assert (listed["@eaDir"]["because"], listed["@eaDir"]["next_step"]) == ("system", None)


def test_files_are_selected_by_state_text_and_page(filled: Stack) -> None:
    assert set(files(filled, state=["failed", "ignored"])) == {"scan.pdf", "empty.txt", "film.mkv", "@eaDir"}
    assert set(files(filled, text="ROOF")) == {"house/roof tiles.txt"}
    assert set(files(filled, folder=f"{FOLDER}/house")) == {"house/roof tiles.txt", "house/gutter.txt"}
    assert files(filled, folder="LLM_docs/librar") == {}
    pages = [filled.get("/api/library/files", folder=FOLDER, limit=3, offset=offset) for offset in (0, 3, 6)]
    assert [page["total"] for page in pages] == [7, 7, 7]
    paths = [entry["path"] for page in pages for entry in page["files"]]
    assert len(set(paths)) == 7 and paths == sorted(paths)


def test_folders_are_counted(filled: Stack) -> None:
    overview = filled.get("/api/library", folder=FOLDER)
    assert overview["counts"] == {"found": 0, "waiting": 0, "reading": 0, "read": 3, "failed": 2, "ignored": 2}
    [house] = overview["folders"]
    assert (house["path"], house["counts"]["read"]) == (f"{FOLDER}/house", 2)
    everything = filled.get("/api/library")
    shares = {share["name"]: share for share in everything["shares"]}
    assert shares["LLM_docs"]["available"] and shares["LLM_docs"]["scanned"]
    [share] = [folder for folder in everything["folders"] if folder["path"] == "LLM_docs"]
    assert share["counts"]["read"] >= 3
    counts, progress = everything["counts"], everything["progress"]
    assert progress["read"] == counts["read"] and progress["total"] == sum(counts.values()) - counts["ignored"]
    assert f"{counts['read']:,} of {progress['total']:,} read" in progress["text"]


@pytest.mark.parametrize(
    ("name", "state", "because"),
    [
        (f"{FOLDER}/house/roof tiles.txt", "read", None),
        ("library/house/roof tiles.txt", "read", None),
        ("roof tiles.txt", "read", None),
        ("ROOF TILES.TXT", "read", None),
        ("film.mkv", "ignored", "format"),
        (f"{FOLDER}/@eaDir/scan.pdf", "ignored", "system"),
    ],
)
def test_was_this_file_read(filled: Stack, name: str, state: str, because: str | None) -> None:
    entry = file(filled, name).json()
    assert (entry["state"], entry["because"]) == (state, because)
    assert "@eaDir" not in name or entry["note"] == "It lies in LLM_docs/library/@eaDir, which is not read."


def test_a_file_that_is_not_there_and_one_of_several(filled: Stack) -> None:
    missing = file(filled, "no such letter.txt")
    assert missing.status_code == 404 and missing.json()["code"] == "no_file"
    put(filled, "copy/roof tiles.txt", "The roof tiles again.")
    wait_for_state(filled, "library/copy/roof tiles.txt", "indexed")
    several = file(filled, "roof tiles.txt")
    assert several.status_code == 409 and len(several.json()["candidates"]) == 2
    (filled.share / "library/copy/roof tiles.txt").unlink()
    wait_for(lambda: file(filled, "roof tiles.txt").status_code == 200, "the copy to be gone")


def test_tables_hold_every_file_and_no_formula(filled: Stack) -> None:
    url = f"{filled.url}/api/library/export"
    table = httpx.get(url, params={"folder": FOLDER}, timeout=30, trust_env=False)
    assert table.headers["content-disposition"] == 'attachment; filename="library.csv"'
    rows = {row["file"]: row for row in csv.DictReader(io.StringIO(table.text))}
    assert len(rows) == 7 and rows[f"{FOLDER}/film.mkv"]["reason"] == "Files of this format (.mkv) are not read."
    assert not any(str(cell).startswith(("=", "+", "-", "@")) for row in rows.values() for cell in row.values())
    content = filled.get("/api/library/export", format="json", folder=FOLDER, state="failed")
    assert [entry["path"] for entry in content["files"]] == ["library/empty.txt", "library/scan.pdf"]


def test_a_file_is_read_again(filled: Stack) -> None:
    """As after an update that can read it: here, the record is wrong."""
    readable = "library/house/gutter.txt"
    filled.sql(
        """UPDATE versions SET state = 'failed', error = 'An older program could not read it.'
           WHERE document_id = (SELECT id FROM documents WHERE path = %s) AND seen_to IS NULL RETURNING 1""",
        readable,
    )
    filled.sql(
        """DELETE FROM version_texts WHERE version_id IN (SELECT v.id FROM versions v
           JOIN documents d ON d.id = v.document_id WHERE d.path = %s) RETURNING 1""",
        readable,
    )
    answer = retry(filled, path="gutter.txt")
    assert answer.json() == {"retried": 1, "checked": 0, "text": "1 file is read next."}
    wait_for_state(filled, readable, "indexed")
    assert_stores_agree(filled)


def test_what_cannot_be_read_again_is_refused(filled: Stack) -> None:
    for path, reason in (("gutter.txt", "was read"), ("film.mkv", "not read"), ("@eaDir/scan.pdf", "its own use")):
        answer = retry(filled, path=f"{FOLDER}/{path}" if path != "gutter.txt" else path)
        assert answer.status_code == 409 and reason in answer.json()["message"], path
    assert retry(filled, path="no such.txt").status_code == 404
    assert retry(filled).status_code == 422 and retry(filled, path="a", failed=True).status_code == 422


def test_the_failed_files_of_a_folder_are_read_again(filled: Stack) -> None:
    answer = retry(filled, folder=FOLDER).json()
    assert (answer["retried"], answer["checked"]) == (1, 1)
    assert answer["text"] == "1 file is read next, and 1 file is checked by the next scan."
    wait_for_state(filled, "library/scan.pdf", "failed")
    wait_for_state(filled, "library/empty.txt", "failed")
    assert retry(filled, folder=f"{FOLDER}/house").json()["text"] == "No file there has failed."


def test_an_unread_file_whose_name_fits_a_question_is_named(filled: Stack) -> None:
    put(filled, "chimney inspection 2023.pdf", "not a PDF either")
    wait_for_state(filled, "library/chimney inspection 2023.pdf", "failed")
    name, done = ask(filled, "What did the chimney inspection of 2023 find?")[-1]
    assert name == "done" and done["unread"]["path"] == "library/chimney inspection 2023.pdf"
    assert done["unread"]["state"] == "failed" and done["unread"]["reason"]
    _, done = ask(filled, "Who laid the roof tiles?")[-1]
    assert done["unread"] is None
    _, done = ask(filled, "What did the chimney inspection find?")[-1]
    assert done["unread"] is not None
    (filled.share / "library/chimney inspection 2023.pdf").unlink()


def test_an_answer_without_evidence_counts_what_was_not_read(filled: Stack) -> None:
    filled.sql(
        """UPDATE versions SET index_note = 'Page 2 is damaged and was not read.'
           WHERE document_id = (SELECT id FROM documents WHERE path = 'library/=sum.txt') AND seen_to IS NULL
           RETURNING 1"""
    )
    _, done = ask(filled, "What is the melting point of tungsten?")[-1]
    assert done["support"] == "no_evidence"
    assert re.search(
        r"\b\d+ documents could not be read\. \d+ documents? (has|have) parts that were not read\.", done["answer"]
    )


@pytest.mark.parametrize(("content", "reason"), [("", "The file is empty (0 bytes)."), ("\x00\x01\x02" * 400, None)])
def test_a_citation_of_a_file_that_is_empty_or_unreadable_now_has_the_reason(
    filled: Stack, content: str, reason: str | None
) -> None:
    """The recipe of case 21."""
    put(filled, "cellar key.txt", "The key of the cellar hangs behind the clock.")
    wait_for_state(filled, "library/cellar key.txt", "indexed")
    put(filled, "cellar key.txt", content)
    wait_for_state(filled, "library/cellar key.txt", "failed")
    entry = files(filled)["cellar key.txt"]
    assert entry["earlier"] and (reason is None or entry["reason"] == reason)
    events = ask(filled, "Where does the key of the cellar hang?")
    sources = {source["id"]: source for name, data in events if name == "sources" for source in data["sources"]}
    cited = [sources[citation["source"]] for citation in events[-1][1]["citations"]]
    of_file = [source for source in cited if source["path"] == "library/cellar key.txt"]
    assert of_file, "the passage on record is still cited"
    for source in of_file:
        assert source["superseded"]["state"] == "failed" and source["superseded"]["error"] == entry["reason"]


def test_a_file_whose_permissions_were_taken_is_noticed(filled: Stack) -> None:
    """Its size and time stay. The worker of this test may read every file, so only the change itself is seen."""
    path = filled.share / "library/house/gutter.txt"
    before = filled.sql("SELECT ctime_ns FROM volatile.file_checks c JOIN documents d ON d.id = c.document_id "
                        "WHERE d.path = 'library/house/gutter.txt'")  # fmt: skip
    path.chmod(0)
    ctime_ns = os.lstat(path).st_ctime_ns
    assert before != [(ctime_ns,)]
    wait_for(
        lambda: filled.sql("SELECT 1 FROM volatile.file_checks WHERE ctime_ns = %s", ctime_ns) == [(1,)],
        "the file to be read again",
    )  # fmt: skip
    path.chmod(0o644)
