# SPDX-License-Identifier: GPL-3.0-or-later
"""Responses that arrive late, in another order, or never: what is shown belongs to what was asked for last."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from ..servers import wait_for
from .conftest import OpenPage
from .held import Held
from .script import VERSIONS, Server, make_id
from .test_library import opened
from .test_page import ask, expect_end
from .test_timeline import NOW, answered, open_document, past

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

OFF = "T.A.R.S. cannot be reached."


def refresh(page: Page) -> None:
    """Let the page read the documents and the backups again, as when its tab is shown."""
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def fail_once(page: Page, pattern: str) -> None:
    page.route(re.compile(pattern), lambda route: route.abort(), times=1)


def test_an_earlier_document_does_not_rename_the_one_shown(open_page: OpenPage) -> None:
    page = opened(open_page())
    history = Held(page, "api/history")
    sheet = page.locator("#document")
    for number, name in enumerate(["house/heating.pdf", "house/inspection-2026.md"]):
        page.get_by_role("button", name=name).click()
        history.wait(number + 1)
        if number == 0:
            page.keyboard.press("Escape")
            expect(sheet).to_be_hidden()
    history.let_go(1)
    expect(sheet.locator(".versions li")).to_have_count(2)
    history.let_go(0)
    expect(sheet.locator(".where").first).to_have_text("LLM_docs/house/inspection-2026.md")


def test_an_earlier_passage_does_not_rename_the_one_shown(open_page: OpenPage) -> None:
    page = past(open_page(now=NOW))
    evidence = answered(page).locator(".evidence")
    passages = Held(page, "api/passages")
    evidence.get_by_role("button").first.click()
    passages.wait(1)
    page.keyboard.press("Escape")
    evidence.get_by_role("button", name="Show what took its place").click()
    passages.wait(2)
    passages.let_go(1)
    place = page.locator("#passage .where").first
    expect(place).to_contain_text("2 Sept 2026")
    passages.let_go(0)
    expect(place).to_contain_text("2 Sept 2026")


def test_the_difference_that_was_chosen_last_is_shown(open_page: OpenPage, server: Server) -> None:
    third = VERSIONS[1].observed + timedelta(days=30)
    server.script.versions = [
        VERSIONS[0],
        VERSIONS[1].model_copy(update={"until": third}),
        VERSIONS[1].model_copy(update={"observed": third}),
    ]
    page = open_page(now=NOW)
    sheet = open_document(page)
    differences = Held(page, "api/diff")
    for number in range(2):
        sheet.get_by_role("button", name="What changed").nth(number).click()
        differences.wait(number + 1)
    differences.let_go(1)
    expect(sheet.get_by_role("heading", level=3)).to_have_text("What changed on 2 September 2026 at 10:00")
    differences.let_go(0)
    expect(sheet.get_by_role("heading", level=3)).to_have_text("What changed on 2 September 2026 at 10:00")


def test_the_documents_of_a_day_left_are_not_shown(open_page: OpenPage, server: Server) -> None:
    page = open_page(now=NOW)
    expect(page.locator("#show-documents")).to_have_text("3 documents")
    documents = Held(page, "api/documents")
    past(page)
    documents.wait(1)
    del server.script.documents[0]
    page.get_by_role("button", name="Back to today").click()
    expect(page.locator("#show-documents")).to_have_text("2 documents")
    documents.let_go(0)
    expect(page.locator("#documents .where").first).to_have_text("1 document ready · 1 not readable")


@pytest.mark.parametrize("fails", [False, True])
def test_an_earlier_count_of_the_documents_does_not_replace_a_later_one(
    open_page: OpenPage, server: Server, fails: bool
) -> None:
    page = open_page()
    expect(page.locator("#show-documents")).to_have_text("3 documents")
    counts = Held(page, r"api/library\?$")
    for number in range(2):
        refresh(page)
        counts.wait(number + 1)
    counts.let_go(1)
    del server.script.documents[0]
    if fails:
        counts.break_off(0)
    else:
        counts.let_go(0)
    expect(page.locator("#show-documents")).to_have_text("3 documents")
    expect(page.locator("#notice")).to_be_empty()


@pytest.mark.parametrize("fails", [False, True])
def test_an_earlier_state_of_the_backups_does_not_replace_a_later_one(
    open_page: OpenPage, server: Server, fails: bool
) -> None:
    page = open_page(now=NOW)
    line = page.locator("#backups")
    expect(line).to_have_text("No backups are set up")
    states = Held(page, "api/backups")
    for number in range(2):
        refresh(page)
        states.wait(number + 1)
    states.let_go(1)
    server.script.backups = server.script.backups.model_copy(update={"state": "unknown"})
    if fails:
        states.break_off(0)
    else:
        states.let_go(0)
    expect(line).to_have_text("No backups are set up")


def test_an_earlier_filter_that_fails_later_is_not_reported(open_page: OpenPage) -> None:
    page = opened(open_page())
    files = Held(page, "api/library/files")
    for number, text in enumerate(["heat", "old"]):
        page.get_by_label("Name or folder").fill(text)
        files.wait(number + 1)
    files.let_go(1)
    expect(page.locator("#library-summary")).to_have_text("1 file")
    files.break_off(0)
    expect(page.locator("#library-summary")).to_have_text("1 file")


def test_a_filter_that_failed_is_forgotten_with_the_next_list(open_page: OpenPage) -> None:
    page = opened(open_page())
    fail_once(page, "/api/library/files")
    page.get_by_label("Name or folder").fill("heat")
    expect(page.locator("#library-summary")).to_contain_text(OFF)
    page.get_by_label("Name or folder").fill("")
    expect(page.locator("#library-summary")).to_have_text("3 files")


def test_a_list_that_cannot_be_read_is_reported_on_its_sheet(open_page: OpenPage) -> None:
    page = open_page()
    expect(page.locator("#show-documents")).to_be_visible()
    page.route("**/api/library*", lambda route: route.abort())
    page.locator("#show-documents").click()
    expect(page.locator("#library-summary")).to_contain_text(OFF)
    page.unroute_all()
    refresh(page)
    expect(page.locator("#library-files li")).to_have_count(3)
    expect(page.locator("#library-summary")).to_have_text("3 files")


def test_until_the_documents_of_another_day_are_read_none_are_listed(open_page: OpenPage) -> None:
    page = opened(open_page(now=NOW))
    page.keyboard.press("Escape")
    past(page)
    expect(page.locator("#documents .where").first).to_contain_text("as they were on 3 May 2026")
    documents = Held(page, "api/documents")
    page.locator("#show-documents").click()
    documents.wait(1)
    expect(page.locator("#library-summary")).to_have_text("Reading the list…")
    expect(page.locator("#library-actions")).to_be_hidden()
    expect(page.locator("#library-files li")).to_have_count(0)
    documents.let_go(0)
    expect(page.locator("#library-files li")).to_have_count(3)


def test_the_outcome_of_reading_again_outlasts_a_list_that_was_on_its_way(open_page: OpenPage) -> None:
    page = opened(open_page())
    files = Held(page, "api/library/files")
    page.get_by_role("button", name="Read it again: scans/old.pdf").click()
    files.wait(1)
    refresh(page)
    files.wait(2)
    files.let_go(0)
    files.wait(3)
    files.let_go(2)
    expect(page.get_by_role("button", name="Read it next: scans/old.pdf")).to_be_visible()
    expect(page.locator("#library-summary")).to_have_text("1 file is read next.")


def test_more_files_are_listed_once_and_stay(open_page: OpenPage, server: Server) -> None:
    first = server.script.documents[0]
    server.script.documents = [
        first.model_copy(update={"document_id": make_id(1000 + number), "path": f"letters/{number:03}.txt"})
        for number in range(250)
    ]
    page = open_page()
    page.locator("#show-documents").click()
    items = page.locator("#library-files li")
    expect(items).to_have_count(100)
    files = Held(page, "api/library/files")
    more = page.get_by_role("button", name="Show more of 250")
    for number in range(2):
        more.press("Enter")
        files.wait(number + 1)
    files.let_go(0)
    files.let_go(1)
    expect(items).to_have_count(200)
    refresh(page)
    files.wait(3)
    files.let_go(2)
    expect(items).to_have_count(200)


def test_a_document_forgotten_meanwhile_does_not_replace_the_one_shown(open_page: OpenPage) -> None:
    page = open_page(now=NOW)
    sheet = open_document(page)
    sheet.get_by_role("button", name="Forget this document…").click()
    orders = Held(page, "api/forget$")
    sheet.get_by_role("button", name="Forget it for good").click()
    orders.wait(1)
    expect(sheet.get_by_role("button", name="Forget it for good")).to_have_count(0)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="house/inspection-2026.md").click()
    other = page.get_by_role("dialog", name="inspection-2026.md")
    expect(other.locator(".versions li")).to_have_count(2)
    orders.let_go(0)
    expect(page.locator("#library-files li")).to_have_count(2)
    expect(other.locator(".versions li")).to_have_count(2)
    expect(other).not_to_contain_text("The document is forgotten.")


def test_an_answer_made_from_a_document_that_is_forgotten_meanwhile_is_removed(
    open_page: OpenPage, server: Server
) -> None:
    page = open_page(now=NOW)
    ask(page, "an endless story")
    expect(page.locator(".answer")).to_contain_text("more and more")
    sheet = open_document(page)
    sheet.get_by_role("button", name="Forget this document…").click()
    sheet.get_by_role("button", name="Forget it for good").click()
    expect(sheet.locator(".message")).to_contain_text("The document is forgotten.")
    for _ in range(2):
        page.keyboard.press("Escape")
    expect(page.locator(".turn")).to_contain_text("This answer was removed")
    expect(page.locator(".answer")).to_have_count(0)
    wait_for(lambda: server.script.left == 1, "the end of the answer that nobody reads on")
    ask(page, "nothing")
    expect(page.locator(".turn")).to_have_count(2)
    expect(page.locator(".answer")).to_have_text("Nothing in the documents answers this question.")


def test_a_time_misread_is_corrected_while_the_answer_is_written(open_page: OpenPage, server: Server) -> None:
    page = open_page(now=NOW)
    question = "an endless story of last spring"
    ask(page, question)
    expect(page.locator(".answer")).to_contain_text("more and more")
    page.get_by_role("button", name="Read it as words").click()
    expect(page.locator(".made").first).to_have_text("Stopped.")
    expect(page.locator(".answer").nth(1)).to_contain_text("more and more")
    assert server.script.times == [{}, {"interpret": False}]
    page.get_by_role("button", name="Stop").click()
    expect_end(page)


def test_a_comparison_that_fails_can_be_repeated(open_page: OpenPage) -> None:
    page = past(open_page(now=NOW))
    changed = answered(page).locator(".changed")
    fail_once(page, "/api/topic")
    button = changed.get_by_role("button", name="What changed about this since then")
    button.click()
    expect(changed).to_contain_text(OFF)
    button.click()
    expect(changed.locator("ins")).to_be_visible()
    expect(changed).not_to_contain_text(OFF)


def test_forgetting_that_fails_can_be_repeated(open_page: OpenPage, server: Server) -> None:
    page = open_page(now=NOW)
    sheet = open_document(page)
    for label, pattern in (
        ("Forget this document…", r"/api/forget\?"),
        ("Forget it for good", "/api/forget$"),
        ("Read its file again", "/api/forgotten/"),
    ):
        if label == "Forget it for good":
            sheet.get_by_role("button", name="Forget this document…").click()
        expect(sheet.get_by_role("button", name=label)).to_be_visible()
        fail_once(page, pattern)
        sheet.get_by_role("button", name=label).click()
        expect(sheet).to_contain_text(OFF)
        if label == "Forget it for good":
            expect(sheet.locator(".versions li")).to_have_count(2)
            sheet.get_by_role("button", name="Forget this document…").click()
            sheet.get_by_role("button", name=label).click()
            expect(sheet).to_contain_text("The document is forgotten.")
    sheet.get_by_role("button", name="Read its file again").click()
    expect(sheet.locator(".choices")).to_contain_text("Its file is read again within minutes")
    assert server.script.taken_back == [make_id(9)]


def test_a_response_that_is_no_json_is_a_failure(open_page: OpenPage) -> None:
    page = open_page(now=NOW)
    page.route("**/api/history*", lambda route: route.fulfill(body="<html>", content_type="text/html"))
    expect(open_document(page)).to_contain_text("The response of T.A.R.S. is incomplete or invalid.")
