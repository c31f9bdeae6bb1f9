# SPDX-License-Identifier: GPL-3.0-or-later
"""A site whose desktop is a server on loopback, over real TLS."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest
from starlette.routing import Route

from tars_provision.assistant import client

from .desktop import endpoint, serving, write_certificates

Serve = Callable[[Sequence[Route]], None]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The certificates of the site, and a stranger's."""
    folder = tmp_path_factory.mktemp("tls")
    write_certificates(folder)
    return folder


@pytest.fixture
def serve_site(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, root: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Serve]:
    """Return what lets the desktop of the site of this test answer with some routes, until its end."""
    site = tmp_path_factory.mktemp("site")
    (site / "tars.yml").write_text((root / "inventories" / "home" / "tars.yml").read_text())
    monkeypatch.setenv("TARS_INVENTORY", str(site))
    with ExitStack() as stack:

        def serve(routes: Sequence[Route]) -> None:
            port = stack.enter_context(serving(folder, routes))
            monkeypatch.setattr(client, "endpoint", lambda *_: endpoint(folder, port))

        yield serve
