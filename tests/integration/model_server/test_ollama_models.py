# SPDX-License-Identifier: GPL-3.0-or-later
"""Models managed with plain Ansible on the real model server, checked with the official client and on disk."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import ollama
import pytest
import yaml

from .conftest import CHAT, EMBEDDING, Relay, Server

pytestmark = pytest.mark.integration


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def models(server: Server, folder: Path, *names: str, check: bool = False, **more: Any) -> dict[str, Any]:
    """Run the module in a playbook; return its result."""
    arguments = {"url": server.url, "folder": str(server.models), "record": str(folder / "models.yml")}
    task = {"tars.home.ollama_models": {**arguments, "models": list(names), **more}, "register": "it"}
    show = {"ansible.builtin.copy": {"dest": str(folder / "it.json"), "content": "{{ it | to_json }}"}}
    tasks = [{"name": "Models", **task, "failed_when": False}, {"name": "Show", **show, "check_mode": False}]
    (folder / "play.yml").write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    program = Path(sys.executable).with_name("ansible-playbook")
    subprocess.run(
        [program, "-i", "localhost,", "-c", "local", *(["--check"] if check else []), folder / "play.yml"],
        env={**os.environ, "ANSIBLE_CONFIG": str(server.root / "ansible.cfg")},
        cwd=server.root,
        check=True,
        capture_output=True,
    )
    result: dict[str, Any] = json.loads((folder / "it.json").read_text())
    return result


def names(client: ollama.Client) -> set[str | None]:
    return {model.model for model in client.list().models}


@pytest.mark.usefixtures("models")
def test_the_models_are_pulled_and_recorded_and_a_second_run_changes_nothing(
    server: Server, client: ollama.Client, folder: Path
) -> None:
    client.delete(EMBEDDING)
    planned = models(server, folder, CHAT, EMBEDDING, check=True)
    assert planned["changed"] and planned["changes"] == [f"pull {EMBEDDING}"]
    assert f"{EMBEDDING}:latest" not in names(client) and not (folder / "models.yml").exists()
    first = models(server, folder, CHAT, EMBEDDING)
    assert first["changed"] and first["changes"] == [f"pull {EMBEDDING}"]
    assert names(client) == {CHAT, f"{EMBEDDING}:latest"}
    recorded = yaml.safe_load((folder / "models.yml").read_text())
    assert recorded[CHAT] == next(m.digest for m in client.list().models if m.model == CHAT)
    second = models(server, folder, CHAT, EMBEDDING)
    assert not second["changed"] and second["changes"] == []


@pytest.mark.usefixtures("models")
def test_a_moved_tag_is_reported(server: Server, client: ollama.Client, folder: Path) -> None:
    digest = {model.model: model.digest for model in client.list().models}
    client.copy(CHAT, "mine:1b")
    try:
        models(server, folder, "mine:1b")
        client.copy(EMBEDDING, "mine:1b")
        result = models(server, folder, "mine:1b")
    finally:
        client.delete("mine:1b")
    moved = f"mine:1b: found {digest[f'{EMBEDDING}:latest']}, expected the recorded {digest[CHAT]}: its tag was moved"
    assert moved in result["msg"]
    assert yaml.safe_load((folder / "models.yml").read_text()) == {"mine:1b": digest[CHAT]}


@pytest.mark.usefixtures("models")
def test_an_interrupted_pull_is_resumed(server: Server, client: ollama.Client, relay: Relay, folder: Path) -> None:
    weights = max((server.models / "blobs").iterdir(), key=lambda path: path.stat().st_size)
    half, whole = weights.read_bytes()[: weights.stat().st_size // 2], hashlib.sha256(weights.read_bytes())
    client.delete(CHAT)
    weights.with_name(f"{weights.name}-partial").write_bytes(half)
    result = models(server, folder, CHAT, url=relay.url)
    assert result["changes"] == [f"pull {CHAT}"] and hashlib.sha256(weights.read_bytes()).digest() == whole.digest()
    (events,) = relay.answers("/api/pull")
    layer = weights.name.replace("-", ":")
    # Ollama omits a zero, which it reports until it has read the present part.
    completed = [event["completed"] for event in events if event.get("digest") == layer and "completed" in event]
    assert min(completed) >= len(half), "the first half was downloaded again"


@pytest.mark.usefixtures("models")
def test_a_corrupted_blob_is_reported(server: Server, folder: Path) -> None:
    weights = max((server.models / "blobs").iterdir(), key=lambda path: path.stat().st_size)
    assert not models(server, folder, CHAT, EMBEDDING, check=True, verify="all")["changed"]
    with weights.open("r+b") as file:
        file.seek(1000)
        kept = file.read(1)
        file.seek(1000)
        file.write(bytes([kept[0] ^ 1]))
    try:
        result = models(server, folder, CHAT, EMBEDDING, check=True, verify="all")
    finally:
        with weights.open("r+b") as file:
            file.seek(1000)
            file.write(kept)
    assert f"{weights} is damaged" in result["msg"]


@pytest.mark.usefixtures("models")
def test_other_models_are_removed_only_on_request(server: Server, client: ollama.Client, folder: Path) -> None:
    models(server, folder, CHAT, EMBEDDING)
    client.embed(EMBEDDING, "the boiler")
    assert models(server, folder, CHAT)["changed"] is False
    assert models(server, folder, CHAT, unload=True)["changed"] is True
    assert [model.model for model in client.ps().models if model.model != CHAT] == []
    assert names(client) == {CHAT, f"{EMBEDDING}:latest"}
    result = models(server, folder, CHAT, exclusive=True)
    assert result["changes"] == [f"delete {EMBEDDING}:latest"]
    assert names(client) == {CHAT}
