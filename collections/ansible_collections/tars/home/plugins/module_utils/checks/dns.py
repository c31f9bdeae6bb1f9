# SPDX-License-Identifier: GPL-3.0-or-later
"""One question to one DNS server (RFC 1035), past whatever resolver this machine has."""

from __future__ import annotations

import contextlib
import ipaddress
import secrets
import socket
import struct
from typing import List, Tuple

TYPES = {"A": 1, "PTR": 12, "AAAA": 28}
NAMES = {number: name for name, number in TYPES.items()}
CODES = {0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED"}


def question(name: str, number: int) -> bytes:
    """A query for the addresses of a name, or for the name of an address."""
    kind = "A"
    with contextlib.suppress(ValueError):
        name, kind = ipaddress.ip_address(name).reverse_pointer, "PTR"
    labels = b"".join(bytes([len(label)]) + label.encode("ascii") for label in name.rstrip(".").split("."))
    return struct.pack(">HHHHHH", number, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">HH", TYPES[kind], 1)


def answer(message: bytes) -> Tuple[str, List[str]]:
    """The response code and the addresses and names in a reply. Raises ValueError for what is none."""
    try:
        _, flags, questions, answers = struct.unpack_from(">HHHH", message)
        place = 12
        for _ in range(questions):
            place = _name(message, place)[1] + 4
        found = []
        for _ in range(answers):
            place = _name(message, place)[1]
            kind, _, _, length = struct.unpack_from(">HHIH", message, place)
            place += 10
            if NAMES.get(kind) == "PTR":
                found.append(_name(message, place)[0])
            elif kind in NAMES:
                found.append(str(ipaddress.ip_address(message[place : place + length])))
            place += length
    except (struct.error, IndexError) as error:
        raise ValueError(f"no DNS reply: {error}") from None
    return CODES.get(flags & 15, str(flags & 15)), found


def ask(server: str, name: str, timeout_s: float, attempts: int = 3) -> Tuple[str, List[str]]:
    """Ask over UDP, as often as `attempts` within the time. Raises OSError where nobody answers."""
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


def _name(message: bytes, place: int) -> Tuple[str, int]:
    """A name at a place, and the place after it. A pointer leads to where the rest stands; pointers only lead back."""
    labels = []
    end = 0
    limit = place + 1
    while message[place]:
        if message[place] >= 0xC0:
            end = end or place + 2
            target = struct.unpack_from(">H", message, place)[0] & 0x3FFF
            if target >= limit:
                raise ValueError("no DNS reply: a name that leads forward")
            place = limit = target
            continue
        labels.append(message[place + 1 : place + 1 + message[place]].decode("ascii", "replace"))
        place += 1 + message[place]
    return ".".join(labels), end or place + 1
