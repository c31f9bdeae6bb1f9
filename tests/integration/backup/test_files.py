# SPDX-License-Identifier: GPL-3.0-or-later
"""Save and bring back the configuration and the site folder, with owners and modes (as root)."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tars_backup.components import all_components, file_tree
from tars_backup.components.configuration import Configuration, Site
from tars_backup.errors import BackupError

from .conftest import Household
from .staged import stage_component

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(os.getuid() != 0, reason="only root can set owners"),
]

COMPONENT = Configuration()


@pytest.fixture
def strict_umask() -> Iterator[None]:
    before = os.umask(0o077)
    yield
    os.umask(before)


@pytest.fixture
def opt(household: Household) -> Path:
    """A folder with files of several owners and modes, a link, an empty folder and a secret."""
    opt = household.folder / "opt"
    (opt / "secrets").mkdir(mode=0o700)
    (opt / "empty").mkdir(mode=0o711)
    for name, content, mode, owner in (
        ("compose.yaml", b"services: {}\n", 0o644, 0),
        ("secrets/issuer.key", b"\x00\xffkey\r\n", 0o400, 10004),
        ("secrets/empty", b"", 0o600, 999),
        ("bin", b"#!/bin/sh\n", 0o4755, 0),
    ):
        (opt / name).write_bytes(content)
        os.chown(opt / name, owner, owner)
        (opt / name).chmod(mode)
    (opt / "current").symlink_to("secrets/../compose.yaml")
    os.chown(opt / "empty", 10001, 999)
    return opt


def stage(household: Household) -> dict[str, int]:
    counts = stage_component(COMPONENT, household.context, household.folder / "configuration")
    assert COMPONENT.check(household.folder / "configuration", counts) == []
    return counts


def listing(folder: Path) -> dict[str, tuple[object, ...]]:
    """Return type, mode, owner and content of everything below a folder."""
    result: dict[str, tuple[object, ...]] = {}
    for path in sorted([folder, *folder.rglob("*")]):
        status = path.lstat()
        content = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else None
        mode = None if path.is_symlink() else stat.S_IMODE(status.st_mode)
        result[str(path.relative_to(folder))] = (
            stat.S_IFMT(status.st_mode),
            mode,
            status.st_uid,
            status.st_gid,
            content,
        )
    return result


@pytest.mark.usefixtures("strict_umask")
def test_everything_returns_with_owner_and_mode(household: Household, opt: Path, tmp_path: Path) -> None:
    assert stage(household) == {"files": 4, "links": 1}
    root = tmp_path / "new machine"
    (root / opt.relative_to("/")).parent.mkdir(parents=True)
    changed = file_tree.restore(household.folder / "configuration", root)
    assert len(changed) == 8
    assert listing(root / opt.relative_to("/")) == listing(opt)
    assert file_tree.restore(household.folder / "configuration", root) == []


def test_what_differs_is_replaced(household: Household, opt: Path) -> None:
    stage(household)
    before = listing(opt)
    (opt / "compose.yaml").unlink()
    (opt / "compose.yaml").mkdir()
    (opt / "compose.yaml/inside").write_bytes(b"")
    (opt / "empty").rmdir()
    (opt / "empty").symlink_to("/")
    (opt / "secrets/issuer.key").write_bytes(b"other")
    (opt / "secrets/empty").chmod(0o644)
    os.chown(opt / "bin", 1, 1)
    (opt / "current").unlink()
    (opt / "added").write_bytes(b"stays")
    changed = file_tree.restore(household.folder / "configuration", Path("/"))
    names = ["bin", "compose.yaml", "current", "empty", "secrets/empty", "secrets/issuer.key"]
    # The times of folders are not saved, so the folders themselves did not change.
    assert sorted(str(path.relative_to(opt)) for path in changed) == names
    assert (opt / "added").read_bytes() == b"stays"
    (opt / "added").unlink()
    assert listing(opt) == before


def test_written_again_is_no_change(household: Household, opt: Path) -> None:
    stage(household)
    path = household.folder / "configuration" / file_tree.LIST
    before = path.read_bytes()
    (opt / "compose.yaml").write_bytes((opt / "compose.yaml").read_bytes())
    os.utime(opt / "compose.yaml", (0, 0))
    stage(household)
    assert path.read_bytes() == before
    (opt / "compose.yaml").chmod(0o600)
    stage(household)
    assert path.read_bytes() != before


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    names=st.lists(
        st.text(st.characters(codec="utf-8", exclude_characters="\x00/"), min_size=1, max_size=20).filter(
            lambda name: name not in (".", "..")
        ),
        max_size=6,
        unique=True,
    )
)
def test_any_name(household: Household, tmp_path_factory: pytest.TempPathFactory, names: list[str]) -> None:
    source, root = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("root")
    for name in names:
        (source / name).write_text(name)
    used = household.with_configuration(site=source)
    stage_component(Site(), used.context, household.folder / "site")
    file_tree.restore(household.folder / "site", root)
    assert listing(root) == listing(source)


def test_removed_meanwhile(household: Household, opt: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = file_tree._walk

    def walk(folder: Path) -> Iterator[Path]:
        for path in real(folder):
            if path.name == "compose.yaml":
                path.unlink()
            yield path

    monkeypatch.setattr(file_tree, "_walk", walk)
    assert stage(household) == {"files": 3, "links": 1}


def test_sockets_and_pipes_are_left_out(household: Household, opt: Path) -> None:
    os.mkfifo(opt / "pipe")
    assert stage(household) == {"files": 4, "links": 1}


def test_name_that_is_not_utf8(household: Household, opt: Path) -> None:
    Path(os.fsdecode(os.fsencode(opt) + b"/\xff")).write_bytes(b"")
    with pytest.raises(BackupError, match="found a name that is not UTF-8"):
        stage(household)


def test_no_folder(household: Household) -> None:
    used = household.with_configuration(configuration=(household.folder / "absent",))
    with pytest.raises(BackupError, match=r"found no .*/absent; expected folders that exist"):
        stage(used)


def test_unreadable_folder(household: Household, opt: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.scandir

    def refuse(path: Path) -> object:
        if Path(path) == opt / "secrets":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(BackupError, match=r"secrets: found Permission denied; expected a readable folder"):
        stage(household)


def test_unreadable(household: Household, opt: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.open

    def refuse(path: Path, flags: int, mode: int = 0o777) -> int:
        if Path(path) == opt / "compose.yaml":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, flags, mode)

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(BackupError, match=r"compose.yaml: found Permission denied; expected a readable file"):
        stage(household)


@pytest.mark.parametrize("damage", ["cut", "absent", "list cut", "list absent"])
def test_check_names_the_file(household: Household, opt: Path, damage: str) -> None:
    counts = stage(household)
    folder = household.folder / "configuration"
    path = folder / file_tree.LIST if "list" in damage else folder / file_tree.TREE / str(opt / "compose.yaml")[1:]
    if "cut" in damage:
        path.write_bytes(path.read_bytes()[:-2])
    else:
        path.unlink()
    problems = COMPONENT.check(folder, counts)
    assert len(problems) == 1
    assert str(path) in problems[0]


def test_check_counts(household: Household, opt: Path) -> None:
    stage(household)
    problems = COMPONENT.check(household.folder / "configuration", {"files": 5, "links": 1})
    assert problems == ["files.json lists {'files': 4, 'links': 1}, the manifest {'files': 5, 'links': 1}"]


def test_site_can_be_absent(household: Household) -> None:
    folder = household.folder / "staged site"
    counts = stage_component(Site(), household.context, folder)
    assert counts == {"files": 0, "links": 0, "present": 0}
    assert Site().check(folder, counts) == []
    assert file_tree.entries(folder) == []


def test_site(household: Household, tmp_path: Path) -> None:
    site = household.context.configuration.site
    (site / "group_vars").mkdir(parents=True)
    (site / "tars.yml").write_text("hosts: {}\n")
    (site / "group_vars/secrets.yml").write_text("$ANSIBLE_VAULT;1.1;AES256\n")
    folder = household.folder / "staged site"
    counts = stage_component(Site(), household.context, folder)
    assert counts == {"files": 2, "links": 0, "present": 1}
    assert Site().check(folder, counts) == []
    assert (folder / file_tree.TREE / "tars.yml").read_text() == "hosts: {}\n"


def test_components_of_a_backup() -> None:
    components = all_components()
    assert [component.name for component in components] == [
        "postgres",
        "redis",
        "chroma",
        "configuration",
        "site",
        "models",
    ]
    assert [component.name for component in components if component.derived] == ["redis", "chroma"]


def test_folder_that_is_removed_while_it_is_walked(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    walk = file_tree._walk(tmp_path)
    assert [next(walk), next(walk)] == [tmp_path, tmp_path / "folder"]
    (tmp_path / "folder").rmdir()
    assert list(walk) == []


def test_folder_with_another_mode_keeps_its_content(household: Household, opt: Path, tmp_path: Path) -> None:
    stage(household)
    root = tmp_path / "root"
    (root / str(opt.parent).lstrip("/")).mkdir(parents=True)
    file_tree.restore(household.folder / "configuration", root)
    secrets = next(root.rglob("secrets"))
    secrets.chmod(0o755)
    (secrets / "added").write_text("stays")
    assert file_tree.restore(household.folder / "configuration", root) == [secrets]
    assert secrets.stat().st_mode & 0o777 == 0o700 and (secrets / "added").read_text() == "stays"
