# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from uuid import uuid4

import pytest

from tars_app.adapters.mounts import FileStatus, ShareListing
from tars_app.documents.model import KnownDocument
from tars_app.documents.reconcile import compare


def known(size: int | None, mtime_ns: int | None) -> KnownDocument:
    return KnownDocument(uuid4(), size, mtime_ns, "aa")


@pytest.mark.parametrize(
    ("record", "files", "unreadable", "changed", "new", "missing"),
    [
        ({}, {}, (), [], [], []),
        ({"a": (1, 1)}, {"a": (1, 1)}, (), [], [], []),
        ({"a": (1, 1)}, {"a": (2, 1)}, (), ["a"], [], []),
        ({"a": (1, 1)}, {"a": (1, 2)}, (), ["a"], [], []),
        ({"a": (1, None)}, {"a": (1, 1)}, (), ["a"], [], []),
        ({}, {"b": (1, 1), "a": (1, 1)}, (), [], ["a", "b"], []),
        ({"a": (1, 1)}, {}, (), [], [], ["a"]),
        ({"x/a": (1, 1), "xy/a": (1, 1)}, {}, ("x",), [], [], ["xy/a"]),
        ({"a": (1, 1), "b": (1, 1)}, {}, ("a",), [], [], ["b"]),
    ],
)
def test_compare(
    record: dict[str, tuple[int, int]],
    files: dict[str, tuple[int, int]],
    unreadable: tuple[str, ...],
    changed: list[str],
    new: list[str],
    missing: list[str],
) -> None:
    listing = ShareListing(
        {path: FileStatus(*file) for path, file in files.items()}, dict.fromkeys(unreadable, "Input/output error")
    )
    result = compare({path: known(*entry) for path, entry in record.items()}, listing)
    assert (result.changed, result.new, result.missing) == (changed, new, missing)
