# SPDX-License-Identifier: GPL-3.0-or-later
"""The recovery sheet's HTML file, printed by a browser: two pages, whose QR code an independent reader decodes."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pypdfium2
import pytest
import zxingcpp
from playwright.sync_api import Browser

from tars_provision.recovery import check_words, sheet_page
from tars_provision.recovery.sheet import Sheet, parse

pytestmark = pytest.mark.integration

SHEET = Sheet(
    made_on="2026-11-30",
    nas="10.77.0.20",
    share="/volume1/tars_backup",
    desktop="10.77.0.10/24",
    repository="ab" * 32,
    key="aB3_xyzQ-09kLmNoPqRsTuVwXyZ12345",
    vault="Zq8-1lI0Ooabcdefghijklmnopqrstuvwxyz0123<&>",
    config=base64.b64encode(bytes(range(155))).decode(),
    key_file=f'{{"data": "{"x" * 420}"}}',
    restic="cd" * 32,
)


def test_the_html_prints_on_two_pages_with_its_qr_code(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "sheet.html"
    file.write_bytes(sheet_page.as_html(SHEET))
    assert not re.search(r'(src|href)="', file.read_text()), "the file must not need others"
    shown = browser.new_page(java_script_enabled=False)
    shown.goto(file.as_uri())
    printed = shown.pdf(format="A4", prefer_css_page_size=True)
    shown.close()
    document = pypdfium2.PdfDocument(printed)
    assert len(document) == 2
    (code,) = zxingcpp.read_barcodes(document[1].render(scale=150 / 72).to_pil())
    assert parse(code.text) == SHEET
    text = " ".join(document[0].get_textpage().get_text_bounded().split())
    for name, secret in (("key", SHEET.key), ("vault password", SHEET.vault)):
        assert " ".join(" ".join(pair) for pair in check_words.groups(name, secret)) in text, name
