# SPDX-License-Identifier: GPL-3.0-or-later
"""Names and digests of the models in a store as Ollama writes it, and what is damaged there."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tars_backup.components.models import Models
from tars_backup.errors import BackupError

from .conftest import Household
from .staged import stage_component

pytestmark = pytest.mark.integration

COMPONENT = Models()


def write_model(store: Path, name: str, *contents: bytes, separator: str = "-") -> list[Path]:
    """Write a model with a configuration and layers; return the paths of its files."""
    (store / "blobs").mkdir(parents=True, exist_ok=True)
    entries, paths = [], []
    for content in contents:
        digest = hashlib.sha256(content).hexdigest()
        paths.append(store / f"blobs/sha256{separator}{digest}")
        paths[-1].write_bytes(content)
        entries.append({"digest": f"sha256:{digest}", "size": len(content)})
    manifest = store / "manifests" / name
    manifest.parent.mkdir(parents=True)
    manifest.write_text(json.dumps({"config": entries[0], "layers": entries[1:]}))
    return paths


@pytest.fixture
def store(household: Household) -> Path:
    store = household.context.contract.services["ollama"].volumes[0][0]
    store.mkdir(parents=True)
    return store


def stage(household: Household) -> tuple[dict[str, int], list[dict[str, Any]]]:
    folder = household.folder / "models"
    household.messages.clear()
    counts = stage_component(COMPONENT, household.context, folder)
    assert COMPONENT.check(folder, counts) == []
    models: list[dict[str, Any]] = json.loads((folder / "models.json").read_bytes())
    return counts, models


def test_names_and_digests(household: Household, store: Path) -> None:
    write_model(store, "registry.ollama.ai/library/llama3/8b", b"{}", b"weights")
    write_model(store, "registry.ollama.ai/someone/model/latest", b"{ }", separator=":")
    write_model(store, "hf.co/library/model/Q4", b"{  }")
    counts, models = stage(household)
    assert counts == {"models": 3, "damaged": 0}
    assert [model["name"] for model in models] == ["hf.co/library/model:Q4", "llama3:8b", "someone/model:latest"]
    assert models[1]["files"][1] == {"sha256": hashlib.sha256(b"weights").hexdigest(), "size": 7}


def test_no_models(household: Household, store: Path) -> None:
    assert stage(household) == ({"models": 0, "damaged": 0}, [])


DAMAGES: dict[str, Callable[[Path], object]] = {
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "truncated": lambda path: os.truncate(path, 3),
    "renamed": lambda path: path.rename(path.with_name("other")),
    "removed": lambda path: path.unlink(),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_file_is_named(household: Household, store: Path, damage: str) -> None:
    path = write_model(store, "registry.ollama.ai/library/llama3/8b", b"{}", b"weights")[1]
    before = stage(household)
    DAMAGES[damage](path)
    counts, models = stage(household)
    assert counts == {"models": 1, "damaged": 1}
    assert models == before[1]
    warnings = [message for message in household.messages if "Run the site playbook" in message]
    assert len(warnings) == 1
    assert "llama3:8b" in warnings[0]
    assert path.name in warnings[0]


def test_files_are_read_once(household: Household, store: Path) -> None:
    paths = write_model(store, "registry.ollama.ai/library/llama3/8b", b"{}", b"weights")
    stage(household)
    assert sum("reading" in message for message in household.messages) == 2
    stage(household)
    assert not any("reading" in message for message in household.messages)
    paths[1].write_bytes(b"weights")
    assert stage(household)[0]["damaged"] == 0
    assert sum("reading" in message for message in household.messages) == 1


def test_unreadable_manifest(household: Household, store: Path) -> None:
    write_model(store, "registry.ollama.ai/library/llama3/8b", b"{}")
    path = store / "manifests/registry.ollama.ai/library/llama3/8b"
    for content in ("", "{}", "[]", '{"config": {"digest": "md5:1", "size": 1}, "layers": []}'):
        path.write_text(content)
        with pytest.raises(BackupError, match=r"expected the manifest of a model. Remove the file"):
            stage(household)


def test_unreadable_store(household: Household, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_model(store, "registry.ollama.ai/library/llama3/8b", b"{}")

    real = Path.open

    def refuse(path: Path, *arguments: Any, **options: Any) -> Any:
        if path.parent.name == "blobs":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(BackupError, match="found Permission denied; expected a readable store of models"):
        stage_component(COMPONENT, household.context, household.folder / "models")


def test_bytes_are_not_supported(household: Household, store: Path) -> None:
    used = household.with_configuration(models="bytes")
    with pytest.raises(BackupError, match="models: found 'bytes'; expected 'digests'"):
        stage(used)


def test_damaged_list(household: Household, store: Path) -> None:
    write_model(store, "registry.ollama.ai/library/llama3/8b", b"{}")
    counts, _ = stage(household)
    path = household.folder / "models/models.json"
    whole = path.read_bytes()
    for content in (whole[:-5], b"[]", b"[{}]", whole.replace(b'"sha256": "', b'"sha256": "x')):
        path.write_bytes(content)
        assert COMPONENT.check(path.parent, counts)
