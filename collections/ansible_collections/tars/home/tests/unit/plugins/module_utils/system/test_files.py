# SPDX-License-Identifier: GPL-3.0-or-later
import os
import stat

import pytest
from ansible_collections.tars.home.plugins.module_utils.system import files as file_set
from ansible_collections.tars.home.plugins.module_utils.system.files import Change, Entry
from hypothesis import given
from hypothesis import strategies as st

FILE = Entry("/a", 0, 0, 0o644, b"x")
FOLDER = Entry("/a", 0, 0, 0o755)

CASES = {
    "absent": (None, FILE, ("create",)),
    "same": (FILE, FILE, ()),
    "content": (Entry("/a", 0, 0, 0o644, b"y"), FILE, ("content",)),
    "emptied": (Entry("/a", 0, 0, 0o644, b""), FILE, ("content",)),
    "owner": (Entry("/a", 1, 0, 0o644, b"x"), FILE, ("owner",)),
    "group": (Entry("/a", 0, 1, 0o644, b"x"), FILE, ("owner",)),
    "mode and content": (Entry("/a", 0, 0, 0o600, b"y"), FILE, ("content", "mode")),
    "folder's mode": (Entry("/a", 0, 0, 0o700), FOLDER, ("mode",)),
}


@pytest.mark.parametrize(("present", "wanted", "expected"), CASES.values(), ids=CASES)
def test_plan(present, wanted, expected):
    changes = file_set.plan({"/a": present}, [wanted])
    assert changes == ([Change(wanted, expected)] if expected else [])


@pytest.mark.parametrize(("present", "wanted"), [(FILE, FOLDER), (FOLDER, FILE)])
def test_a_file_never_becomes_a_folder(present, wanted):
    with pytest.raises(file_set.FileSetError, match=r"/a: a .* is wanted, a .* is there"):
        file_set.plan({"/a": present}, [wanted])


entries = st.builds(
    Entry,
    st.sampled_from(["a", "b/c", "b/d"]),
    st.just(os.getuid()),
    st.just(os.getgid()),
    st.sampled_from([0o600, 0o640, 0o755]),
    st.binary(max_size=4),
)


@given(st.lists(entries, unique_by=lambda entry: entry.path), st.lists(entries, unique_by=lambda entry: entry.path))
def test_after_the_plan_nothing_is_left_to_do(tmp_path_factory, before, after):
    top = tmp_path_factory.mktemp("set")
    for wanted in (before, after):
        wanted = [Entry(str(top / e.path), e.uid, e.gid, e.mode, e.content) for e in wanted]
        for change in file_set.plan({entry.path: file_set.read(entry.path) for entry in wanted}, wanted):
            file_set.apply(change)
        assert file_set.plan({entry.path: file_set.read(entry.path) for entry in wanted}, wanted) == []
    assert not [path for path in top.rglob(".tars-*")], "a temporary file was left"


def test_a_folder_is_made_with_its_mode_whatever_the_umask(tmp_path):
    before = os.umask(0o077)
    try:
        file_set.apply(Change(Entry(str(tmp_path / "x/y"), os.getuid(), os.getgid(), 0o2775), ("create",)))
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "x/y").stat().st_mode) == 0o2775


def test_a_link_is_not_followed(tmp_path):
    (tmp_path / "link").symlink_to("/etc/passwd")
    with pytest.raises(file_set.FileSetError, match="link: neither a file nor a folder"):
        file_set.read(str(tmp_path / "link"))


def test_owners_by_name_and_number():
    assert (file_set.uid("root"), file_set.uid("10001"), file_set.gid("root")) == (0, 10001, 0)
    with pytest.raises(file_set.FileSetError, match="User nobody-of-that-name does not exist"):
        file_set.uid("nobody-of-that-name")
