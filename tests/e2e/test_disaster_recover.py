# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's files are gone and the desktop is bare: the NAS and the recovery sheet bring everything back.

By its marker, only `./tars test -m disaster` runs it. It builds on new machines, with the document of the story.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pypdfium2
import pytest
import zxingcpp

from ..conftest import INVENTORY, tars
from .conftest import AUTHORITY, SSH, eventually, host, playbook
from .test_story import get, put, states
from .test_story_backup import BOAT, chain, cited, stored

pytestmark = [pytest.mark.e2e, pytest.mark.lab, pytest.mark.disaster, pytest.mark.usefixtures("provisioned")]

SITE = INVENTORY.parent


@pytest.fixture
def lost(tmp_path: Path, provisioned: None) -> Iterator[Path]:
    """Yield the folder to which the test moves the controller's files; put back what it leaves there."""
    kept = tmp_path / "lost"
    kept.mkdir()
    yield kept
    for path in sorted(kept.iterdir()):
        if (SITE / path.name).exists():
            shutil.rmtree(SITE / path.name)
        shutil.move(path, SITE / path.name)


@pytest.fixture
def new_home() -> Iterator[Path]:
    """Yield an empty home folder; its path is short, since ssh's control socket below it may have 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="home-") as folder:
        yield Path(folder)


def test_the_sheet_brings_back_a_lost_controller_and_desktop(
    lost: Path, new_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert host("client").run(f"cat > /root/tars-ca.pem <<'END'\n{AUTHORITY.read_text()}\nEND").rc == 0
    put("boat.txt", BOAT)
    eventually(lambda: states().get("boat.txt") == "indexed")
    saved = json.loads(tars("backup", "run", "--json").stdout)
    sources, rows, certificates = cited(), stored(), chain()
    assert sources == ["boat.txt"] and certificates

    tars("backup", "sheet", "--pdf", "--output", str(tmp_path / "sheet.pdf"))
    assert (tmp_path / "sheet.pdf").stat().st_mode & 0o777 == 0o600
    (code,) = zxingcpp.read_barcodes(pypdfium2.PdfDocument(tmp_path / "sheet.pdf")[1].render(scale=150 / 72).to_pil())
    sheet = tmp_path / "sheet"
    sheet.write_text(code.text)
    proven = json.loads(tars("backup", "key", "verify", "--sheet", str(sheet), "--json").stdout)
    assert proven["backup"] and proven["whole"] and not proven["differing"], proven

    tars("lab", "destroy", "xps8950")
    tars("lab", "up")
    # Not before: the start of the lab creates a vault where none is.
    for path in (SITE / "group_vars", SITE / "recorded", SITE / "authority"):
        shutil.move(path, lost / path.name)
    monkeypatch.setenv("HOME", str(new_home))
    keys = dict(zip(("-i", "-o"), SSH.split()[1:4:2], strict=True))
    words = [
        "--desktop",
        "root@10.77.0.110",
        "--private-key",
        keys["-i"],
        "--known-hosts",
        keys["-o"].partition("=")[2],
    ]
    recovered = tars("recover", "--inventory", str(SITE), "--sheet", str(sheet), *words, "--yes", "--json")
    document = json.loads(recovered.stdout.splitlines()[-1])
    assert document["backup"] >= saved["id"], document

    assert host("client").run(f"cat > /root/tars-ca.pem <<'END'\n{AUTHORITY.read_text()}\nEND").rc == 0
    eventually(lambda: get("/ready")["ready"])
    assert stored() == rows and cited() == sources and chain() == certificates
    assert "/var/lib/tars-recover" not in host("xps8950").run("ls -d /var/lib/tars-*; ip route").stdout
    assert "10.77.0.20" not in host("xps8950").run("ip route show").stdout, "the route of the recovery was left"
    run = playbook("verify")
    assert run.code == 0, run.output
    for path in lost.iterdir():
        shutil.rmtree(path)
