# SPDX-License-Identifier: GPL-3.0-or-later
"""The contract of the role stack names what its Compose file has. A scenario of the role compares it with Docker."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tars_app import __version__ as app_version

ROOT = Path(__file__).parents[3]
ROLE = ROOT / "collections/ansible_collections/tars/home/roles/stack"
IMAGES = {name: f"{name}:1" for name in ("caddy", "postgres", "redis", "chroma", "ollama", "python")}
DIGEST = f"sha256:{'a' * 64}"
GIVEN = {
    "inventory_dir": "/site",
    "stack_project": "household",
    "stack_version": "1.2.3",
    "stack_app_sources": str(ROOT / "app"),
    "stack_data_folder": "/data",
    "stack_backup_status_folder": "/data/backup-status",
    "stack_images": IMAGES,
    "stack_names": ["tars.home.arpa"],
    "stack_addresses": ["10.0.0.1"],
    "stack_chat_model": "chat:1",
    "stack_embedding_model": "embedding",
    "__stack_app": {"image": "tars-app:0123"},
    "__stack_pulled": {
        "digests": dict.fromkeys(IMAGES.values(), DIGEST),
        "pinned": {name: f"{name}@{DIGEST}" for name in IMAGES.values()},
    },
    "__stack_issued": {"root": "root", "certificates": {"localhost": "issuer"}},
}


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the contract and the Compose file."""
    folder = tmp_path_factory.mktemp("stack")
    tasks = [
        {"ansible.builtin.template": {"src": str(ROLE / "templates" / f"{name}.j2"), "dest": str(folder / name)}}
        for name in ("contract.json", "compose.yaml")
    ]
    files = [str(ROLE / part / "main.yml") for part in ("defaults", "vars")]
    play = [{"hosts": "localhost", "connection": "local", "gather_facts": False, "vars_files": files, "tasks": tasks}]
    (folder / "play.yml").write_text(yaml.safe_dump(play))
    (folder / "given.json").write_text(json.dumps(GIVEN))
    program = str(Path(sys.executable).with_name("ansible-playbook"))
    command = [program, str(folder / "play.yml"), f"-e@{folder}/given.json"]
    environment = os.environ | {"ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections")}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads((folder / "contract.json").read_text()), yaml.safe_load((folder / "compose.yaml").read_text())


def test_services_of_the_contract(rendered: tuple[dict[str, Any], dict[str, Any]]) -> None:
    contract, compose = rendered
    assert compose["name"] == contract["project"] == "household"
    assert set(contract["services"]) == set(compose["services"])
    for name, service in contract["services"].items():
        written = compose["services"][name]
        assert service["container"] == f"household-{name}-1"
        assert service["image"] == written["image"]
        assert written["user"] == f"{service['user']}:{service['user']}"
        for volume in service["volumes"]:
            assert f"{volume['source']}:{volume['target']}" in written["volumes"]
            assert volume["source"] == f"/data/{name}"


def test_facts_of_the_contract(rendered: tuple[dict[str, Any], dict[str, Any]]) -> None:
    contract, compose = rendered
    assert (contract["schema"], contract["version"]) == (1, "1.2.3")
    assert contract["application"] == {"version": app_version, "image": "tars-app:0123"}
    assert contract["images"] == dict.fromkeys(IMAGES.values(), DIGEST)
    database, environment = contract["database"], compose["services"]["postgres"]["environment"]
    assert (database["name"], database["user"]) == (environment["POSTGRES_DB"], environment["POSTGRES_USER"])
    assert database["password_file"] == compose["secrets"]["postgres_password"]["file"]
    application = compose["services"]["app"]["environment"]
    assert (application["TARS_POSTGRES_DB"], application["TARS_POSTGRES_USER"]) == (database["name"], database["user"])
    assert application["TARS_CHROMA_URL"] == f"http://chroma:{contract['vectors']['port']}"
    assert application["TARS_OLLAMA_URL"] == f"http://ollama:{contract['models']['port']}"
    folder, _, target = compose["services"]["app"]["volumes"][-1].removesuffix(":ro").partition(":")
    assert contract["backup_status"] == f"{folder}/status.json" == "/data/backup-status/status.json"
    assert application["TARS_BACKUP_STATUS"] == f"{target}/status.json"
    page = contract["page"]
    assert compose["services"]["caddy"]["ports"] == [f"{page['host_port']}:{page['port']}"]
    for key in ("database", "queue", "vectors", "models", "page"):
        assert contract[key]["service"] in contract["services"]
