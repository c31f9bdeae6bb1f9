# SPDX-License-Identifier: GPL-3.0-or-later
"""Manifests: what they refuse, and the digests by which a backup is compared with them."""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tars_backup import manifest
from tars_backup.components.staging import Staging
from tars_backup.errors import BackupError
from tars_backup.instants import UTC
from tars_backup.manifest import Manifest, Mark, Part
from tars_backup.repository import verification

MADE_AT = datetime.datetime(2026, 11, 30, 1, 2, 3, tzinfo=UTC)


def digest(**files: bytes) -> str:
    return manifest.digest_of((name, manifest.sha256(content)) for name, content in files.items())


PART = Part(digest(a=b"1"), 1, 1, {"files": 1}, {}, False)
DOCUMENT = Manifest(
    id="20261130T010203Z-0badcafe",
    made_at=MADE_AT,
    host="xps8950",
    versions={"tars": "1"},
    components={"files": PART},
    content=manifest.content_of({"files": PART}),
    living=(Mark("20261129T010203Z-0badcafe", MADE_AT, "c", "m"),),
)


def test_bytes_and_back() -> None:
    assert manifest.decoded(DOCUMENT.encoded(), "x") == DOCUMENT


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "x: found JSONDecodeError"),
        (b"[]", "x: found TypeError"),
        (b"{}", "x: found KeyError: 'schema'"),
        (b'{"schema": 2}', "x: found manifest schema 2; expected schema 1. Use the version of T.A.R.S. that made"),
        (DOCUMENT.encoded().replace(b"2026-11-30T01:02:03Z", b"yesterday"), "x: found ValueError"),
    ],
)
def test_invalid(content: bytes, message: str) -> None:
    with pytest.raises(BackupError, match=message):
        manifest.decoded(content, "x")


def test_staged_and_read_parts_are_equal(tmp_path: Path) -> None:
    staging = Staging(tmp_path / "files")
    staging.write("b/c", b"22")
    staging.write("a", b"1")
    staging.write_json("facts.json", {"postgres": "17"})
    staging.finish()
    counts = {"files": 3}
    part = manifest.part_of(staging.folder, staging.digests, staging.size, counts, derived=True)
    assert part == manifest.read_part(staging.folder, counts, derived=True)
    assert (part.files, part.facts, part.derived) == (3, {"postgres": "17"}, True)
    (staging.folder / "b/d").write_bytes(b"")
    assert manifest.read_part(staging.folder, counts, derived=True).digest != part.digest


@pytest.mark.parametrize("create", [lambda path: path.symlink_to("/etc"), os.mkfifo], ids=["link", "pipe"])
def test_only_files_are_read(tmp_path: Path, create: Callable[[Path], None]) -> None:
    create(tmp_path / "x")
    with pytest.raises(BackupError, match="found neither a file nor a folder"):
        manifest.read_part(tmp_path, {}, derived=False)


MARK = Mark(DOCUMENT.id, MADE_AT, DOCUMENT.content, "m")
SUMS = {"": {"manifest.json": "any"}, "files": {"a": manifest.sha256(b"1")}}


class TestComparison:
    def test_equal(self) -> None:
        assert verification.compare(DOCUMENT, SUMS, MARK) == []

    def test_file_that_differs_is_absent_or_too_many(self) -> None:
        for files in ({"a": manifest.sha256(b"2")}, {}, {**SUMS["files"], "b": manifest.sha256(b"")}):
            problems = verification.compare(DOCUMENT, {**SUMS, "files": files}, MARK)
            assert problems == [f"{DOCUMENT.id}: files: {len(files)} files whose digest differs from the manifest's"]

    def test_unknown_component(self) -> None:
        problems = verification.compare(DOCUMENT, {**SUMS, "more": {}}, MARK)
        assert problems == [f"{DOCUMENT.id}: components ['', 'files', 'more']; expected ['files']"]

    def test_content_that_is_not_that_of_the_components_or_of_the_mark(self) -> None:
        for document, mark in (
            (dataclasses.replace(DOCUMENT, content="other"), dataclasses.replace(MARK, content="other")),
            (DOCUMENT, dataclasses.replace(MARK, content="other")),
        ):
            problems = verification.compare(document, SUMS, mark)
            assert problems == [f"{DOCUMENT.id}: the digest of its content differs from the mark's"]


def test_manifest_is_json_with_sorted_keys() -> None:
    keys = list(json.loads(DOCUMENT.encoded()))
    assert keys == sorted(keys)
