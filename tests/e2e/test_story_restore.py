# SPDX-License-Identifier: GPL-3.0-or-later
"""Restores on the story's desktop: what returns, what was deleted since, and the way back.

Each test builds on the previous ones. Rows are counted with psql, folders and containers are read with stock programs.
"""

from __future__ import annotations

import json

import pytest

from ..conftest import tars
from .conftest import AUTHORITY, eventually, host, playbook
from .test_story import TRUST, ask, on_nas, put, search, states

pytestmark = [pytest.mark.e2e, pytest.mark.lab, pytest.mark.usefixtures("provisioned")]

CANOE = b"The canoe is stored in the northern shed, according to note CN-5521.\n"
LADDER = b"The ladder was lent to the Jansen family, according to note LD-3307.\n"
QUESTION = "Where is the canoe stored?"


@pytest.fixture(scope="module", autouse=True)
def saved(provisioned: None) -> str:
    """Add a document, make a backup of it, and return the id of the backup."""
    assert host("client").run(f"cat > /root/tars-ca.pem <<'END'\n{AUTHORITY.read_text()}\nEND").rc == 0
    put("canoe.txt", CANOE)
    eventually(lambda: states().get("canoe.txt") == "indexed")
    assert cited() == ["canoe.txt"]
    return str(json.loads(tars("backup", "run", "--json").stdout)["id"])


def status(path: str) -> str:
    """Return the status code of a path of the application."""
    words = f"curl -s -o /dev/null --max-time 60 -w '%{{http_code}}' {TRUST} https://tars.home.arpa{path}"
    return str(host("client").run(words).stdout)


def cited() -> list[str]:
    """Ask where the canoe is, and return the paths of the sources that state it."""
    sources = ask(QUESTION)["sources"]["sources"]
    return [source["path"] for source in sources if "CN-5521" in json.dumps(source)]


def versions() -> str:
    """Return the ids of all versions in the database."""
    query = "SELECT id FROM versions ORDER BY id"
    done = host("xps8950").run(f"docker exec tars-postgres-1 psql -U tars -d tars -Atc '{query}'")
    assert done.rc == 0, done.stderr
    return str(done.stdout)


def running() -> set[str]:
    """Return the names of the containers that run."""
    return set(host("xps8950").check_output("docker ps --format '{{.Names}}'").split())


def test_a_preview_names_what_would_be_lost(saved: str) -> None:
    put("ladder.txt", LADDER)
    eventually(lambda: states().get("ladder.txt") == "indexed")
    preview = tars("restore", saved, "--preview", "--json", check=False)
    assert preview.returncode == 3, preview.stdout + preview.stderr
    tables = json.loads(preview.stdout)["tables"]
    assert tables["documents"]["present"] == tables["documents"]["saved"] + 1
    assert "ladder.txt" in states()


def test_what_was_deleted_since_is_not_answered_from_before_the_first_scan(saved: str) -> None:
    on_nas("rm canoe.txt")
    eventually(lambda: "canoe.txt" not in search("canoe"))
    later = versions()
    host("xps8950").check_output("docker stop tars-worker-1")
    before = running()

    document = json.loads(tars("restore", saved, "--json").stdout)

    assert document["changed"] and "worker" not in document["services"], document
    assert running() == before, "a service that was stopped by hand stays stopped"
    assert versions() != later
    assert status("/api/search?q=canoe") == "503", "refused until the worker has seen that the database was restored"
    again = playbook("restore", "--extra-vars", f"backup={saved}")
    assert again.code == 0 and again.recap("xps8950")["changed"] == 0, again.output

    host("xps8950").check_output("docker start tars-worker-1")
    eventually(lambda: status("/api/search?q=canoe") == "200")
    assert "canoe.txt" not in search("canoe") and "CN-5521" not in json.dumps(ask(QUESTION))
    eventually(lambda: states().get("ladder.txt") == "indexed")
    assert "canoe.txt" not in search("canoe") and "ladder.txt" in search("ladder")
    eventually(lambda: status("/ready") == "200")


def test_data_folders_are_as_the_role_describes_them() -> None:
    run = playbook("verify")
    assert run.code == 0, run.output
    for service in ("postgres", "redis", "chroma"):
        folders = host("xps8950").check_output(f"stat -c '%u %g %a' /var/lib/tars/{service}*").splitlines()
        assert len(folders) > 1 and len(set(folders)) == 1, f"{service}: {folders}"
    names = host("xps8950").check_output("docker ps --all --format '{{.Names}}'; ls /var/lib/tars /var/lib/tars/backup")
    assert "restoring" not in names and "work" not in names.split(), names


@pytest.mark.disaster
def test_a_rollback_returns_to_the_data_before() -> None:
    rolled_back = json.loads(tars("restore", "--rollback", "--json").stdout)
    assert rolled_back["changed"] and set(rolled_back["services"]) >= {"app", "worker", "postgres"}
    eventually(lambda: status("/api/search?q=ladder") == "200")
    assert "ladder.txt" in search("ladder") and "canoe.txt" not in search("canoe")
    assert "tars-worker-1" in running()


@pytest.mark.disaster
def test_a_restored_queue_is_read(saved: str) -> None:
    restored = json.loads(tars("restore", saved, "--component", "redis", "--json").stdout)
    assert restored["components"] == ["redis"] and restored["changed"]
    eventually(lambda: status("/ready") == "200")
    assert "ladder.txt" in search("ladder")
