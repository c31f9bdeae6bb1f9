# SPDX-License-Identifier: GPL-3.0-or-later
"""One query to one DNS server (RFC 1035), without the resolver of this machine."""

from __future__ import annotations

import contextlib
import ipaddress
import secrets
import socket
import struct

TYPES = {"A": 1, "PTR": 12, "AAAA": 28}
NAMES = {number: name for name, number in TYPES.items()}
CODES = {0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED"}


def question(name: str, number: int) -> bytes:
    """Return a query for the addresses of a name, or for the name of an address."""
    kind = "A"
    with contextlib.suppress(ValueError):
        name, kind = ipaddress.ip_address(name).reverse_pointer, "PTR"
    labels = b"".join(bytes([len(label)]) + label.encode("ascii") for label in name.rstrip(".").split("."))
    return struct.pack(">HHHHHH", number, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">HH", TYPES[kind], 1)


def answer(message: bytes) -> tuple[str, list[str]]:
    """Return the response code and the addresses and names in a reply. Raises ValueError for an invalid message."""
    try:
        _, flags, questions, answers = struct.unpack_from(">HHHH", message)
        offset = 12
        for _ in range(questions):
            offset = _name(message, offset)[1] + 4
        records = []
        for _ in range(answers):
            offset = _name(message, offset)[1]
            kind, _, _, length = struct.unpack_from(">HHIH", message, offset)
            offset += 10
            if NAMES.get(kind) == "PTR":
                records.append(_name(message, offset)[0])
            elif kind in NAMES:
                records.append(str(ipaddress.ip_address(message[offset : offset + length])))
            offset += length
    except (struct.error, IndexError) as error:
        raise ValueError(f"invalid DNS reply: {error}") from None
    return CODES.get(flags & 15, str(flags & 15)), records


def ask(server: str, name: str, timeout_s: float, attempts: int = 3) -> tuple[str, list[str]]:
    """Ask over UDP, `attempts` times within the time, and return what `answer` returns.

    Raises:
        OSError: no answer came.
    """
    number = secrets.randbelow(1 << 16)
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.connect((server, 53))
        sock.settimeout(timeout_s / attempts)
        for attempt in range(attempts):
            sock.send(question(name, number))
            try:
                reply = sock.recv(4096)
            except socket.timeout:
                if attempt + 1 == attempts:
                    raise
                continue
            if reply[:2] == struct.pack(">H", number):
                return answer(reply)
    raise OSError("a reply to another question")


def _name(message: bytes, offset: int) -> tuple[str, int]:
    """Return the name at an offset, and the offset after it. A pointer is the offset of the rest, an earlier one."""
    labels = []
    end = 0
    limit = offset + 1
    while message[offset]:
        if message[offset] >= 0xC0:
            end = end or offset + 2
            target = struct.unpack_from(">H", message, offset)[0] & 0x3FFF
            if target >= limit:
                raise ValueError("invalid DNS reply: a name that points forward")
            offset = limit = target
            continue
        labels.append(message[offset + 1 : offset + 1 + message[offset]].decode("ascii", "replace"))
        offset += 1 + message[offset]
    return ".".join(labels), end or offset + 1
