# SPDX-License-Identifier: GPL-3.0-or-later
"""Someone was root on the desktop: everything that it could reach is damaged, and the NAS's snapshot brings it back.

The attack is the script attack.sh beside this file.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.tars.home.plugins.module_utils.dsm.calls import Call
from ansible_collections.tars.home.plugins.module_utils.dsm.client.client import Client

from tars_provision.controller import vault

from ..conftest import BIN, INVENTORY, environment, tars
from ..integration.backup.repository.recovery import memory
from .conftest import ADDRESSES, AUTHORITY, eventually, host, playbook
from .test_story import ask, get, put, states
from .test_story_nas import dsm, on

__all__ = ["dsm"]

pytestmark = [pytest.mark.e2e, pytest.mark.lab, pytest.mark.disaster, pytest.mark.usefixtures("provisioned")]

LADDER = b"The long ladder lies behind the rain barrel, according to note RB-6120.\n"
SHARE, RECOVERED = "tars_backup", "tars_recovered"
ON_DESKTOP = {"backup_key", "postgres_password", "redis_password"}
"""Secrets of the vault that the desktop works with."""


def cited() -> list[str]:
    """Ask where the ladder is, and return the paths of the sources that state it."""
    sources = ask("Where does the long ladder lie?")["sources"]["sources"]
    return [source["path"] for source in sources if "RB-6120" in json.dumps(source)]


@pytest.fixture
def site(tmp_path: Path, dsm: Client) -> Iterator[Path]:
    """Yield a copy of the household's folder that can be edited; afterwards, the backups start a new history."""
    folder = tmp_path / "site"
    shutil.copytree(INVENTORY.parent, folder)
    yield folder
    (INVENTORY.parent / "recorded/backup.yml").unlink()
    dsm.write(Call("SYNO.Core.Share", "delete", 1), {"name": [SHARE]})
    assert playbook("site").code == 0
    dsm.write(Call("SYNO.Core.Share", "delete", 1), {"name": [RECOVERED]})


def test_the_desktop_knows_no_secret_that_it_does_not_need() -> None:
    folders = "/opt /etc /root /home /var/lib/tars /var/log /srv/tars/backup /run"
    for name, secret in vault.read(INVENTORY.parent).items():
        # The pattern comes on standard input: an argument would be found in /proc.
        search = f"grep -rlF --binary-files=text --file=- {folders} 2>/dev/null <<'END'\n{secret}\nEND"
        files = host("xps8950").run(search).stdout.split()
        assert bool(files) == (name in ON_DESKTOP), f"{name}: {files}"
        assert all(path.startswith("/opt/tars/") for path in files), f"{name}: {files}"


def test_the_memory_of_the_backup_has_no_secret_that_it_does_not_need() -> None:
    secrets = {name: secret for name, secret in vault.read(INVENTORY.parent).items() if name not in ON_DESKTOP}
    secrets["vault password"] = vault.vault_password_file().read_text().strip()
    script = f"cat > /root/memory.py <<'END'\n{Path(memory.__file__).read_text()}\nEND\n"
    texts = json.dumps({**secrets, "present": "/opt/tars/backup.json"})
    start = "systemctl start --no-block tars-backup.service"
    run = host("xps8950").run(f"{script}{start} && python3 /root/memory.py bin/tars-backup 20 <<'END'\n{texts}\nEND")
    assert json.loads(run.stdout)["found"] == ["present"], run.stdout + run.stderr


def test_the_snapshot_of_the_nas_brings_back_what_an_attacker_destroyed(site: Path, dsm: Client) -> None:
    on("client", f"cat > /root/tars-ca.pem <<'END'\n{AUTHORITY.read_text()}\nEND")
    put("ladder.txt", LADDER)
    eventually(lambda: states().get("ladder.txt") == "indexed")
    sources = cited()
    assert sources == ["ladder.txt"]
    saved = json.loads(tars("backup", "run", "--json").stdout)["id"]
    # As the schedule does at full hours.
    snapshot = dsm.write(Call("SYNO.Core.Share.Snapshot", "create", 1), {"name": SHARE, "snapinfo": {"desc": "hourly"}})

    script = (Path(__file__).parent / "attack.sh").read_text()
    start = f"bash /root/attack.sh {ADDRESSES['ds1515plus']}"
    attack = host("xps8950").run(f"cat > /root/attack.sh <<'ATTACK'\n{script}ATTACK\n{start}")
    assert attack.stdout.count("\nforged") == 2 and "\nfilled" in attack.stdout, attack.stdout + attack.stderr
    reached = [line for line in attack.stdout.splitlines() if line.startswith("REACHED")]
    assert attack.stdout.endswith("== done\n") and reached == ["REACHED port 2049"], attack.stdout + attack.stderr

    began = time.monotonic()
    tars("lab", "destroy", "xps8950")
    tars("lab", "up")
    listed = json.loads(tars("nas", "snapshots", SHARE, "--json").stdout)["shares"][SHARE]
    assert snapshot in [row["name"] for row in listed]
    cloned = tars("nas", "clone", SHARE, str(snapshot), RECOVERED)
    assert f"share: {RECOVERED}" in cloned.stdout
    spec = site / "tars.yml"
    spec.write_text(spec.read_text().replace(f"share: {SHARE}", f"share: {RECOVERED}"))
    editor = {**environment(), "EDITOR": "sed -i /postgres_password/d;/redis_password/d"}
    secrets = site / "group_vars/all/secrets.yml"
    edit: list[str | Path] = [
        BIN / "ansible-vault",
        "edit",
        "--vault-password-file",
        vault.vault_password_file(),
        secrets,
    ]
    subprocess.run(edit, check=True, env=editor)
    tars("init", "-i", str(site))
    new, old = vault.read(site), vault.read(INVENTORY.parent)
    assert {name for name in new if new[name] != old[name]} == {"postgres_password", "redis_password"}
    tars("site", "-i", str(site))
    restored = json.loads(tars("restore", "-i", str(site), "--json").stdout)
    assert (restored["id"], restored["changed"]) == (saved, True), restored
    eventually(lambda: get("/ready")["ready"])
    assert cited() == sources
    print(f"recovered in {time.monotonic() - began:.0f} s")
    # The history goes on in the recovered share.
    put("barrel.txt", b"The rain barrel was cleaned in May, according to note RB-7001.\n")
    eventually(lambda: states().get("barrel.txt") == "indexed")
    again = json.loads(tars("backup", "run", "-i", str(site), "--json").stdout)
    assert again["changed"] and not again["warnings"], again
    tars("verify", "-i", str(site))
