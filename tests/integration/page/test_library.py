# SPDX-License-Identifier: GPL-3.0-or-later
"""The sheet of the library: which files were read, which were not and why, by folder, name and state."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, Route, expect

from ..servers import wait_for
from .conftest import OpenPage
from .script import BEGINS, Server, make_id, make_ignored
from .test_page import ask, check

pytestmark = pytest.mark.integration

FORMAT = "Files of this format (.mkv) are not read."


def opened(page: Page) -> Page:
    page.get_by_role("button", name="3 documents").click()
    expect(page.locator("#library-files li")).to_have_count(3)
    return page


@pytest.fixture
def filled(server: Server) -> Server:
    """Two ignored files beside the documents, of which one waits."""
    server.script.others = [
        make_ignored("house/@eaDir", "system", "The NAS or a computer keeps this for its own use."),
        make_ignored("films/party.mkv", "format", FORMAT),
    ]
    server.script.documents[1] = server.script.documents[1].model_copy(update={"state": "pending"})
    server.script.minutes_left = 12
    return server


def test_how_long_reading_takes_is_on_the_page(open_page: OpenPage, filled: Server) -> None:
    page = open_page()
    expect(page.locator("#holdings")).to_contain_text(
        "1 document from LLM_docs is ready (1 being read, about 12 minutes left, 1 not readable)."
    )
    expect(opened(page).locator("#library-summary")).to_have_text("3 files · 1 of 3 read, about 12 minutes left")


def test_files_are_filtered_by_state_and_name(open_page: OpenPage, filled: Server) -> None:
    page = opened(open_page())
    files, state = page.locator("#library-files li"), page.get_by_label("State")
    state.select_option("Not readable")
    expect(files).to_have_count(1)
    expect(files).to_contain_text("The PDF has no text, only pictures.")
    state.select_option("Ignored")
    expect(files).to_have_count(2)
    expect(files.last).to_contain_text(FORMAT)
    page.get_by_label("Name or folder").fill("PARTY")
    expect(files).to_have_count(1)
    page.get_by_label("Name or folder").fill("nothing of the kind")
    expect(page.locator("#library-summary")).to_have_text("No file matches.")


def test_folders_are_walked_with_the_keyboard(open_page: OpenPage, filled: Server) -> None:
    page = opened(open_page())
    folders = page.get_by_role("navigation", name="Folders")
    expect(folders.get_by_role("listitem")).to_have_text("LLM_docs1 read · 1 being read · 1 not readable · 2 ignored")
    folders.get_by_role("button", name="LLM_docs").press("Enter")
    expect(folders.get_by_role("listitem")).to_have_count(3)
    folders.get_by_role("button", name="house").press("Enter")
    expect(page.locator("#library-files li")).to_have_count(2)
    expect(folders.locator("[aria-current]")).to_have_text("house")
    expect(folders.locator("[aria-current]")).to_be_focused()
    folders.get_by_role("button", name="All shares").press("Enter")
    expect(page.locator("#library-files li")).to_have_count(3)


def test_a_failed_file_is_read_again(open_page: OpenPage, filled: Server) -> None:
    page = opened(open_page())
    page.get_by_role("button", name="Read it again: scans/old.pdf").click()
    expect(page.locator("#library-summary")).to_have_text("1 file is read next.")
    assert filled.script.retried == [{"path": "LLM_docs/scans/old.pdf"}]
    expect(page.get_by_role("button", name="Read it next: scans/old.pdf")).to_be_visible()
    expect(page.get_by_role("button", name="Read it again: scans/old.pdf")).to_have_count(0)


def test_all_failed_files_of_a_folder_are_read_again(open_page: OpenPage, filled: Server) -> None:
    page = opened(open_page())
    page.get_by_role("navigation", name="Folders").get_by_role("button", name="LLM_docs").click()
    page.get_by_role("button", name="Read 1 failed file again").click()
    expect(page.locator("#library-summary")).to_have_text("1 file is read next.")
    assert filled.script.retried == [{"folder": "LLM_docs"}]


def test_buttons_of_the_folder_left_do_nothing(open_page: OpenPage, filled: Server) -> None:
    page = opened(open_page())
    held: list[Route] = []
    page.route(lambda url: "folder=LLM_docs" in url, lambda route: held.append(route))
    with page.expect_request(lambda request: "folder=LLM_docs" in request.url):
        page.get_by_role("navigation", name="Folders").get_by_role("button", name="LLM_docs").click()
    box = page.locator("#library-actions button").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.unroute_all()  # which lets the held requests go on
    page.get_by_role("button", name="Read 1 failed file again").click()
    expect(page.locator("#library-summary")).to_have_text("1 file is read next.")
    assert filled.script.retried == [{"folder": "LLM_docs"}]


def test_a_refusal_is_shown(open_page: OpenPage, server: Server) -> None:
    server.script.documents[2] = server.script.documents[2].model_copy(update={"path": "scans/gone.pdf"})
    page = opened(open_page())
    page.get_by_role("button", name="Read it again: scans/gone.pdf").click()
    expect(page.locator("#library-summary")).to_have_text("There is no such file. Read the list again.")


def test_a_long_list_comes_in_parts(open_page: OpenPage, server: Server) -> None:
    first = server.script.documents[0]
    server.script.documents = [
        first.model_copy(update={"document_id": make_id(1000 + number), "path": f"letters/{number:03}.txt"})
        for number in range(250)
    ]
    page = open_page()
    page.get_by_role("button", name="250 documents").click()
    files = page.locator("#library-files li")
    for count, rest in ((100, True), (200, True), (250, False)):
        expect(files).to_have_count(count)
        button = page.get_by_role("button", name="Show more of 250")
        expect(button).to_have_count(int(rest))
        if rest:
            button.click()
    expect(page.get_by_role("button", name="letters/200.txt")).to_be_focused()


def test_the_list_is_saved_as_a_table(open_page: OpenPage, filled: Server) -> None:
    page = opened(open_page())
    page.get_by_label("State").select_option("Ignored")
    expect(page.locator("#library-files li")).to_have_count(2)
    with page.expect_download() as download:
        page.get_by_role("link", name="Save as CSV").click()
    assert download.value.suggested_filename == "library.csv"
    assert download.value.path().read_text() == "file\nLLM_docs/house/@eaDir\nLLM_docs/films/party.mkv\n"


def test_of_a_past_day_the_documents_of_then_are_listed(open_page: OpenPage, filled: Server) -> None:
    page = open_page(now=BEGINS.replace(month=9, day=20))
    page.get_by_role("button", name="Answers as of today").click()
    page.get_by_label("Answer as of").fill("2026-03-20")
    page.get_by_role("button", name="3 documents").click()
    expect(page.locator("#library-files li")).to_have_count(3)
    expect(page.locator("#library-filter")).to_be_hidden()
    wait_for(lambda: filled.script.listed_as_of == "2026-03-20", "the list of that day")


def test_an_unread_file_whose_name_fits_is_named_beside_the_answer(open_page: OpenPage, server: Server) -> None:
    page = open_page()
    ask(page, "unread boiler")
    line = page.locator(".unread-file")
    expect(line).to_contain_text("Not read: LLM_docs/scans/boiler-2024.pdf. Its name fits the question.")
    expect(line).to_contain_text("It waits for its turn. It is read by itself.")
    line.get_by_role("button", name="Show the documents").click()
    expect(page.get_by_role("dialog", name="Documents")).to_be_visible()


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [360, 1280])
def test_accessible_and_narrow(open_page: OpenPage, filled: Server, dark: bool, width: int) -> None:
    page = opened(open_page(width, dark=dark))
    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    check(page)
    page.get_by_label("State").select_option("Ignored")
    expect(page.locator("#library-files li")).to_have_count(2)
    page.get_by_role("navigation", name="Folders").get_by_role("button", name="LLM_docs").click()
    expect(page.get_by_role("list", name="Folders in it").get_by_role("listitem")).to_have_count(3)
    check(page)
    assert page.evaluate(overflow) == 0
    page.keyboard.press("Escape")
    ask(page, "unread boiler")
    expect(page.locator(".unread-file")).to_be_visible()
    check(page)
