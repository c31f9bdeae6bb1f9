# SPDX-License-Identifier: GPL-3.0-or-later
"""The page on which a device learns to trust the household, and what it offers; openssl reads what was downloaded."""

from __future__ import annotations

import hashlib
import plistlib
import subprocess
from pathlib import Path

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from .conftest import OpenPage
from .script import Server

pytestmark = pytest.mark.integration


def openssl(*arguments: object, given: bytes = b"") -> str:
    done = subprocess.run(["openssl", *map(str, arguments)], input=given, capture_output=True, check=True)
    return done.stdout.decode().strip()


@pytest.fixture
def fingerprint(authority: Path) -> str:
    return openssl("x509", "-in", authority, "-noout", "-fingerprint", "-sha256").split("=")[1]


def get(server: Server, name: str) -> httpx.Response:
    return httpx.get(f"{server.url}trust/{name}", trust_env=False, timeout=60)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_page_shows_the_fingerprint_and_is_accessible(
    open_page: OpenPage, fingerprint: str, width: int, dark: bool
) -> None:
    page = open_page(width=width, dark=dark, path="trust")
    expect(page.get_by_role("heading", name="Trust this household")).to_be_visible()
    shown = page.get_by_role("group", name="Fingerprint, SHA-256").inner_text()
    assert ":".join(shown.split()) == fingerprint
    for system in ("Android", "Windows", "macOS", "Linux"):
        page.get_by_text(system, exact=True).click()
    for link in page.get_by_role("link", name="Download the").all():
        expect(link).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "no scrolling sideways"
    assert Axe().run(page).response["violations"] == []


def test_every_form_holds_the_same_certificate(server: Server, authority: Path, fingerprint: str) -> None:
    der, pem = get(server, "tars-household.crt"), get(server, "tars-household.pem")
    assert der.headers["content-type"] == "application/x-x509-ca-cert"
    assert hashlib.sha256(der.content).hexdigest().upper() == fingerprint.replace(":", "")
    assert openssl("x509", "-inform", "DER", "-noout", "-subject", given=der.content) == "subject=CN = Household"
    assert pem.content == authority.read_bytes()
    profile = get(server, "tars-household.mobileconfig")
    assert profile.headers["content-type"] == "application/x-apple-aspen-config"
    contents = plistlib.loads(profile.content)
    assert contents["PayloadType"] == "Configuration"
    assert [(p["PayloadType"], p["PayloadContent"]) for p in contents["PayloadContent"]] == [
        ("com.apple.security.root", der.content)
    ]
    assert get(server, "tars-household.mobileconfig").content == profile.content, "the same profile replaces itself"


def test_a_service_without_an_authority_answers_404(tmp_path: Path) -> None:
    server = Server(tmp_path / "none.pem").start()
    try:
        for path in ("trust", "trust/tars-household.crt"):
            assert httpx.get(f"{server.url}{path}", trust_env=False, timeout=60).status_code == 404
    finally:
        server.stop()
