# SPDX-License-Identifier: GPL-3.0-or-later
"""The recovery sheet: an independent reader decodes its QR code from the picture of the printed page."""

from __future__ import annotations

import base64
import dataclasses
import json
from pathlib import Path

import pypdfium2
import pytest
import zxingcpp

from tars_provision.recovery import check_words, sheet_page
from tars_provision.recovery.sheet import Sheet, SheetError, load, parse

KEY_FILE = json.dumps(
    {
        "created": "2026-11-29T21:00:00.123456789Z",
        "username": "root",
        "hostname": "xps8950",
        "kdf": "scrypt",
        "N": 32768,
        "r": 8,
        "p": 5,
        "salt": base64.b64encode(bytes(range(64))).decode(),
        "data": base64.b64encode(bytes(range(170))).decode(),
    }
)
SHEET = Sheet(
    made_on="2026-11-30",
    nas="10.77.0.20",
    share="/volume1/tars_backup",
    desktop="10.77.0.10/24",
    repository="ab" * 32,
    key="aB3_xyzQ-09kLmNoPqRsTuVwXyZ12345",
    vault="Zq8-1lI0Ooabcdefghijklmnopqrstuvwxyz0123<&>",
    config=base64.b64encode(bytes(range(155))).decode(),
    key_file=KEY_FILE,
    restic="cd" * 32,
)


def test_the_text_is_read_back(tmp_path: Path) -> None:
    assert parse(SHEET.text()) == SHEET
    file = tmp_path / "sheet"
    file.write_text(f"{SHEET.text()}\n")
    assert load(file) == SHEET
    file.write_bytes(sheet_page.as_html(SHEET))
    assert load(file) == SHEET
    sent = json.loads(SHEET.for_repository())
    assert sent["password"] == SHEET.key and base64.b64decode(sent["key"]).decode() == KEY_FILE


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "another text"),
        ("[1]", "another text"),
        ("{}", "another text"),
        (SHEET.text().replace("10.77.0.20", "10.77.0.21"), "a text with a mistake"),
        (SHEET.text().replace('"tars_recovery_sheet":1', '"tars_recovery_sheet":2'), "version 2"),
        (SHEET.text()[:-40], "another text"),
    ],
)
def test_another_text_is_refused(text: str, part: str) -> None:
    with pytest.raises(SheetError, match=f"found {part}"):
        parse(text)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SheetError, match="No such file"):
        load(tmp_path / "absent")
    (tmp_path / "picture").write_bytes(b"\x89PNG\xff")
    with pytest.raises(SheetError, match="bytes that are not text"):
        load(tmp_path / "picture")


def test_the_pdf_has_two_pages_whose_qr_code_and_groups_can_be_read() -> None:
    document = pypdfium2.PdfDocument(sheet_page.as_pdf(SHEET))
    assert len(document) == 2
    assert all(size == pytest.approx((595, 842), abs=1) for size in (one.get_size() for one in document))
    (code,) = zxingcpp.read_barcodes(document[1].render(scale=150 / 72).to_pil())
    assert parse(code.text) == SHEET
    text = document[0].get_textpage().get_text_bounded()
    assert "Secret." in text and SHEET.nas in text and SHEET.share in text
    for name, secret in (("key", SHEET.key), ("vault password", SHEET.vault)):
        words = " ".join(" ".join(pair) for pair in check_words.groups(name, secret))
        assert words in " ".join(text.replace("\xa0", " ").split()), name


def test_a_stained_qr_code_is_read() -> None:
    picture = pypdfium2.PdfDocument(sheet_page.as_pdf(SHEET))[1].render(scale=150 / 72).to_pil()
    width, height = picture.size
    stain = picture.crop((0, 0, width // 12, height // 25))
    picture.paste((90, 60, 30), (width // 2, height // 3, width // 2 + stain.width, height // 3 + stain.height))
    (code,) = zxingcpp.read_barcodes(picture)
    assert parse(code.text) == SHEET


def test_a_long_key_file_fits() -> None:
    """restic's key files have about 450 bytes; the host name in them may be long."""
    large = dataclasses.replace(SHEET, key_file=KEY_FILE.replace("xps8950", "x" * 64))
    assert int(str(sheet_page.code(large).version)) <= 30
