# SPDX-License-Identifier: GPL-3.0-or-later
"""The original behind a citation: the page with its quotation marked, the sheet, the mail, and the download."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from .conftest import OpenPage
from .originals import FIELDS, MAIL_QUOTE, SHEET_QUOTE
from .script import Server
from .test_page import ask, check

pytestmark = pytest.mark.integration

GONE = {
    "message": "LLM_docs/house/heat pump.pdf: the file was deleted on 2026-09-02.",
    "next_step": "Its text is on record.",
}
OFF = {"message": "The share LLM_docs is not available.", "next_step": "Check that the NAS is on."}


def opened(page: Page, question: str) -> Page:
    ask(page, question)
    page.locator(".evidence").get_by_role("button").click()
    expect(page.locator("#passage .download")).not_to_be_empty()
    return page


def test_the_page_is_shown_with_its_quotation_marked(open_page: OpenPage) -> None:
    page = opened(open_page(), "Where is it on a page?")
    picture = page.locator("#passage").get_by_role("img", name="Page 1 of heat pump.pdf, with the quotation marked")
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.naturalWidth") == 1241
    marks = page.locator("#passage rect")
    expect(marks).to_have_count(2)  # the quotation is on two lines
    box, first, last = picture.bounding_box(), marks.first.bounding_box(), marks.last.bounding_box()
    assert box and first and last
    assert box["y"] < first["y"] < last["y"] < box["y"] + box["height"] / 4
    expect(marks.first).to_be_in_viewport()
    expect(page.locator("#passage .page-text mark")).to_contain_text("The filter must be replaced")


def test_the_page_can_be_enlarged(open_page: OpenPage) -> None:
    page = opened(open_page(360, 640), "Where is it on a page?")
    picture = page.locator("#passage img")
    before = picture.bounding_box()
    page.get_by_role("button", name="Larger").click()
    after = picture.bounding_box()
    assert before and after and after["width"] > 2 * before["width"]
    expect(page.locator("#passage rect").first).to_be_in_viewport()
    page.get_by_role("button", name="Smaller").click()
    expect(page.get_by_role("button", name="Larger")).to_be_visible()


def test_a_page_without_the_quotation_states_that(open_page: OpenPage, server: Server) -> None:
    server.script.originals.quotation = "These words are nowhere."
    page = opened(open_page(), "Where is it on a page?")
    expect(page.locator("#passage img")).to_have_attribute(
        "alt", "Page 1 of heat pump.pdf, with the quotation not marked"
    )
    expect(page.locator("#passage figcaption")).to_contain_text("The quotation was not found in the text of this page")
    expect(page.locator("#passage rect")).to_have_count(0)


@pytest.mark.parametrize(("status", "body"), [(410, GONE), (503, OFF)])
def test_an_original_that_is_not_there_leaves_the_text(
    open_page: OpenPage, server: Server, status: int, body: dict[str, str]
) -> None:
    server.script.originals.refusal = status, body
    page = opened(open_page(), "Where is it on a page?")
    sheet = page.locator("#passage")
    words = f"{body['message']} {body['next_step']}"
    expect(sheet.locator("figure")).to_have_text(f"The page is not shown. {words}")
    expect(sheet.locator(".download")).to_have_text(f"The original cannot be downloaded. {words}")
    expect(sheet.locator("mark").first).to_be_in_viewport()


def test_the_cell_of_a_sheet_is_marked(open_page: OpenPage) -> None:
    page = opened(open_page(), "Where is it in a sheet?")
    sheet = page.locator("#passage")
    expect(sheet.locator("mark")).to_have_text([SHEET_QUOTE])
    row = sheet.get_by_role("row").filter(has=page.get_by_role("rowheader", name="3", exact=True))
    expect(row.get_by_role("cell")).to_have_text(["Filter", SHEET_QUOTE, "EUR"])
    expect(sheet.get_by_role("columnheader")).to_have_text(["A", "B", "C"])
    expect(sheet.get_by_role("region", name="Rows 1 to 4 of sheet Costs")).to_be_visible()


def test_a_mail_is_shown_with_its_header(open_page: OpenPage) -> None:
    page = opened(open_page(), "Where is it in a mail?")
    sheet = page.locator("#passage")
    expect(sheet.locator(".mail dt")).to_have_text([field.name for field in FIELDS])
    expect(sheet.locator(".mail dd")).to_have_text([field.value for field in FIELDS])
    expect(sheet.locator("mark")).to_have_text(MAIL_QUOTE)
    expect(sheet.locator(".page-text")).to_have_text(f"Hello,\n\n{MAIL_QUOTE} Please open.")


def test_the_original_is_downloaded(open_page: OpenPage, tmp_path: Path) -> None:
    page = opened(open_page(), "Where is it on a page?")
    with page.expect_download() as started:
        page.get_by_role("link", name="Download heat pump.pdf").click()
    assert started.value.suggested_filename == "heat pump.pdf"
    started.value.save_as(tmp_path / "saved")
    assert (tmp_path / "saved").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [360, 1280])
def test_accessible(open_page: OpenPage, dark: bool, width: int) -> None:
    page = open_page(width, dark=dark)
    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    for question in ("on a page", "in a sheet", "in a mail"):
        ask(page, question)
        page.locator(".evidence").last.get_by_role("button").click()
        expect(page.locator("#passage .download a")).to_be_visible()
        if question == "on a page":
            expect(page.locator("#passage img")).to_be_visible()
        check(page)
        assert page.evaluate(overflow) == 0
        page.keyboard.press("Escape")
