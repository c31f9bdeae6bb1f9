# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import resource
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.tars.home.plugins.module_utils.resource.converge import converge
from ansible_collections.tars.home.plugins.module_utils.resource.errors import explain
from ansible_collections.tars.home.plugins.module_utils.system import files
from ansible_collections.tars.home.plugins.module_utils.system.files import Change, Entry
from hypothesis import given
from hypothesis import strategies as st

ME, MINE = str(os.getuid()), str(os.getgid())
entries = st.builds(
    Entry,
    st.sampled_from(["a", "b/c", "b/d"]),
    st.just(ME),
    st.just(MINE),
    st.sampled_from([0o600, 0o640, 0o755]),
    st.binary(max_size=4),
)


@given(st.lists(entries, unique_by=lambda entry: entry.path), st.lists(entries, unique_by=lambda entry: entry.path))
def test_a_second_run_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, before: list[Entry], after: list[Entry]
) -> None:
    top = tmp_path_factory.mktemp("set")
    for listed in (before, after):
        desired = [Entry(str(top / e.path), e.owner, e.group, e.mode, e.content) for e in listed]
        outcome = converge(files.resource(desired), check_mode=False)
        assert outcome.after == files.predict(outcome.before, outcome.changes)
        assert converge(files.resource(desired), check_mode=False).changes == []
    assert not [path for path in top.rglob(".tars-*")], "a temporary file was left"


@pytest.fixture
def tight_umask() -> Iterator[None]:
    before = os.umask(0o077)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.usefixtures("tight_umask")
def test_modes_do_not_depend_on_the_umask(tmp_path: Path) -> None:
    files.write(Change(Entry(str(tmp_path / "x/y"), ME, MINE, 0o2775), ("create",)))
    files.write_file(str(tmp_path / "a.service.d/b/c.conf"), "text", 0o664)
    files.make_folder(str(tmp_path / "p/q"), 0o700)
    assert (mode(tmp_path / "x"), mode(tmp_path / "x/y")) == (0o755, 0o2775)
    assert (mode(tmp_path / "a.service.d"), mode(tmp_path / "a.service.d/b")) == (0o755, 0o755)
    assert mode(tmp_path / "a.service.d/b/c.conf") == 0o664
    assert (mode(tmp_path / "p"), mode(tmp_path / "p/q")) == (0o755, 0o700)


def test_a_folder_that_exists_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir(mode=0o711)
    files.make_folder(str(tmp_path / "x"), 0o755)
    assert mode(tmp_path / "x") == 0o711


def test_an_error_names_the_file_and_not_the_temporary_one(tmp_path: Path) -> None:
    path = str(tmp_path / "large")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(OSError, match="File too large") as caught:
            files.write_file(path, "x" * 8192)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert explain(caught.value).startswith(f"{path}: File too large. Next: ")
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_place_of_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(files.FileSetError, match=r"/file: found a file, expected a folder. Next: "):
        files.write_file(str(tmp_path / "file/x/y"), "text")


def test_an_error_of_the_system_without_a_file_is_explained() -> None:
    assert explain(OSError("no interface with this name")) == (
        "no interface with this name. Next: correct this on the machine, then run again."
    )


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc/passwd")
    with pytest.raises(files.FileSetError, match="link: found a link or a device"):
        files.read(str(tmp_path / "link"))


def test_owners_by_name_and_number() -> None:
    assert (files.uid("root"), files.uid("10001"), files.gid("root")) == (0, 10001, 0)
    with pytest.raises(files.FileSetError, match="User nobody-of-that-name does not exist"):
        files.uid("nobody-of-that-name")


def test_an_owner_is_spelled_as_given(tmp_path: Path) -> None:
    present = files.read("/etc/passwd", "root", "0")
    assert present is not None and (present.owner, present.group) == ("root", "0")


def test_a_secret_is_not_shown() -> None:
    before = {"/a": Entry("/a", "root", "root", 0o644, b"old secret")}
    after = {"/a": Entry("/a", "root", "root", 0o400, b"new secret", secret=True)}
    shown = files.diff(before, after)[0]
    assert (shown["before"], shown["after"]) == (
        "file root:root 0644\n(secret)\n",
        "file root:root 0400\n(secret, differs)\n",
    )


STATUS = "41ed 0 root 8 mail"
PROBED: dict[str, tuple[Entry, str, bool]] = {
    "by name": (Entry("/a", "root", "mail", 0o755), STATUS, True),
    "by number": (Entry("/a", "0", "8", 0o755), STATUS, True),
    "owner": (Entry("/a", "8", "mail", 0o755), STATUS, False),
    "group": (Entry("/a", "root", "root", 0o755), STATUS, False),
    "mode": (Entry("/a", "root", "mail", 0o2755), STATUS, False),
    "a file is wanted": (Entry("/a", "root", "mail", 0o755, b""), STATUS, False),
    "a link": (Entry("/a", "root", "root", 0o777), "a1ff 0 root 0 root", False),
    "another output": (Entry("/a", "root", "root", 0o755), "stat: what", False),
}


@pytest.mark.parametrize(("entry", "line", "same"), PROBED.values(), ids=PROBED)
def test_the_probe_compares_entries(entry: Entry, line: str, same: bool) -> None:
    state = files.parse([entry], 0, line)
    assert (state is not None and files.plan(state, [entry]) == []) is same
    assert files.parse([entry], 1, line) is None


def test_binary_content_comes_in_base64_and_is_not_shown() -> None:
    item = {"path": "/a", "owner": "root", "group": "root", "mode": "0755", "base64": "/wA="}
    entry = files.desired_entry(item)
    assert entry == Entry("/a", "root", "root", 0o755, b"\xff\x00") and entry.secret
    with pytest.raises(files.FileSetError, match="expected the content in base64"):
        files.desired_entry({**item, "base64": "no base64"})
