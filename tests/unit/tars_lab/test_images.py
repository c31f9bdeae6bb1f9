# SPDX-License-Identifier: GPL-3.0-or-later
"""The digests that decide whether an image is built again, and the names under which images are served."""

from pathlib import Path

import pytest

from tars_lab import images, registry


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("postgres:17", ("library/postgres", "17")),
        ("chromadb/chroma:1.5.9", ("chromadb/chroma", "1.5.9")),
        ("redis", ("library/redis", "latest")),
    ],
)
def test_names_are_those_of_a_mirror_of_docker_hub(reference: str, expected: tuple[str, str]) -> None:
    assert registry.repository(reference) == expected


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("python", "chroma", "redis"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "Dockerfile").write_text(f"# {name}\n")
    monkeypatch.setattr(images, "_BUILD", tmp_path)
    return tmp_path


def keys(root: str = "root", redis: str = "redis:8") -> dict[str, str]:
    return images._keys({"python": "python:3", "chroma": "chromadb/chroma:1", "redis": redis}, root)


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return {name for name in before if before[name] != after[name]}


def test_unchanged_sources_have_the_same_digests(folders: Path) -> None:
    assert keys() == keys()


def test_a_change_affects_only_the_images_built_from_it(folders: Path) -> None:
    before = keys()
    (folders / "python/Dockerfile").write_text("# other\n")
    assert changed(before, keys()) == {"python", "chroma"}


def test_a_new_version_a_new_base_and_a_new_mode_count_as_changes(folders: Path) -> None:
    before = keys()
    assert changed(before, keys(redis="redis:9")) == {"redis"}
    assert changed(before, keys(root="other")) == {"python", "chroma", "redis"}
    (folders / "redis/Dockerfile").chmod(0o755)
    assert changed(before, keys()) == {"redis"}


def test_python_caches_do_not_count_as_changes(folders: Path) -> None:
    before = keys()
    (folders / "redis/__pycache__").mkdir()
    (folders / "redis/__pycache__/x.pyc").write_bytes(b"x")
    assert keys() == before
