# SPDX-License-Identifier: GPL-3.0-or-later
"""Damaged and hostile files of every format: one sentence gives the reason, within seconds."""

from __future__ import annotations

import time
from io import BytesIO
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import pytest

from tars_app.documents.parsers import registry
from tars_app.documents.parsers.archive import MOST_PART_BYTES
from tars_app.documents.parsers.confinement import Limits
from tars_app.documents.parsers.model import UnreadableError
from tars_app.documents.parsers.office import workbook
from tars_app.documents.parsers.process import parse as parse_confined

from . import test_spreadsheets
from .office_files import HEAD, archive, docx, paragraph, relations
from .samples import FILES

ARCHIVES = ("a.docx", "a.odt", "a.pptx", "a.odp", "a.xlsx", "a.ods", "a.epub")
BOMB = (
    '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaaaaaaaa">'
    + "".join(f'<!ENTITY {name} "{f"&{before};" * 16}">' for before, name in zip("abcdefgh", "bcdefghi", strict=True))
    + "]>"
)


def main_part(name: str) -> str:
    return {
        "a.docx": "word/document.xml",
        "a.pptx": "ppt/slides/slide1.xml",
        "a.xlsx": "xl/worksheets/sheet1.xml",
        "a.epub": "OEBPS/b.xhtml",
    }.get(name, "content.xml")


def with_part(name: str, part: str, content: bytes | None) -> bytes:
    """Return a fixture with another content of a part, or without the part."""
    with ZipFile(BytesIO(FILES[name])) as source:
        parts = {entry: source.read(entry) for entry in source.namelist() if entry != part}
    return archive(parts if content is None else {**parts, part: content})


def refuse(name: str, content: bytes) -> str:
    """Return the reason why a file is not read: one sentence, within a few seconds."""
    started = time.process_time()
    with pytest.raises(UnreadableError) as caught:
        registry.parse(name, content)
    assert time.process_time() - started < 5
    reason = str(caught.value)
    assert reason.endswith(".") and "Error" not in reason
    return reason


@pytest.mark.parametrize("name", ARCHIVES)
def test_an_archive_that_expands_without_end(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbook, "MOST_BYTES", MOST_PART_BYTES)
    out = BytesIO()
    with ZipFile(out, "w", ZIP_DEFLATED) as target, ZipFile(BytesIO(FILES[name])) as source:
        for entry in source.namelist():
            if entry != main_part(name):
                target.writestr(entry, source.read(entry))
        with target.open(main_part(name), "w", force_zip64=True) as part:
            for _ in range(MOST_PART_BYTES // 2**20 + 1):
                part.write(b" " * 2**20)
    assert len(out.getvalue()) < 2**20
    assert "unpacks to more than" in refuse(name, out.getvalue())


@pytest.mark.parametrize("name", [name for name in ARCHIVES if name != "a.xlsx"])
def test_entities_that_expand_without_end(name: str) -> None:
    with ZipFile(BytesIO(FILES[name])) as source:
        text = source.read(main_part(name)).decode()
    text = text.partition("?>")[2].replace("<!DOCTYPE html>", "").replace(">", ">&i;", 1)
    try:
        parsed = registry.parse(name, with_part(name, main_part(name), (BOMB + text).encode()))
    except UnreadableError as error:
        assert str(error).endswith(".")
    else:
        assert sum(len(section.text) for section in parsed.sections) < 5000


@pytest.mark.parametrize("name", [name for name in ARCHIVES if name != "a.xlsx"])
def test_an_entity_that_names_a_file(name: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("0815-secret")
    with ZipFile(BytesIO(FILES[name])) as source:
        text = source.read(main_part(name)).decode()
    head = f'<!DOCTYPE x [<!ENTITY i SYSTEM "{secret.as_uri()}">]>'
    text = head + text.partition("?>")[2].replace("<!DOCTYPE html>", "")
    for tag in ("t>", "text:p>", "p>"):
        if f"<{tag}" in text or f":{tag}" in text:
            text = text.replace(tag, f"{tag}&i;", 1)
            break
    parsed = registry.parse(name, with_part(name, main_part(name), text.encode()))
    assert "0815-secret" not in "".join(section.text for section in parsed.sections)


@pytest.mark.parametrize("name", [name for name in ARCHIVES if name != "a.epub"])
def test_the_main_part_is_missing_or_is_not_xml(name: str) -> None:
    damaged = with_part(name, main_part(name), b"<a><b></a>")
    if name == "a.xlsx":  # the other sheets are read
        parsed = registry.parse(name, damaged)
        assert [section.text for section in parsed.sections] == ["", "The code is 4711."]
        assert parsed.notes and "damaged" in parsed.notes[0]
        return
    assert "is missing" in refuse(name, with_part(name, main_part(name), None))
    assert "damaged" in refuse(name, damaged)


@pytest.mark.parametrize("name", ["a.docx", "a.odt", "a.pptx"])
def test_elements_that_are_nested_too_deeply(name: str) -> None:
    text = b"<a>" * 100_000 + b"</a>" * 100_000
    assert "not valid XML" in refuse(name, with_part(name, main_part(name), text))


def test_groups_of_rtf_that_are_nested_too_deeply() -> None:
    assert "nested deeper" in refuse("a.rtf", b"{\\rtf1" + b"{" * 100_000)


def test_parts_of_a_mail_that_are_nested_too_deeply() -> None:
    part = "".join(f'Content-Type: multipart/mixed; boundary="b{n}"\n\n--b{n}\n' for n in range(3000))
    assert "nested too deeply" in refuse("a.eml", f"Subject: x\n{part}".encode())


def test_a_sheet_that_states_more_rows_than_it_has() -> None:
    namespace = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    rows = '<row r="1"><c r="A1"><v>1</v></c></row><row r="4000000000"><c r="XFD4000000000"><v>2</v></c></row>'
    sheet = f'<worksheet xmlns="{namespace}"><dimension ref="A1:XFD1048576"/><sheetData>{rows}</sheetData></worksheet>'
    parsed = registry.parse("a.xlsx", with_part("a.xlsx", main_part("a.xlsx"), sheet.encode()))
    assert parsed.sections[0].text == "1"


def test_a_cell_of_opendocument_that_is_repeated_without_end() -> None:
    cells = test_spreadsheets.cell("x", **{"table_number-columns-repeated": "16384"})
    rows = f'<table:table-row table:number-rows-repeated="1048576">{cells}</table:table-row>'
    assert "million cells" in refuse("a.ods", test_spreadsheets.ods(rows))


def test_more_parts_than_a_document_has() -> None:
    parts = {"word/document.xml": HEAD, **{f"x/{number}": "" for number in range(20_001)}}
    assert "parts; more than" in refuse("a.docx", archive(parts))


def test_a_relation_to_another_place_is_not_followed() -> None:
    content = with_part("a.docx", "_rels/.rels", relations(r1="officeDocument ../../../etc/passwd").encode())
    assert registry.parse("a.docx", content).sections[0].text.startswith("Rent contract")


@pytest.mark.parametrize("name", sorted(FILES))
@pytest.mark.parametrize(
    "wrong", [b"", b"\x00" * 100, b"%PDF-1.7 rubbish", b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"]
)
def test_a_file_of_another_format(name: str, wrong: bytes) -> None:
    try:
        parsed = registry.parse(name, wrong)
    except UnreadableError as error:
        assert str(error).endswith(".")
    else:
        assert name in ("a.csv", "a.html") and len(parsed.sections) == 1


@pytest.mark.parametrize("name", ["a.docx", "a.odt", "a.pptx", "a.ods", "a.xlsx", "a.epub"])
def test_an_encrypted_archive(name: str) -> None:
    content = bytearray(FILES[name])
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = content.find(signature)
        while at >= 0:
            content[at + offset] |= 1
            at = content.find(signature, at + 4)
    with pytest.raises(UnreadableError, match="encrypted"):
        registry.parse(name, bytes(content))


def test_the_samples_are_read_by_the_process() -> None:
    for name, content in FILES.items():
        assert [section for section in registry.parse(name, content).sections if section.text.strip()] == (
            parse_confined(name, content).sections
        ), name


def test_a_long_paragraph_takes_no_longer_than_its_length() -> None:
    started = time.process_time()
    registry.parse("a.docx", docx(paragraph("word " * 200_000)))
    assert time.process_time() - started < 5


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.docx", docx("<w:p/>" * 1_500_000)),
        ("a.html", b"<p>a" * 1_500_000),
        ("a.txt", b"\xfc a" * 5_000_000),
    ],
    ids=["docx", "html", "txt"],
)
def test_what_needs_more_memory_than_there_is_for_a_file(name: str, content: bytes) -> None:
    with pytest.raises(UnreadableError, match=r"^Reading the file needs more than 192 MiB of memory\.$"):
        parse_confined(name, content, Limits(memory_bytes=192 * 1024**2))
