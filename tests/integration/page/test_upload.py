# SPDX-License-Identifier: GPL-3.0-or-later
"""Adding documents on the page, to a folder of this computer: the real routes, and the files that they save."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from .conftest import OpenPage
from .held import wait_on
from .script import MOST_BYTES, Script, Server
from .test_page import check

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

DROP = """([target, names]) => {
  const data = new DataTransfer();
  for (const name of names) data.items.add(new File([`content of ${name}`], name));
  for (const type of ["dragenter", "dragover", "drop"])
    target.dispatchEvent(new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true }));
}"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the documents are saved."""
    folder = tmp_path / "added"
    folder.mkdir()
    return folder


@pytest.fixture
def server(authority: Path, folder: Path) -> Iterator[Server]:
    """A script of a household that can add documents."""
    server = Server(authority, Script(uploads=folder)).start()
    yield server
    server.stop()


def opened(page: Page) -> Page:
    page.get_by_role("button", name="3 documents").click()
    expect(page.get_by_role("button", name="Add documents…")).to_be_visible()
    return page


def make(folder: Path, name: str, content: bytes = b"The boiler is in the cellar.") -> Path:
    file = folder / name
    file.write_bytes(content)
    return file


def saved(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_documents_are_chosen_with_the_keyboard(open_page: OpenPage, folder: Path, tmp_path: Path) -> None:
    page = opened(open_page())
    expect(page.locator("#upload-hint")).to_have_text(
        "or drop them here. They are saved in uploads/Incoming, up to 3 MiB each."
    )
    files = [make(tmp_path, "boiler.txt"), make(tmp_path, "Müller.md", b"# Notes")]
    page.get_by_role("button", name="Add documents…").focus()
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    chooser.value.set_files(files)
    items = page.get_by_role("list", name="Documents that you add").get_by_role("listitem")
    expect(items).to_have_text(
        [f"{file.name}Saved as uploads/Incoming/{file.name}. It is read within about a minute." for file in files]
    )
    expect(page.locator("#upload-summary")).to_have_text("2 documents added.")
    assert saved(folder) == {file.name: file.read_bytes() for file in files}


def test_documents_are_dropped_on_the_sheet(open_page: OpenPage, folder: Path) -> None:
    page = opened(open_page())
    page.evaluate(DROP, [page.locator("#library-files").element_handle(), ["one.txt", "two.txt"]])
    expect(page.locator("#upload-summary")).to_have_text("2 documents added.")
    assert saved(folder) == {name: f"content of {name}".encode() for name in ("one.txt", "two.txt")}
    expect(page.get_by_role("dialog", name="Documents")).not_to_have_class("dropping")


def test_one_that_is_refused_does_not_stop_the_others(open_page: OpenPage, folder: Path, tmp_path: Path) -> None:
    make(folder, "taken.txt", b"an older one")
    page = opened(open_page())
    files = [
        make(tmp_path, "film.mkv"),
        make(tmp_path, "large.txt", b"x" * (MOST_BYTES + 1)),
        make(tmp_path, "empty.txt", b""),
        make(tmp_path, "taken.txt"),
        make(tmp_path, "letter.doc"),
    ]
    page.locator("#upload-files").set_input_files(files)
    expect(page.locator("#upload-summary")).to_have_text("1 document added, 4 not added.")
    items = page.locator("#upload-list li")
    expect(items.nth(0)).to_contain_text("Files of this format (.mkv) are not read.")
    expect(items.nth(1)).to_contain_text("The file has 4 MiB; larger ones than 3 MiB are not read.")
    expect(items.nth(2)).to_contain_text("The file is empty (0 bytes).")
    expect(items.nth(3)).to_contain_text("Saved as uploads/Incoming/taken (2).txt.")
    expect(items.nth(4)).to_contain_text("Save it as DOCX, with Word or LibreOffice.")
    assert saved(folder) == {"taken.txt": b"an older one", "taken (2).txt": files[3].read_bytes()}


def test_the_part_that_was_sent_is_shown(open_page: OpenPage, folder: Path, tmp_path: Path) -> None:
    page = opened(open_page())
    page.context.new_cdp_session(page).send(
        "Network.emulateNetworkConditions",
        {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": MOST_BYTES / 3},
    )
    page.locator("#upload-files").set_input_files(make(tmp_path, "slow.txt", b"x" * MOST_BYTES))
    bar = page.get_by_role("progressbar", name="Sending slow.txt")
    expect(bar).to_be_visible()
    handle = bar.element_handle()
    page.wait_for_function("(bar) => bar.value > 0 && bar.value < 1", arg=handle)
    expect(page.locator("#upload-summary")).to_have_text("1 document added.")
    assert len(saved(folder)["slow.txt"]) == MOST_BYTES


def test_a_file_that_is_gone_and_a_service_that_is_gone(open_page: OpenPage, folder: Path, tmp_path: Path) -> None:
    page = opened(open_page())
    held: list[Route] = []
    page.route("**/api/uploads?name=*", lambda route: held.append(route), times=1)
    files = [make(tmp_path, "first.txt"), make(tmp_path, "gone.txt"), make(tmp_path, "third.txt")]
    page.locator("#upload-files").set_input_files(files)
    wait_on(page, lambda: held, "the first request")
    expect(page.locator("#upload-list li").nth(2)).to_have_text("third.txtWaiting.")
    files[1].unlink()
    held.pop().abort()
    expect(page.locator("#upload-summary")).to_have_text("1 document added, 2 not added.")
    items = page.locator("#upload-list li")
    expect(items.nth(0)).to_contain_text("T.A.R.S. cannot be reached.")
    expect(items.nth(1)).to_contain_text("It cannot be read here.")
    assert set(saved(folder)) == {"third.txt"}


def test_a_folder_that_is_gone_is_explained(open_page: OpenPage, folder: Path, tmp_path: Path) -> None:
    page = opened(open_page())
    folder.rmdir()
    page.locator("#upload-files").set_input_files(make(tmp_path, "letter.txt"))
    item = page.locator("#upload-list li")
    expect(item).to_contain_text("uploads/Incoming is not available")
    expect(item).to_contain_text("Check that the NAS is on and that the folder exists, then try again.")


def test_without_a_folder_nothing_is_offered(open_page: OpenPage, server: Server, authority: Path) -> None:
    without = Server(authority).start()
    try:
        page = open_page()
        page.route("**/api/uploads", lambda route: route.fulfill(response=route.fetch(url=f"{without.url}api/uploads")))
        with page.expect_response("**/api/uploads"):
            page.get_by_role("button", name="3 documents").click()
        expect(page.locator("#library-files li")).to_have_count(3)
        expect(page.locator("#upload")).to_be_hidden()
    finally:
        without.stop()


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [360, 1280])
def test_accessible_and_narrow(open_page: OpenPage, tmp_path: Path, dark: bool, width: int) -> None:
    page = opened(open_page(width, dark=dark))
    check(page)
    page.locator("#upload-files").set_input_files([make(tmp_path, "a.txt"), make(tmp_path, f"{'long' * 40}.mkv")])
    expect(page.locator("#upload-summary")).to_have_text("1 document added, 1 not added.")
    check(page)
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    page.locator("#documents").evaluate("sheet => sheet.classList.add('dropping')")
    check(page)
