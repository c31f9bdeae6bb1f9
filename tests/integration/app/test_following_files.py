# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens to files on the share happens to the answers, and to both stores."""

from __future__ import annotations

import os
import random
import shutil
from typing import Any

import pytest

from .conftest import Stack, wait_for
from .helpers import (
    assert_stores_agree,
    document,
    found_paths,
    found_text,
    log_entries,
    wait_for_state,
    wait_until_gone,
    write_pdf,
)

pytestmark = pytest.mark.integration


def test_a_new_text_is_found(stack: Stack) -> None:
    (stack.share / "garden.md").write_text("# Garden\n\nThe apple tree is pruned in February, on a dry day.\n")
    entry = wait_for_state(stack, "garden.md", "indexed")
    assert entry["chunks"] == 1 and entry["pages"] == 1
    [result] = stack.get("/api/search", q="When is the apple tree pruned?")["results"]
    assert result["path"] == "garden.md" and result["page"] is None and result["source"] == "LLM_docs"
    assert 0.5 < result["score"] <= 1
    assert_stores_agree(stack)


def test_a_changed_file_is_answered_as_it_is_now(stack: Stack) -> None:
    file = stack.share / "alarm.txt"
    file.write_text("The alarm code of the workshop is 4711.")
    first = wait_for_state(stack, "alarm.txt", "indexed")
    file.write_text("The alarm code of the workshop is 9932 since the summer.")
    wait_for(lambda: "9932" in found_text(stack, "alarm code workshop"), "the new content")
    results = stack.get("/api/search", q="alarm code workshop 4711")["results"]
    assert results and not any("4711" in result["text"] for result in results)
    assert existing(stack, "alarm.txt")["document_id"] == first["document_id"]
    versions = stack.sql(
        "SELECT seen_to IS NULL FROM versions WHERE document_id = %s ORDER BY seen_from", first["document_id"]
    )
    assert versions == [(False,), (True,)]
    assert_stores_agree(stack)


def test_the_text_of_every_version_is_kept(stack: Stack) -> None:
    file = stack.share / "rent.txt"
    for rent in (800, 850, 900):
        file.write_text(f"The rent is {rent} euros.\n")
        wait_for(lambda r=rent: str(r) in found_text(stack, "rent euros"), f"{rent}")  # type: ignore[misc]  # mypy cannot infer the default
    (stack.share / "rent.txt").rename(stack.share / "lease.txt")
    document_id = wait_for_state(stack, "lease.txt", "indexed")["document_id"]
    (stack.share / "lease.txt").unlink()
    wait_until_gone(stack, "lease.txt")
    texts = stack.sql(
        """SELECT p.text FROM versions v JOIN version_texts t ON t.version_id = v.id
           JOIN passages p ON p.hash = t.hashes[1] WHERE v.document_id = %s ORDER BY v.seen_from""",
        document_id,
    )
    assert texts == [(f"The rent is {rent} euros.",) for rent in (800, 850, 900)]
    paths = stack.sql("SELECT path FROM document_paths WHERE document_id = %s ORDER BY seen_from", document_id)
    assert paths == [("rent.txt",), ("lease.txt",)]
    assert_stores_agree(stack)


def test_only_the_changed_passages_of_a_document_are_embedded(stack: Stack) -> None:
    chapters = [f"Chapter {number}. " + f"The heating of flat {number} is quiet. " * 20 for number in range(10)]
    file = stack.share / "manual.txt"
    file.write_text("\n\n".join(chapters))
    first = wait_for_state(stack, "manual.txt", "indexed")
    assert first["chunks"] >= 10
    chapters[4] = "Chapter 4. The heating of flat 4 was replaced."
    file.write_text("\n\n".join(chapters))
    wait_for(lambda: "replaced" in found_text(stack, "heating of flat 4"), "the change")
    [(version,)] = stack.sql("SELECT answered_from FROM documents WHERE path = 'manual.txt'")

    def logged() -> list[dict[str, Any]]:
        """The entry of this version, which the worker writes after the version can be found."""
        entries = (entry for entry in log_entries(stack.worker) if entry["message"] == "Indexed")
        return [entry for entry in entries if entry["version"] == str(version)]

    [indexed] = wait_for(logged, "the entry in the log")
    assert 1 <= indexed["embedded"] <= 2 < indexed["passages"]
    assert_stores_agree(stack)


def test_a_passage_of_two_documents_is_found_once_with_both_places(stack: Stack) -> None:
    for name, age in (("warranty.txt", 100), ("copies/warranty (1).txt", 50)):
        (stack.share / name).parent.mkdir(exist_ok=True)
        (stack.share / name).write_text("The warranty of the dishwasher ends in March 2031.\n")
        os.utime(stack.share / name, (1_700_000_000 - age, 1_700_000_000 - age))
        wait_for_state(stack, name, "indexed")
    [result] = stack.get("/api/search", q="warranty dishwasher")["results"]
    assert result["path"] == "copies/warranty (1).txt"
    assert [place["path"] for place in result["also_in"]] == ["warranty.txt"]
    assert stack.get(f"/api/passages/{result['chunk_id']}")["after"] == "\n"
    (stack.share / "copies" / "warranty (1).txt").unlink()
    wait_until_gone(stack, "copies/warranty (1).txt")
    [result] = stack.get("/api/search", q="warranty dishwasher")["results"]
    assert result["path"] == "warranty.txt" and result["also_in"] == []
    assert_stores_agree(stack)


def test_a_change_that_keeps_size_and_time_of_day_is_seen_by_its_time(stack: Stack) -> None:
    file = stack.share / "same-size.txt"
    file.write_text("The spare key hangs beside the boiler.")
    wait_for_state(stack, "same-size.txt", "indexed")
    file.write_text("The spare key hangs beside the cellar.")
    wait_for(lambda: "cellar" in found_text(stack, "spare key hangs"), "the new content")
    assert_stores_agree(stack)


def test_a_touched_file_is_not_read_again(stack: Stack) -> None:
    file = stack.share / "touched.txt"
    file.write_text("The ladder stands in the shed.")
    entry = wait_for_state(stack, "touched.txt", "indexed")
    os.utime(file, (1_600_000_000, 1_600_000_000))
    wait_for(lambda: existing(stack, "touched.txt")["modified"].startswith("2020-09-13"), "the new time")
    assert stack.sql("SELECT count(*) FROM versions WHERE document_id = %s", entry["document_id"]) == [(1,)]


def test_a_renamed_file_keeps_its_identity(stack: Stack) -> None:
    (stack.share / "old name.txt").write_text("The chimney sweep comes every October.")
    before = wait_for_state(stack, "old name.txt", "indexed")
    (stack.share / "house").mkdir(exist_ok=True)
    (stack.share / "old name.txt").rename(stack.share / "house" / "chimney.txt")
    after = wait_for_state(stack, "house/chimney.txt", "indexed")
    assert after["document_id"] == before["document_id"]
    assert document(stack, "old name.txt") is None
    assert found_paths(stack, "When does the chimney sweep come?")[0] == "house/chimney.txt"
    assert stack.sql("SELECT count(*) FROM versions WHERE document_id = %s", before["document_id"]) == [(1,)]
    assert_stores_agree(stack)


def test_a_deleted_file_is_no_longer_answered_from(stack: Stack) -> None:
    file = stack.share / "wine.txt"
    file.write_text("The Riesling lies on the third shelf of the wine rack.")
    entry = wait_for_state(stack, "wine.txt", "indexed")
    assert found_paths(stack, "Riesling wine rack")[0] == "wine.txt"
    [result] = [r for r in stack.get("/api/search", q="Riesling wine rack")["results"] if r["path"] == "wine.txt"]
    file.unlink()
    wait_until_gone(stack, "wine.txt")
    assert "wine.txt" not in found_paths(stack, "Riesling wine rack")
    assert_stores_agree(stack)
    tombstone = stack.sql("SELECT deleted_at IS NOT NULL FROM documents WHERE id = %s", entry["document_id"])
    assert tombstone == [(True,)]
    opened = stack.get(f"/api/passages/{result['chunk_id']}")
    assert opened["text"] == result["text"] and opened["superseded"]["state"] == "deleted"


def test_a_file_that_comes_back_is_the_same_document(stack: Stack) -> None:
    file = stack.share / "returning.txt"
    file.write_text("The telescope is lent to Uncle Albert.")
    before = wait_for_state(stack, "returning.txt", "indexed")
    file.unlink()
    wait_until_gone(stack, "returning.txt")
    file.write_text("The telescope is back from Uncle Albert.")
    after = wait_for_state(stack, "returning.txt", "indexed")
    assert after["document_id"] == before["document_id"]
    assert_stores_agree(stack)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("garbage.pdf", b"%PDF-1.7\n" + random.Random(1).randbytes(4000), "no readable PDF"),
        ("not-a.pdf", b"hello", "no readable PDF"),
        ("empty.txt", b"", "0 bytes"),
        ("huge.txt", b"x" * 1_000_001, "1,000,001 bytes"),
        ("binary.txt", b"\x00\x01\x02\x03" * 300, "binary data"),
    ],
)
def test_a_bad_file_fails_with_one_sentence_and_disturbs_nothing(
    stack: Stack, name: str, content: bytes, reason: str
) -> None:
    (stack.share / name).write_bytes(content)
    entry = wait_for_state(stack, name, "failed")
    assert reason in entry["error"] and entry["error"].endswith(".")
    assert_stores_agree(stack)
    [(queued,)] = stack.sql("SELECT count(*) FROM versions WHERE document_id = %s", entry["document_id"])
    (stack.share / "after.txt").write_text(f"Written after {name}.")
    wait_for_state(stack, "after.txt", "indexed")
    assert stack.sql("SELECT count(*) FROM versions WHERE document_id = %s", entry["document_id"]) == [(queued,)]


def test_an_encrypted_pdf_fails_with_that_reason(stack: Stack) -> None:
    write_pdf(stack.share / "locked.pdf", ["Nobody reads this."], password="secret")
    assert "encrypted" in wait_for_state(stack, "locked.pdf", "failed")["error"]


def test_a_file_that_broke_is_answered_from_as_it_was(stack: Stack) -> None:
    write_pdf(stack.share / "insurance.pdf", ["The household insurance number is HV 2041."])
    wait_for_state(stack, "insurance.pdf", "indexed")
    (stack.share / "insurance.pdf").write_bytes(b"%PDF-1.4 torn")
    wait_for_state(stack, "insurance.pdf", "failed")
    assert "insurance.pdf" in found_paths(stack, "household insurance number")
    (stack.share / "insurance.pdf").unlink()
    wait_until_gone(stack, "insurance.pdf")
    assert "insurance.pdf" not in found_paths(stack, "household insurance number")
    assert_stores_agree(stack)


def test_nothing_is_deleted_while_a_share_is_unavailable(stack: Stack) -> None:
    share = stack.documents / "Letters"
    share.mkdir()
    (share / "letter.txt").write_text("Aunt Berta visits in the second week of May.")
    wait_for_state(stack, "letter.txt", "indexed")
    away = stack.documents.parent / "away"
    share.rename(away)
    wait_for(lambda: not source(stack, "Letters")["available"], "the source to be away")
    assert "No such file" in source(stack, "Letters")["detail"]
    assert existing(stack, "letter.txt")["state"] == "indexed"
    assert found_paths(stack, "When does Aunt Berta visit?")[0] == "letter.txt"
    away.rename(share)
    wait_for(lambda: source(stack, "Letters")["available"], "the source to be back")
    assert existing(stack, "letter.txt")["state"] == "indexed"
    assert_stores_agree(stack)
    shutil.rmtree(share)
    share.mkdir()  # there, and really empty: now it is deleted
    wait_until_gone(stack, "letter.txt")


def existing(stack: Stack, path: str) -> dict[str, Any]:
    """Return the entry of a document that must exist."""
    entry = document(stack, path)
    assert entry is not None, path
    return entry


def source(stack: Stack, name: str) -> dict[str, Any]:
    [share] = [entry for entry in stack.get("/api/documents")["sources"] if entry["name"] == name]
    return dict(share)
