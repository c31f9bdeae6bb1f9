# SPDX-License-Identifier: GPL-3.0-or-later
"""Hostile files on a share: each has one state with a reason, the worker goes on, and other files are read."""

from __future__ import annotations

import zipfile
from io import BytesIO
from pathlib import Path

import pytest

from ..conftest import Stack, wait_for
from ..helpers import document, wait_for_state, wait_until_gone, write_pdf

pytestmark = pytest.mark.integration

FOLDER = "hostile"
MOST_MIB = 600
"""Memory of the worker, whatever the file."""
ENTITIES = b"""<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a0 "the rent">%s]>
<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body><w:p><w:r><w:t>&a30;</w:t>
</w:r></w:p></w:body></w:document>""" % b"".join(b'<!ENTITY a%d "&a%d;&a%d;">' % (n + 1, n, n) for n in range(30))


def word(main: bytes) -> bytes:
    """Return a Word document with this main part."""
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", b"<Types/>")
        archive.writestr("word/document.xml", main)
    return out.getvalue()


def many_pages(count: int) -> bytes:
    """Return a PDF without a table of its objects, and with one page very often."""
    page = b"3 0 obj\n<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] >>\nendobj\n"
    pages = b"2 0 obj\n<< /Type /Pages /Kids [%s] /Count %d >>\nendobj\n" % (b"3 0 R " * count, count)
    return b"%%PDF-1.7\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n%s%strailer\n<< /Root 1 0 R >>" % (
        pages,
        page,
    )


def hostile_files(folder: Path) -> dict[str, bytes]:
    write_pdf(folder / "whole.pdf", ["The rent"] * 30, password="secret")
    whole = (folder / "whole.pdf").read_bytes()
    (folder / "whole.pdf").unlink()
    nested = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(3000))
    return {
        "archive bomb.docx": word(bytes(200_000_000)),
        "entity bomb.docx": word(ENTITIES),
        "deep.docx": word(b"<w>" * 300_000),
        "no archive.xlsx": b"PK\x03\x04" + bytes(range(256)) * 40,
        "deep.eml": b"From: a@example.org\nSubject: x\n" + nested,
        "deep.html": b"<div>" * 150_000,
        "deep.rtf": b"{\\rtf1 " + b"{" * 300_000,
        "many pages.pdf": many_pages(10_000),
        "cut.pdf": whole[: len(whole) // 2],
        "locked.pdf": whole,
        "binary.txt": bytes(range(256)) * 1000,
    }


def test_each_has_a_state_and_nothing_else_suffers(stack: Stack, tmp_path: Path) -> None:
    folder, worker = stack.share / FOLDER, stack.worker.process
    assert worker
    # The peak is that of this test, whatever the worker has read before (proc(5), clear_refs).
    Path(f"/proc/{worker.pid}/clear_refs").write_text("5")
    folder.mkdir()
    files = hostile_files(tmp_path)
    for name, content in files.items():
        assert len(content) < int(stack.settings["TARS_MAX_FILE_BYTES"]), name
        (folder / name).write_bytes(content)
    (folder / "rent.txt").write_text("The rent of the barn is 80 euros.\n")
    wait_for_state(stack, f"{FOLDER}/rent.txt", "indexed")

    def states() -> dict[str, tuple[str, str]]:
        entries = {name: document(stack, f"{FOLDER}/{name}") for name in files}
        assert all(entry and entry["state"] != "pending" for entry in entries.values()), entries
        return {name: (entry["state"], entry["error"] or "") for name, entry in entries.items() if entry}

    for name, (state, error) in wait_for(states, "every file to have a state", 900).items():
        # An HTML file without text, and a mail without parts, are as unreadable as one that is damaged.
        assert state == "failed" and error.endswith(".") and "failed 5 times" not in error, f"{name}: {state} {error}"
    assert worker is stack.worker.process and worker.poll() is None
    [peak] = [line for line in Path(f"/proc/{worker.pid}/status").read_text().splitlines() if line.startswith("VmHWM")]
    assert int(peak.split()[1]) < MOST_MIB * 1024, peak
    for name in (*files, "rent.txt"):
        (folder / name).unlink()
    for name in (*files, "rent.txt"):
        wait_until_gone(stack, f"{FOLDER}/{name}")
