# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups of the story's desktop: one for each change, read by hand, and still there for a new desktop.

Each test builds on the previous ones. restic is called with the key from the vault, as a person would.
"""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from tars_provision.controller import vault

from ..conftest import INVENTORY, tars
from .conftest import AUTHORITY, eventually, host, keep_timer_away, playbook
from .test_story import ask, get, put, states

pytestmark = [pytest.mark.e2e, pytest.mark.lab, pytest.mark.usefixtures("provisioned")]

BOAT = b"The spare key of the boat house hangs in the third locker, according to note BH-7712.\n"
RECORD = INVENTORY.parent / "recorded/backup.yml"


@pytest.fixture(scope="module", autouse=True)
def document(provisioned: None) -> None:
    """Add a document, so that there is something to save."""
    assert host("client").run(f"cat > /root/tars-ca.pem <<'END'\n{AUTHORITY.read_text()}\nEND").rc == 0
    put("boat.txt", BOAT)
    eventually(lambda: states().get("boat.txt") == "indexed")


def listed() -> list[dict[str, Any]]:
    """Return the backups that tars-provision lists, oldest first."""
    backups: list[dict[str, Any]] = json.loads(tars("backup", "list", "--json").stdout)["backups"]
    return backups


def cited() -> list[str]:
    """Ask where the key is, and return the paths of the sources that state it."""
    sources = ask("Where does the spare key of the boat house hang?")["sources"]["sources"]
    return [source["path"] for source in sources if "BH-7712" in json.dumps(source)]


def stored() -> str:
    """Return the ids of all versions, which are random, and the numbers of passages and vectors."""
    query = "SELECT id FROM versions ORDER BY id; SELECT count(*) FROM passages; SELECT count(*) FROM vectors"
    done = host("xps8950").run(f"docker exec tars-postgres-1 psql -U tars -d tars -Atc {shlex.quote(query)}")
    assert done.rc == 0, done.stderr
    return str(done.stdout)


def chain() -> list[str]:
    """Return the certificates above the page's own, as openssl receives them in ``client``."""
    words = "openssl s_client -connect 10.77.0.10:443 -servername tars.home.arpa -showcerts </dev/null 2>/dev/null"
    output = str(host("client").check_output(words))
    return [part.split("-----END")[0] for part in output.split("-----BEGIN CERTIFICATE-----")[2:]]


def restic(*arguments: str) -> str:
    """Run restic on the desktop with the key from the vault."""
    key = shlex.quote(vault.read(INVENTORY.parent)["backup_key"])
    command = f"/opt/tars/bin/restic --no-cache --repo /srv/tars/backup/repository {shlex.join(arguments)}"
    done = host("xps8950").run(f"RESTIC_PASSWORD={key} {command}")
    assert done.rc == 0, done.stderr
    return str(done.stdout)


def test_a_backup_is_made_if_something_has_changed() -> None:
    before = len(listed())
    pending = tars("backup", "run", "--check", check=False)
    assert pending.returncode == 3, pending.stdout + pending.stderr
    made = playbook("backup")
    assert made.code == 0 and made.recap("xps8950")["changed"] == 1, made.output
    again = playbook("backup")
    assert again.code == 0 and again.recap("xps8950")["changed"] == 0, again.output
    assert len(listed()) == before + 1
    pending = tars("backup", "run", "--check", check=False)
    assert pending.returncode == 0, pending.stdout + pending.stderr


def test_the_repository_is_sound_and_opens_by_hand_with_the_key() -> None:
    assert "no errors were found" in restic("check", "--read-data", "--no-lock")
    assert json.loads(restic("cat", "config", "--no-lock", "--quiet"))["id"] in RECORD.read_text()
    (snapshot,) = json.loads(restic("snapshots", "--json", "--no-lock", "--tag", f"id={listed()[-1]['id']}"))
    restic("restore", snapshot["id"], "--no-lock", "--target", "/root/restored", "--include", "/site", "--verify")
    names = host("xps8950").run("tar --list --file=/root/restored/site/tree/site.tar").stdout.split()
    assert {"tars.yml", "group_vars/all/secrets.yml", "recorded/backup.yml", "authority/root.pem"} <= set(names)


def test_the_newest_backup_equals_its_checksums() -> None:
    verified = tars("backup", "verify", "--json")
    assert json.loads(verified.stdout)["ok"], verified.stdout


def test_a_kept_key_is_compared_with_the_vaults(tmp_path: Path) -> None:
    key = json.loads(tars("backup", "key", "print", "--json").stdout)["key"]
    kept = tmp_path / "key"
    kept.write_text(f"{key}\n")
    assert tars("backup", "key", "verify", "--key-file", str(kept)).returncode == 0
    kept.write_text(f"{key[:4]}{'x' if key[4] != 'x' else 'y'}{key[5:]}\n")
    wrong = tars("backup", "key", "verify", "--key-file", str(kept), check=False)
    assert wrong.returncode == 1 and "character 5 is another one" in wrong.stderr and key not in wrong.stderr


def test_the_data_is_saved_before_services_with_other_images_start() -> None:
    put("oars.txt", b"The oars lie under the boat, according to note OA-1180.\n")
    eventually(lambda: states().get("oars.txt") == "indexed")
    before = len(listed())
    # The contract names the version, as it names the images; this change needs no other image.
    run = playbook("site", "--limit", "xps8950", "--extra-vars", "stack_version=0.0.1")
    assert run.code == 0, run.output
    assert len(listed()) == before + 1
    assert playbook("site", "--limit", "xps8950").code == 0
    assert len(listed()) == before + 2, "the contract returns to the version of before"
    assert playbook("site", "--limit", "xps8950").code == 0
    assert len(listed()) == before + 2, "nothing has changed since"


def test_a_new_desktop_answers_as_the_lost_one() -> None:
    sources, rows, record, before = cited(), stored(), RECORD.read_text(), listed()
    certificates, issued = chain(), (INVENTORY.parent / "authority/issued/xps8950.pem").read_text()
    assert sources == ["boat.txt"] and certificates
    tars("lab", "destroy", "xps8950")
    tars("lab", "up")
    keep_timer_away()
    tars("lab", "shell", "xps8950", "test", "!", "-e", "/opt/tars")

    run = playbook("site")
    assert run.code == 0, run.output
    assert RECORD.read_text() == record, "a new repository was created"
    assert [backup["id"] for backup in listed()] == [backup["id"] for backup in before]
    preview = tars("restore", "--preview", check=False)
    assert preview.returncode == 3, preview.stdout + preview.stderr
    restored = json.loads(tars("restore", "--json").stdout)
    assert restored["changed"] and restored["issuer"], restored

    assert chain() == certificates, "devices see another chain than before"
    assert (INVENTORY.parent / "authority/issued/xps8950.pem").read_text() == issued
    eventually(lambda: get("/ready")["ready"])
    assert stored() == rows, "these rows are not those of the lost desktop"
    assert cited() == sources
    again = playbook("restore")
    assert again.code == 0 and again.recap("xps8950")["changed"] == 0, again.output
    run = playbook("verify")
    assert run.code == 0, run.output
