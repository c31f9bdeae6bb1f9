# SPDX-License-Identifier: GPL-3.0-or-later
"""Describe the collections of a real Chroma server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tars_backup.components.chroma import Chroma
from tars_backup.errors import BackupError

from ..servers import Server
from .conftest import Household
from .staged import stage_component

pytestmark = pytest.mark.integration

COMPONENT = Chroma()


@pytest.fixture
def collections(chroma: Server) -> Iterator[httpx.Client]:
    path = "/api/v2/tenants/default_tenant/databases/default_database"
    client = httpx.Client(base_url=chroma.environment["CHROMA_URL"] + path, trust_env=False, timeout=60)

    def remove_all() -> None:
        for collection in client.get("/collections").json():
            client.delete(f"/collections/{collection['name']}").raise_for_status()

    remove_all()
    yield client
    remove_all()


@pytest.fixture
def used(household: Household, chroma: Server) -> Household:
    port = int(chroma.environment["CHROMA_URL"].rsplit(":", 1)[1])
    return household.with_contract(vectors={"service": "chroma", "port": port})


def create(collections: httpx.Client, name: str, vectors: int) -> None:
    settings = {"hnsw": {"space": "cosine"}}
    created = collections.post("/collections", json={"name": name, "configuration": settings}).raise_for_status().json()
    if vectors:
        body = {
            "ids": [str(number) for number in range(vectors)],
            "embeddings": [[number, 1] for number in range(vectors)],
        }
        collections.post(f"/collections/{created['id']}/upsert", json=body).raise_for_status()


def stage(household: Household) -> tuple[dict[str, int], list[dict[str, Any]]]:
    folder = household.folder / "chroma"
    counts = stage_component(COMPONENT, household.context, folder)
    assert COMPONENT.check(folder, counts) == []
    described: list[dict[str, Any]] = json.loads((folder / "collections.json").read_bytes())
    return counts, described


def test_collections(used: Household, collections: httpx.Client) -> None:
    create(collections, "tars-b", 3)
    create(collections, "tars-a", 0)
    counts, described = stage(used)
    assert counts == {"collections": 2, "vectors": 3}
    assert [(entry["name"], entry["count"], entry["dimension"]) for entry in described] == [
        ("tars-a", 0, None),
        ("tars-b", 3, 2),
    ]
    assert described[1]["configuration"]["hnsw"]["space"] == "cosine"


def test_created_again_is_no_change(used: Household, collections: httpx.Client) -> None:
    create(collections, "tars-a", 2)
    before = stage(used)
    collections.delete("/collections/tars-a").raise_for_status()
    create(collections, "tars-a", 2)
    assert stage(used) == before


def test_wiped_store_is_described_as_empty(used: Household, collections: httpx.Client) -> None:
    """The database has the vectors, so nothing is lost; the counts show an empty store."""
    assert collections.get("/collections").json() == []
    assert stage(used) == ({"collections": 0, "vectors": 0}, [])


def test_more_than_a_page(used: Household, collections: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tars_backup.components.chroma._PAGE", 2)
    for number in range(4):
        create(collections, f"tars-{number}", 0)
    assert stage(used)[0] == {"collections": 4, "vectors": 0}


def test_no_server(household: Household) -> None:
    with pytest.raises(BackupError, match=r"bash in chroma: found exit status 1: .*Connection refused"):
        stage(household)


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ('"$@" | sed s/200/500/', "found status 500"),
        ('"$@" | head -c 150', "expected JSON"),
        ("exit 0", "expected JSON"),
        ("echo nonsense", "expected JSON"),
        ('"$@"; exit 1', "found exit status 1"),
    ],
)
def test_exporter_fails(used: Household, collections: httpx.Client, script: str, expected: str) -> None:
    create(collections, "tars-a", 1)
    used.services.prefixes["chroma"] = ["sh", "-c", script, "sh"]
    with pytest.raises(BackupError, match=expected):
        stage(used)


def test_damaged_list(used: Household, collections: httpx.Client) -> None:
    create(collections, "tars-a", 1)
    counts, _ = stage(used)
    path = used.folder / "chroma/collections.json"
    whole = path.read_bytes()
    for content in (whole[:-5], b"", b"[{}]", b"[]"):
        path.write_bytes(content)
        assert COMPONENT.check(path.parent, counts)
    path.unlink()
    assert COMPONENT.check(path.parent, counts)
