# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import socket
import struct
import threading

import pytest
from ansible_collections.tars.home.plugins.module_utils.checks import dns as dns_query
from ansible_collections.tars.home.plugins.module_utils.checks import health
from hypothesis import given
from hypothesis import strategies as st

HEAD = struct.pack(">HHHHHH", 7, 0x8180, 1, 2, 0, 0)
NAME = b"\4tars\4home\4arpa\0"


def record(name: bytes, kind: int, data: bytes) -> bytes:
    return name + struct.pack(">HHIH", kind, 1, 60, len(data)) + data


def test_a_question_follows_rfc_1035() -> None:
    assert dns_query.question("tars.home.arpa.", 7) == struct.pack(">HHHHHH", 7, 256, 1, 0, 0, 0) + NAME + b"\0\1\0\1"
    assert b"\x0210\x010\x0277\x0210\x07in-addr\x04arpa\0\0\x0c" in dns_query.question("10.77.0.10", 7)


def test_an_answer_with_an_alias_and_pointers() -> None:
    reply = (
        HEAD
        + NAME
        + b"\0\1\0\1"
        + record(b"\xc0\x0c", 5, b"\4desk\xc0\x11")
        + record(b"\xc0\x2c", 1, bytes([10, 77, 0, 10]))
    )
    assert dns_query.answer(reply) == ("NOERROR", ["10.77.0.10"])
    reply = HEAD[:6] + b"\0\1\0\0\0\0" + NAME + b"\0\x0c\0\1" + record(b"\xc0\x0c", 12, b"\4desk\xc0\x11")
    assert dns_query.answer(reply) == ("NOERROR", ["desk.home.arpa"])


@given(st.binary(max_size=80))
def test_an_invalid_reply_is_refused(garbage: bytes) -> None:
    for message in (garbage, HEAD + garbage):
        try:
            dns_query.answer(message)
        except ValueError as error:
            assert "DNS" in str(error) or "codec" in str(error) or "address" in str(error)


def test_a_lost_question_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        address = server.getsockname()
        real = socket.socket.connect
        monkeypatch.setattr(socket.socket, "connect", lambda self, to: real(self, address))

        def serve() -> None:
            server.recvfrom(512)
            asked, client = server.recvfrom(512)
            reply = (
                asked[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + asked[12:] + record(b"\xc0\x0c", 1, bytes([10, 77, 0, 10]))
            )
            server.sendto(reply, client)

        thread = threading.Thread(target=serve)
        thread.start()
        check = {"name": "it", "fix": "-", "dns": "tars.home.arpa", "server": "127.0.0.1"}
        (result,) = health.run([check], 6)
        thread.join()
    assert (result["ok"], result["found"]) == (True, "10.77.0.10")


def test_a_server_that_does_not_answer_is_named() -> None:
    (result,) = health.run([{"name": "it", "fix": "-", "dns": "a.b", "server": "127.0.0.77"}], 1)
    assert not result["ok"] and "127.0.0.77 port 53" in result["found"]


@pytest.mark.parametrize(("code", "word"), [(3, "NXDOMAIN"), (5, "REFUSED"), (11, "11")])
def test_a_response_code_has_a_name(code: int, word: str) -> None:
    assert dns_query.answer(struct.pack(">HHHHHH", 7, 0x8180 | code, 0, 0, 0, 0)) == (word, [])
