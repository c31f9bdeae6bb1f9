# SPDX-License-Identifier: GPL-3.0-or-later
"""An unmodified client for real NASes, py-synologydsm-api, with this NAS over TLS."""

from __future__ import annotations

import asyncio
import hashlib
import http.client
import json
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import psutil
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from synology_dsm import SynologyDSM
from synology_dsm.exceptions import (
    SynologyDSMAPIErrorException,
    SynologyDSMLogin2SARequiredException,
    SynologyDSMLoginFailedException,
    SynologyDSMLoginInvalidException,
)

from tars_lab.dsm_twin.effects import DirectoryEffects
from tars_lab.dsm_twin.faults import Faults
from tars_lab.dsm_twin.install import factory_document, make_certificate
from tars_lab.dsm_twin.listen import listener, tls_server
from tars_lab.dsm_twin.nas import Factory, Nas
from tars_lab.dsm_twin.server import application
from tars_lab.dsm_twin.state import State

pytestmark = pytest.mark.integration

FACTORY = {
    "model": "DS1515+",
    "serial": "LAB0000001",
    "account": "tars-admin",
    "password": "rïght &+=%",
    "volumes": ["/volume1"],
}


@pytest.fixture
def faults(tmp_path: Path) -> Faults:
    return Faults(tmp_path / "faults.json")


@asynccontextmanager
async def running(root: Path, faults: Faults) -> AsyncIterator[int]:
    """Run the NAS below `root` on a free loopback port."""
    (root / "volume1").mkdir(exist_ok=True)
    factory = Factory.from_json(factory_document(FACTORY))
    nas = Nas.create(factory, State(root / "state.json"), DirectoryEffects(root), faults)
    make_certificate(root / "cert.pem", root / "key.pem", "ds1515plus", ["127.0.0.1"])
    bound = listener(0, "127.0.0.1")
    server = tls_server(application(nas), root / "cert.pem", root / "key.pem")
    task = asyncio.create_task(server.serve(sockets=[bound]))
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield bound.getsockname()[1]
    finally:
        server.should_exit = True
        await task


@pytest.fixture
async def port(tmp_path: Path, faults: Faults) -> AsyncIterator[int]:
    async with running(tmp_path, faults) as number:
        yield number


@pytest.fixture
async def http_session(tmp_path: Path, port: int) -> AsyncIterator[aiohttp.ClientSession]:
    trusted = ssl.create_default_context(cafile=tmp_path / "cert.pem")
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trusted)) as session:
        yield session


@pytest.fixture
async def dsm(http_session: aiohttp.ClientSession, port: int) -> SynologyDSM:
    client = SynologyDSM(http_session, "127.0.0.1", port, "tars-admin", str(FACTORY["password"]), use_https=True)
    assert await client.login()
    return client


async def write(dsm: SynologyDSM, api: str, method: str, version: int = 1, **fields: Any) -> Any:
    form = {name: json.dumps(value) for name, value in fields.items()}
    return await dsm.post(api, method, form, max_version=version)


async def test_information_and_system(dsm: SynologyDSM) -> None:
    assert dsm.information.model == "DS1515+"
    assert dsm.information.serial == "LAB0000001"
    assert str(dsm.information.awesome_version) == "7.1.1.9"
    assert dsm.information.uptime > 0
    await dsm.system.update()
    assert dsm.system.model == "DS1515+"
    assert dsm.system.firmware_ver == dsm.information.version_string


async def test_storage(dsm: SynologyDSM, tmp_path: Path) -> None:
    await dsm.storage.update()
    real = os.statvfs(tmp_path)
    assert dsm.storage.volumes_ids == ["volume_1"]
    assert dsm.storage.volume_status("volume_1") == "normal"
    assert dsm.storage.volume_size_total("volume_1") == real.f_blocks * real.f_frsize
    assert 0 <= (dsm.storage.volume_percentage_used("volume_1") or 0) <= 100
    assert dsm.storage.disks_ids == ["sda", "sdb", "sdc", "sdd", "sde"]
    assert dsm.storage.disk_status("sda") == "normal"
    assert dsm.storage.volume_disk_temp_max("volume_1") == 34


async def test_network_and_utilisation(dsm: SynologyDSM) -> None:
    await dsm.network.update()
    await dsm.utilisation.update()
    assert dsm.network.hostname == os.uname().nodename
    assert len(dsm.network.macs) == len(dsm.network.interfaces)
    assert dsm.utilisation.memory_size() == psutil.virtual_memory().total // 1024 * 1024
    assert 0 <= dsm.utilisation.cpu_total_load <= 100
    assert dsm.utilisation.network_up() is not None


async def test_shares(dsm: SynologyDSM, tmp_path: Path) -> None:
    info = {"name": "LLM_docs", "vol_path": "/volume1", "name_org": "", "enable_recycle_bin": True}
    await write(dsm, "SYNO.Core.Share", "create", name="LLM_docs", shareinfo=info)
    (tmp_path / "volume1/LLM_docs/paper.txt").write_bytes(b"x" * 2**20)
    await dsm.share.update()
    (identity,) = dsm.share.shares_uuids
    assert dsm.share.share_name(identity) == "LLM_docs"
    assert dsm.share.share_path(identity) == "/volume1"
    assert dsm.share.share_recycle_bin(identity) is True
    assert 2**20 <= int(dsm.share.share_size(identity)) < 2**20 + 2**16
    with pytest.raises(SynologyDSMAPIErrorException) as refused:
        await write(dsm, "SYNO.Core.Share", "create", name="LLM_docs", shareinfo=info)
    assert refused.value.args[0]["code"] == 3301


async def test_a_lost_session_is_opened_again(dsm: SynologyDSM) -> None:
    assert await dsm.logout()
    assert await dsm.login()
    await dsm.information.update()
    assert dsm.information.model == "DS1515+"


async def test_login_errors(http_session: aiohttp.ClientSession, port: int, faults: Faults) -> None:
    right = str(FACTORY["password"])
    wrong = SynologyDSM(http_session, "127.0.0.1", port, "tars-admin", "wrong", use_https=True)
    with pytest.raises(SynologyDSMLoginInvalidException):
        await wrong.login()
    client = SynologyDSM(http_session, "127.0.0.1", port, "tars-admin", right, use_https=True)
    faults.add("otp_required")
    with pytest.raises(SynologyDSMLogin2SARequiredException):
        await client.login()
    faults.add("autoblock")
    with pytest.raises(SynologyDSMLoginFailedException):
        await client.login()
    assert await client.login()


async def test_shares_survive_a_restart(tmp_path: Path, faults: Faults) -> None:
    async def login(session: aiohttp.ClientSession, port: int) -> SynologyDSM:
        client = SynologyDSM(session, "127.0.0.1", port, "tars-admin", str(FACTORY["password"]), use_https=True)
        await client.login()
        await client.share.update()
        return client

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=False)) as session:
        async with running(tmp_path, faults) as port:
            client = await login(session, port)
            info = {"name": "kept", "vol_path": "/volume1", "name_org": ""}
            await write(client, "SYNO.Core.Share", "create", name="kept", shareinfo=info)
        async with running(tmp_path, faults) as port:
            client = await login(session, port)
            assert [share["name"] for share in client.share.shares] == ["kept"]


async def test_a_dropped_write_is_reported_as_a_lost_connection(
    dsm: SynologyDSM, port: int, faults: Faults, tmp_path: Path
) -> None:
    faults.add("drop_after_write")
    info = json.dumps({"name": "docs", "vol_path": "/volume1", "name_org": ""})
    form = {"api": "SYNO.Core.Share", "method": "create", "version": 1, "name": '"docs"', "shareinfo": info}
    body = urlencode(form | {"_sid": dsm._session_id})

    def post() -> None:
        context = ssl.create_default_context(cafile=tmp_path / "cert.pem")
        connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=60)
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        connection.request("POST", "/webapi/entry.cgi", body, headers)
        connection.getresponse()

    with pytest.raises((ConnectionError, ssl.SSLEOFError)):
        await asyncio.to_thread(post)
    assert (tmp_path / "volume1/docs").is_dir()
    await dsm.share.update()
    assert [share["name"] for share in dsm.share.shares] == ["docs"], "and the NAS goes on"


async def test_the_installed_certificate_is_served(port: int, tmp_path: Path) -> None:
    def presented() -> str:
        pem = ssl.get_server_certificate(("127.0.0.1", port), timeout=60)
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()

    installed = x509.load_pem_x509_certificate((tmp_path / "cert.pem").read_bytes())
    assert await asyncio.to_thread(presented) == installed.fingerprint(hashes.SHA256()).hex()
