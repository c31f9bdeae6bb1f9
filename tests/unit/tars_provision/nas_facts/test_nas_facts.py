# SPDX-License-Identifier: GPL-3.0-or-later
"""What of an answer stays in a recording, and what counts as the assumed shape."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from tars_provision.errors import ProvisionError
from tars_provision.nas_facts import recording
from tars_provision.nas_facts.bridge import Client
from tars_provision.nas_facts.observation import Observation, boolean, text, whole
from tars_provision.nas_facts.recorder import Exchange, parameters
from tars_provision.nas_facts.redact import Redaction


@pytest.mark.parametrize(
    ("api", "field", "value", "kept"),
    [
        ("SYNO.DSM.Info", "version_string", "DSM 7.1.1-42962 Update 9", "DSM 7.1.1-42962 Update 9"),
        ("SYNO.DSM.Info", "serial", "1530NXN012345", "0000XXX000001"),
        ("SYNO.Core.Share", "vol_path", "/volume1", "/volume1"),
        ("SYNO.Core.Share", "path", "/volume1/Letters/1998/May", "/volume1/share-1/text-1/text-2"),
        ("SYNO.Core.Share", "name", "homes", "homes"),
        ("SYNO.Core.Share", "name", "usbshare1", "usbshare1"),
        ("SYNO.Core.Share", "desc", "", ""),
        ("SYNO.Core.User", "name", "annabel", "user-1"),
        ("SYNO.Core.User", "name", "admin", "admin"),
        ("SYNO.Core.User", "email", "annabel@example.com", "person-1@example.net"),
        ("SYNO.Core.User", "expired", "2027/1/31", "2027/1/31"),
        ("SYNO.Core.Network", "server_name", "the-attic", "host-1"),
        ("SYNO.Core.Network", "gateway", "192.168.7.1", "198.18.1.1"),
        ("SYNO.Core.Network", "mask", "255.255.255.0", "255.255.255.0"),
        ("SYNO.Core.Network", "v6gateway", "fe80::11:32ff:fe12:3456", "fe80::1"),
        ("SYNO.DSM.Network", "mac", "00:11:32:AB:CD:EF", "02:00:00:00:00:01"),
        ("SYNO.DSM.Network", "mac", "00-11-32-ab-cd-ef", "02-00-00-00-00-01"),
        ("SYNO.Core.Security.Firewall.Profile", "source_ip", "10.1.2.3-10.1.2.9", "198.18.1.3-198.18.1.9"),
        ("SYNO.Core.Security.Firewall.Profile", "source_ip", "10.1.2.0/24", "198.18.1.0/24"),
        ("SYNO.Core.Security.Firewall.Profile", "ports", "443,8000-8100", "443,8000-8100"),
        ("SYNO.Core.FileServ.NFS.SharePrivilege", "client", "*", "*"),
        ("SYNO.Core.FileServ.NFS.SharePrivilege", "client", "*.attic.example", "host-1"),
        ("SYNO.Core.Share.Snapshot", "time", "GMT+01-2026.01.31-05.00.01", "GMT+01-2026.01.31-05.00.01"),
        ("SYNO.Core.TaskScheduler", "action", "Run: curl https://annabel:secret@example.com", "text-1"),
        ("SYNO.Core.Storage.Volume", "size_total_byte", "5986140835840", "5986140835840"),
        ("SYNO.Core.Certificate.CRT", "desc", "made at 192.168.7.1 by annabel", "text-1"),
        ("SYNO.Core.CurrentConnection", "descr", "DSM of annabel", "text-1"),
        ("SYNO.API.Info", "path", "a-long-one/entry.cgi", "a-long-one/entry.cgi"),
    ],
)
def test_what_a_recording_keeps(api: str, field: str, value: str, kept: str) -> None:
    redaction = Redaction()
    assert redaction.value({field: value}, api, "") == {field: kept}
    assert redaction.value([{field: value}], api, "") == [{field: kept}], "the same again"


def test_addresses_of_one_network_stay_in_one_network() -> None:
    redaction = Redaction()
    redacted = redaction.value(["192.168.7.1", "192.168.7.20", "192.168.8.20", "127.0.0.1"], "SYNO.Core.Network", "ip")
    assert redacted == ["198.18.1.1", "198.18.1.20", "198.18.2.20", "127.0.0.1"]


def test_a_field_named_after_an_address_is_hidden_too() -> None:
    assert Redaction().value({"192.168.7.20": True, "policy": 1}, "SYNO.X", "") == {"198.18.1.20": True, "policy": 1}


def test_a_login_is_kept_without_its_secrets() -> None:
    form = {
        "api": "SYNO.API.Auth",
        "method": "login",
        "version": "7",
        "account": "annabel",
        "passwd": "p",
        "format": "sid",
    }
    assert parameters({**form, "otp_code": "123456", "device_id": "d"}) == {"format": "sid"}


def test_a_recording_is_read_back_as_it_was_kept(tmp_path: Path) -> None:
    answer = {"success": True, "data": {"enable": 1, "portnum": 22, "more": [None, "eth0"]}}
    call = Exchange("SYNO.Core.FileServ.FTP.SFTP", "get", 1, {"number": 3}, answer)
    recording.save(tmp_path / "nas.json", [call, call])
    assert recording.load(tmp_path / "nas.json") == [call]


@pytest.mark.parametrize(
    ("content", "report"),
    [(None, "no such file"), ("[", "other content"), ('{"format": 2}', r"other content \(format 2\)")],
)
def test_a_file_that_is_not_a_recording_is_reported(tmp_path: Path, content: str | None, report: str) -> None:
    if content is not None:
        (tmp_path / "nas.json").write_text(content)
    with pytest.raises(ProvisionError, match=f"nas.json: found {report}"):
        recording.load(tmp_path / "nas.json")


@pytest.mark.parametrize(
    ("row", "objection"),
    [
        ({"on": 1, "port": "22", "kind": "ro"}, ""),
        ({"on": True, "port": 22, "kind": "rw", "more": None}, ""),
        ({"port": 22, "kind": "rw"}, "a row has no on"),
        ({"on": "maybe", "port": 22, "kind": "rw"}, "a row: on is 'maybe', not true"),
        ({"on": 1, "port": "22a", "kind": "rw"}, "a row: port is '22a', not a whole number"),
        ({"on": 1, "port": 22, "kind": "wo"}, "a row: kind is 'wo', not one of ro, rw"),
        ({"on": 1, "port": 22, "kind": "rw", "note": 3}, "a row: note is 3, not a text"),
        ([], "a row is a list of 0, not an object"),
    ],
)
def test_a_shape_that_differs_is_named(row: Any, objection: str) -> None:
    nas = Observation(cast(Client, None))
    assert nas.expect("a row", row, on=boolean, port=whole, kind={"ro", "rw"}, note_=text) == (not objection)
    assert nas.differs == ([objection] if objection else [])
    assert nas.verdict == ("differs" if objection else "not available")
