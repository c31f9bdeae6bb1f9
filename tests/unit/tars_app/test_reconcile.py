# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from types import SimpleNamespace
from uuid import uuid4

import pytest

from tars_app.adapters.mounts import FileStatus, ShareListing
from tars_app.documents.model import KnownDocument
from tars_app.documents.reconcile import _in_order, compare


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


def test_a_changed_change_time_is_no_change_yet() -> None:
    listing = ShareListing({path: FileStatus(1, 1, 7) for path in ("same", "touched", "unknown")})
    record = {"same": 7, "touched": 6, "unknown": None}
    result = compare({path: KnownDocument(uuid4(), 1, 1, "aa", ctime) for path, ctime in record.items()}, listing)
    assert (result.touched, result.changed, result.new, result.missing) == (["touched"], [], [], [])


def test_small_files_come_first_and_those_that_were_just_changed_when_they_are_settled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now, clock = 1_700_000_000 * 10**9, [0.0]

    def sleep(seconds: float) -> None:
        clock[0] += seconds

    stopped = SimpleNamespace(time=lambda: now / 1e9, monotonic=lambda: clock[0], sleep=sleep)
    monkeypatch.setattr("tars_app.documents.reconcile.time", stopped)
    files = {
        "large": FileStatus(100, 1, 1),
        "small": FileStatus(1, 1, 1),
        "just written": FileStatus(5, now, now),
        "just copied with its old time": FileStatus(6, 1, now),
        "of the future": FileStatus(7, now + 10**12, 1),
    }
    shown: list[float] = []
    ordered = _in_order(list(files), files, 0.5, lambda: shown.append(clock[0]))
    order = [(path, clock[0]) for path in ordered]
    assert order == [
        ("small", 0.0),
        ("of the future", 0.0),
        ("large", 0.0),
        ("just written", 0.5),
        ("just copied with its old time", 0.5),
    ]
    assert len(shown) > 1, "while only these are left, the queue is filled"
    assert list(_in_order(list(files), files, 0.5, lambda: None))[:2] == [
        "just written",
        "just copied with its old time",
    ]
