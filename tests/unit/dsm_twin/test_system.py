# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts about the machine and its volumes, and the installation."""

from __future__ import annotations

import hashlib
import json
import os
import ssl
from pathlib import Path
from typing import Any

import psutil
import pytest
from cryptography import x509

from tars_lab.dsm_twin import host
from tars_lab.dsm_twin.accounts import password_matches
from tars_lab.dsm_twin.install import install

VOLUME = "SYNO.Core.Storage.Volume"


def test_information(dsm: Any) -> None:
    info = dsm.data("SYNO.DSM.Info", "getinfo", 2)
    assert (info["model"], info["serial"], info["version"]) == ("DS1515+", "LAB0000001", "42962")
    assert info["version_string"] == "DSM 7.1.1-42962 Update 9"
    assert info["ram"] == psutil.virtual_memory().total // 2**20
    for version in (1, 2, 3):
        assert dsm.data("SYNO.Core.System", "info", version)["model"] == "DS1515+"
    assert dsm.code("SYNO.Core.System", "info", 1, type="network") == 120
    assert dsm.code("SYNO.Core.System", "reboot", 1) == 103


def test_the_network_of_the_machine_is_reported() -> None:
    network = host.network()
    assert network["hostname"] == os.uname().nodename
    for interface in network["interfaces"]:
        real = {entry.address for entry in psutil.net_if_addrs()[interface["id"]]}
        assert {address["address"] for address in interface["ip"]} <= real
        assert interface["mac"] in real


def test_utilization(dsm: Any) -> None:
    use = dsm.data("SYNO.Core.System.Utilization", "get")
    assert use["memory"]["memory_size"] == psutil.virtual_memory().total // 1024
    assert use["network"][0]["device"] == "total"
    assert 0 <= use["cpu"]["user_load"] <= 100


@pytest.mark.parametrize("missing", ["offset", "limit", "location"])
def test_volume_list_requires_all_parameters(dsm: Any, missing: str) -> None:
    fields = {"offset": 0, "limit": -1, "location": "internal"}
    assert dsm.code(VOLUME, "list", **fields) == 0
    del fields[missing]
    assert dsm.code(VOLUME, "list", **fields) == 101


def test_volumes(dsm: Any, tmp_path: Path) -> None:
    listed = dsm.data(VOLUME, "list", offset=0, limit=-1, location="internal")["volumes"]
    assert [(row["volume_path"], row["fs_type"]) for row in listed] == [("/volume1", "btrfs"), ("/volume2", "ext4")]
    real = os.statvfs(tmp_path)
    assert listed[0]["size_total_byte"] == str(real.f_blocks * real.f_frsize)
    assert dsm.data(VOLUME, "get", volume_path="/volume1")["volume"]["volume_path"] == "/volume1"
    assert dsm.code(VOLUME, "get", volume_path="/volume9") == 120
    assert dsm.code(VOLUME, "get") == 101
    assert dsm.code(VOLUME, "list", offset=0, limit=-1, raw={"location": "internal"}) == 120, "unquoted"


def test_install(tmp_path: Path) -> None:
    factory = {
        "model": "DS1515+",
        "serial": "LAB0000001",
        "hostname": "ds1515plus",
        "account": "tars-admin",
        "password": "right",
        "volumes": ["/volume1"],
        "addresses": ["10.77.0.20", "fd77:7a52::20"],
    }
    install(tmp_path, factory)
    etc = tmp_path / "etc/dsm-twin"
    text = (etc / "factory.json").read_text()
    assert "right" not in text
    assert password_matches("right", json.loads(text)["accounts"][0]["password_hash"])
    assert {path.name: path.stat().st_mode & 0o777 for path in etc.iterdir()} == {
        "factory.json": 0o600,
        "cert.pem": 0o644,
        "key.pem": 0o600,
    }
    certificate = x509.load_pem_x509_certificate((etc / "cert.pem").read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == factory["addresses"]
    ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(etc / "cert.pem", etc / "key.pem")
    assert (tmp_path / "usr/lib/dsm-twin/tars_lab/dsm_twin/apis/share.py").is_file()
    assert os.access(tmp_path / "usr/local/sbin/dsm-twin-fault", os.X_OK)
    enabled = tmp_path / "etc/systemd/system/multi-user.target.wants/dsm-twin.service"
    assert (tmp_path / str(enabled.readlink()).lstrip("/")).read_text().startswith("[Unit]")
    assert (tmp_path / "volume1").is_dir()

    before = hashlib.sha256((etc / "cert.pem").read_bytes()).digest()
    install(tmp_path, factory | {"password": "new"})
    assert hashlib.sha256((etc / "cert.pem").read_bytes()).digest() == before
    entry = json.loads((etc / "factory.json").read_text())["accounts"][0]
    assert password_matches("new", entry["password_hash"])
