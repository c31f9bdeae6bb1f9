# SPDX-License-Identifier: GPL-3.0-or-later
"""Mails of Outlook (MS-OXMSG), which are compound files (MS-CFB)."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import pairwise

from compressed_rtf import compress

_SECTOR, _SMALL_SECTOR, _SMALLEST = 512, 64, 4096
_FREE, _END, _TABLE = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
Tree = Mapping[str, "bytes | Tree"]


def text(number: int, value: str) -> dict[str, bytes]:
    """Return a property that is a text."""
    return {f"__substg1.0_{number:04X}001F": value.encode("utf-16-le")}


def binary(number: int, value: bytes) -> dict[str, bytes]:
    """Return a property of bytes."""
    return {f"__substg1.0_{number:04X}0102": value}


def properties(streams: Tree, sent: datetime | None = None, header: int = 32) -> dict[str, bytes]:
    """Return the list of the properties that these streams hold, and of the time of sending."""
    entries = b""
    for name in streams:
        if name.startswith("__substg1.0_"):
            entries += struct.pack("<HHIII", int(name[16:20], 16), int(name[12:16], 16), 6, 0, 0)
    if sent:
        ticks = int((sent - datetime(1601, 1, 1, tzinfo=UTC)).total_seconds()) * 10**7
        entries += struct.pack("<HHIQ", 0x0040, 0x0039, 6, ticks)
    return {"__properties_version1.0": bytes(header) + entries}


def attachment(name: str, content: bytes | Tree) -> Tree:
    """Return a storage with a file, or with another mail."""
    streams: dict[str, bytes | Tree] = {**text(0x3707, name)}
    if isinstance(content, bytes):
        streams |= binary(0x3701, content)
    listed = properties(streams, header=8)
    if not isinstance(content, bytes):
        streams["__substg1.0_3701000D"] = content
    return {**streams, **listed}


def mail(
    subject: str,
    body: str,
    *attachments: Tree,
    sent: datetime | None = None,
    html: str = "",
    rtf: bytes = b"",
    inner: bool = False,
) -> Tree:
    """Return a mail of Jane Doe to John Doe; `inner` for one that is attached to another one."""
    streams = {
        **text(0x0037, subject),
        **text(0x0C1A, "Jane Doe"),
        **text(0x5D01, "jane@example.org"),
        **text(0x0E04, "John Doe"),
        **(text(0x1000, body) if body else {}),
        **(binary(0x1013, html.encode()) if html else {}),
        **(binary(0x1009, compress(rtf)) if rtf else {}),
    }
    storages = {f"__attach_version1.0_#{number:08X}": content for number, content in enumerate(attachments)}
    return {**streams, **properties(streams, sent, 24 if inner else 32), **storages}


def compound_file(tree: Tree) -> bytes:
    """Return a compound file with these storages and streams."""
    names, kinds, contents, children = ["Root Entry"], [5], [b""], [list[int]()]

    def add(nodes: Tree, parent: int) -> None:
        for name, content in nodes.items():
            children[parent].append(len(names))
            names.append(name)
            kinds.append(2 if isinstance(content, bytes) else 1)
            contents.append(content if isinstance(content, bytes) else b"")
            children.append([])
            if not isinstance(content, bytes):
                add(content, len(names) - 1)

    add(tree, 0)
    sectors: list[bytes] = []
    table: list[int] = []

    def store(content: bytes) -> int:
        pieces = [content[at : at + _SECTOR].ljust(_SECTOR, b"\0") for at in range(0, len(content), _SECTOR)]
        first = len(sectors)
        sectors.extend(pieces)
        table.extend([*range(first + 1, first + len(pieces)), _END][: len(pieces)])
        return first if pieces else _END

    small, small_table, starts = b"", list[int](), [0] * len(names)
    for number, content in enumerate(contents):
        if kinds[number] != 2 or not content:
            starts[number] = _END if kinds[number] == 2 else 0
        elif len(content) >= _SMALLEST:
            starts[number] = store(content)
        else:
            starts[number] = len(small_table)
            count = -(-len(content) // _SMALL_SECTOR)
            small_table += [*range(starts[number] + 1, starts[number] + count), _END]
            small += content.ljust(count * _SMALL_SECTOR, b"\0")
    starts[0] = store(small)
    contents[0] = small
    small_first = store(struct.pack(f"<{len(small_table)}I", *small_table))
    small_sectors = -(-len(small_table) * 4 // _SECTOR)
    entries = b""
    right = {first: second for group in children for first, second in pairwise(group)}
    for number, name in enumerate(names):
        encoded = name.encode("utf-16-le") + b"\0\0"
        entries += encoded.ljust(64, b"\0") + struct.pack("<HBB", len(encoded), kinds[number], 1)
        entries += struct.pack("<III", _FREE, right.get(number, _FREE), (children[number] or [_FREE])[0])
        entries += bytes(36) + struct.pack("<IQ", starts[number], len(contents[number]))
    directory = store(entries)
    count = 1
    while (len(table) + count) * 4 > count * _SECTOR:
        count += 1
    first = len(sectors)
    table += [_TABLE] * count
    listed = table + [_FREE] * (count * _SECTOR // 4 - len(table))
    packed = struct.pack(f"<{len(listed)}I", *listed)
    sectors.extend(packed[at : at + _SECTOR] for at in range(0, len(packed), _SECTOR))
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6) + bytes(6)
    header += struct.pack("<IIIII", 0, count, directory, 0, _SMALLEST)
    header += struct.pack("<IIII", small_first, small_sectors, _END, 0)
    header += struct.pack("<109I", *range(first, first + count), *[_FREE] * (109 - count))
    return header + b"".join(sectors)
