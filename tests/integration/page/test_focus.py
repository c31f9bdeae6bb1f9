# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the focus is after a part of the page was replaced."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tars_app.documents.schemas import Document

from .conftest import OpenPage
from .held import Held
from .script import QUOTE, Server
from .test_late_responses import refresh
from .test_library import opened
from .test_page import ask, expect_end
from .test_timeline import NOW, answered, open_document, past

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]


def test_a_marker_keeps_the_focus_while_the_answer_grows(open_page: OpenPage, server: Server) -> None:
    page = open_page()
    ask(page, "pause after the first marker")
    marker = page.get_by_role("button", name="Passage 1, heating.pdf")
    marker.focus()
    server.script.go_on.set()
    expect(page.locator(".made")).to_contain_text("4.2 s")
    expect_end(page)
    expect(marker).to_be_focused()
    marker.press("Enter")
    expect(page.locator("#passage mark")).to_have_text(QUOTE)


def _add(server: Server) -> None:
    first: Document = server.script.documents[0]
    server.script.documents.append(first.model_copy(update={"path": "house/manual.pdf"}))


@pytest.mark.parametrize("is_past", [False, True])
def test_a_file_keeps_the_focus_when_the_list_changes(open_page: OpenPage, server: Server, is_past: bool) -> None:
    page = open_page(now=NOW)
    opened(past(page) if is_past else page)
    file = page.get_by_role("button", name="house/inspection-2026.md")
    file.focus()
    _add(server)
    refresh(page)
    expect(page.locator("#library-files li")).to_have_count(4)
    expect(file).to_be_focused()


def test_the_list_of_a_past_day_is_not_replaced_while_it_is_the_same(open_page: OpenPage) -> None:
    page = opened(past(open_page(now=NOW)))
    page.locator("#library-files li").first.evaluate("item => { item.id = 'kept'; }")
    documents = Held(page, "api/documents")
    refresh(page)
    documents.wait(1)
    documents.let_go(0)
    expect(page.locator("#kept")).to_be_visible()


def test_a_file_that_is_read_again_keeps_the_focus(open_page: OpenPage) -> None:
    page = opened(open_page())
    page.get_by_role("button", name="Read it again: scans/old.pdf").press("Enter")
    expect(page.locator("#library-summary")).to_have_text("1 file is read next.")
    expect(page.get_by_role("button", name="scans/old.pdf", exact=True)).to_be_focused()


def test_the_search_keeps_the_focus_while_a_folder_is_read(open_page: OpenPage) -> None:
    page = opened(open_page())
    files = Held(page, "api/library/files")
    page.get_by_role("navigation", name="Folders").get_by_role("button", name="LLM_docs").click()
    files.wait(1)
    search = page.get_by_label("Name or folder")
    search.press("o")
    files.wait(2)
    files.let_go(0)
    expect(search).to_be_focused()
    files.let_go(1)
    expect(page.get_by_role("list", name="Folders in it").get_by_role("listitem")).to_have_count(2)
    expect(search).to_be_focused()


def test_what_takes_the_place_of_a_button_has_the_focus(open_page: OpenPage) -> None:
    page = past(open_page(now=NOW))
    turn = answered(page)
    turn.get_by_role("button", name="What changed about this since then").press("Enter")
    expect(turn.locator("ins")).to_be_visible()
    expect(turn.locator(".changed")).to_be_focused()
    page.get_by_role("button", name="Back to today").click()
    sheet = open_document(page)
    sheet.get_by_role("button", name="Forget this document…").press("Enter")
    expect(sheet.get_by_role("button", name="Forget it for good")).to_be_visible()
    expect(sheet.locator(".forget")).to_be_focused()


def test_the_list_has_the_focus_after_a_document_that_is_no_longer_in_it(open_page: OpenPage) -> None:
    page = open_page(now=NOW)
    sheet = open_document(page)
    sheet.get_by_role("button", name="Forget this document…").click()
    sheet.get_by_role("button", name="Forget it for good").click()
    expect(sheet.locator(".message")).to_contain_text("The document is forgotten.")
    expect(page.locator("#library-files li")).to_have_count(2)
    page.keyboard.press("Escape")
    expect(sheet).to_be_hidden()
    expect(page.locator("#documents .body")).to_be_focused()
