# SPDX-License-Identifier: GPL-3.0-or-later
"""Whom the client takes for the NAS, and that nobody else gets a byte of a request."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.tars.home.plugins.module_utils.dsm.calls import Call
from ansible_collections.tars.home.plugins.module_utils.dsm.client.client import Client
from ansible_collections.tars.home.plugins.module_utils.dsm.client.transport import (
    Endpoint,
    Transport,
    plain_fingerprint,
)
from ansible_collections.tars.home.plugins.module_utils.dsm.errors import DsmError, UntrustedError

Connect = Callable[..., Client]
Nas = Any
OTHER = "ab" * 32


def info(client: Client) -> Any:
    return client.read(Call("SYNO.DSM.Info", "getinfo", 2))


def test_either_proof_is_enough(nas: Nas, connect: Connect, stranger: str, tmp_path: Path) -> None:
    proofs: list[dict[str, str]] = [
        {"ca_path": nas.certificate},
        {"ca_path": nas.certificate, "fingerprint": OTHER},
        {"ca_path": stranger, "fingerprint": nas.fingerprint},
        {"ca_path": str(tmp_path / "not made yet.pem"), "fingerprint": nas.fingerprint},
    ]
    for endpoint in proofs:
        with connect(**endpoint) as client:
            info(client)
    assert len(nas.asked("SYNO.DSM.Info.getinfo")) == len(proofs)


def test_another_certificate_gets_nothing(nas: Nas, connect: Connect) -> None:
    with connect(fingerprint=OTHER) as client, pytest.raises(UntrustedError, match=f"{nas.fingerprint}.*{OTHER}"):
        info(client)
    assert nas.requests == []


def test_an_unknown_authority_gets_nothing(nas: Nas, connect: Connect) -> None:
    with (
        connect(ca_path=None) as client,
        pytest.raises(UntrustedError, match=r"system's list.*set fingerprint, or set ca_p"),
    ):
        info(client)
    assert nas.requests == []


def test_without_any_proof_every_failed_one_is_reported(nas: Nas, connect: Connect, stranger: str) -> None:
    with connect(ca_path=stranger, fingerprint=OTHER) as client, pytest.raises(UntrustedError) as caught:
        info(client)
    for words in (nas.fingerprint, f"{stranger} does not verify it (self", f"the expected one is {OTHER}"):
        assert words in str(caught.value)
    assert nas.requests == []


def test_an_authority_file_that_does_not_exist_yet_is_reported(nas: Nas, connect: Connect, tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    with (
        connect(ca_path=str(file), fingerprint=OTHER) as client,
        pytest.raises(UntrustedError, match=f"{file} does not ex"),
    ):
        info(client)
    assert nas.requests == []


def test_a_certificate_authority_verifies_the_right_name_only(nas: Nas, connect: Connect) -> None:
    with connect(ca_path=nas.certificate) as client:
        client.link.transport = Transport(Endpoint("127.0.0.1", nas.port, OTHER, nas.certificate))
        with pytest.raises(UntrustedError, match="IP address mismatch"):
            info(client)
    assert nas.requests == []


def test_a_proof_that_held_is_tried_first(nas: Nas, connect: Connect, stranger: str) -> None:
    with connect(ca_path=stranger, fingerprint=nas.fingerprint) as client:
        info(client)
        assert nas.connections == 2
        client.write(Call("SYNO.Core.Share", "create", 1))
        assert nas.connections == 3


@pytest.mark.parametrize("content", [None, ""])
def test_an_authority_file_that_is_none_is_explained(connect: Connect, tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    with connect(ca_path=str(file)) as client, pytest.raises(DsmError, match="Set ca_path"):
        info(client)


def test_a_torn_authority_file_is_explained_beside_a_fingerprint(nas: Nas, connect: Connect, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").touch()
    endpoint = {"ca_path": str(tmp_path / "ca.pem"), "fingerprint": nas.fingerprint}
    with connect(**endpoint) as client, pytest.raises(DsmError, match="Set ca_path"):
        info(client)


def test_fingerprints_are_taken_as_people_copy_them() -> None:
    plain = "0a" * 32
    assert plain_fingerprint(":".join(["0A"] * 32)) == plain
    assert plain_fingerprint("SHA256:" + plain) == plain
    with pytest.raises(DsmError, match="64 digits"):
        plain_fingerprint("0a")
