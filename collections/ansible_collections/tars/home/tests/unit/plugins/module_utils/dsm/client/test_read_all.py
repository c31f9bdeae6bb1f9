# SPDX-License-Identifier: GPL-3.0-or-later
"""Several reads in one request, where the NAS takes that, and what becomes of those that fail."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.tars.home.plugins.module_utils.dsm.calls import Call
from ansible_collections.tars.home.plugins.module_utils.dsm.client.client import Client, Read
from ansible_collections.tars.home.plugins.module_utils.dsm.errors import ApiError

Connect = Callable[..., Client]
Nas = Any
COMPOUND = "SYNO.Entry.Request"
INFO = Read(Call("SYNO.DSM.Info", "getinfo", 2))
SERVICE = Read(Call("SYNO.Core.FileServ.NFS", "get", 9), {"verbose": True})
READS = {"info": INFO, "service": SERVICE}
SERIAL, ON = {"serial": "1"}, {"enable_nfs": True}


@pytest.fixture
def compound(nas: Nas) -> Callable[..., None]:
    """Lets the NAS answer compound requests with these parts: data, or an error code."""

    def answer(*parts: Any) -> None:
        nas.apis[COMPOUND] = {"path": "entry.cgi", "minVersion": 1, "maxVersion": 2, "requestFormat": "JSON"}
        result = [
            {"success": False, "error": {"code": part}} if isinstance(part, int) else {"success": True, "data": part}
            for part in parts
        ]
        nas.answers[f"{COMPOUND}.request"] = [{"has_fail": any(isinstance(p, int) for p in parts), "result": result}]

    return answer


def test_reads_go_out_together_with_native_values(nas: Nas, connect: Connect, compound: Any) -> None:
    compound(SERIAL, ON)
    with connect() as client:
        assert client.read_all(READS) == {"info": SERIAL, "service": ON}
    (request,) = nas.asked(f"{COMPOUND}.request")
    assert request.form["version"] == "1"
    assert json.loads(request.form["compound"]) == [
        {"api": "SYNO.DSM.Info", "method": "getinfo", "version": 2},
        {"api": "SYNO.Core.FileServ.NFS", "method": "get", "version": 3, "verbose": True},
    ]
    assert json.loads(request.form["stop_when_error"]) is False
    assert nas.asked("SYNO.DSM.Info.getinfo") == []


@pytest.mark.parametrize("code", [None, 102, 103, 104])
def test_a_nas_without_them_is_asked_one_by_one(nas: Nas, connect: Connect, compound: Any, code: int | None) -> None:
    if code is not None:
        compound()
        nas.answers[f"{COMPOUND}.request"] = [code]
    nas.answers.update({"SYNO.DSM.Info.getinfo": [SERIAL], "SYNO.Core.FileServ.NFS.get": [ON]})
    with connect() as client:
        for _turn in range(2):
            assert client.read_all(READS) == {"info": SERIAL, "service": ON}
    refused = {None: 0, 104: 2}.get(code, 1)
    assert len(nas.asked(f"{COMPOUND}.request")) == refused, "nor is it tried again"
    assert len(nas.asked("SYNO.DSM.Info.getinfo")) == 2


def test_one_read_needs_no_compound(nas: Nas, connect: Connect, compound: Any) -> None:
    compound(SERIAL)
    nas.answers["SYNO.DSM.Info.getinfo"] = [SERIAL]
    with connect() as client:
        assert client.read_all({"info": INFO}) == {"info": SERIAL}
        assert client.read_all({}) == {}
    assert nas.asked(f"{COMPOUND}.request") == []


def test_a_part_that_is_busy_is_waited_for(nas: Nas, connect: Connect, compound: Any) -> None:
    compound(SERIAL, 117)
    nas.answers["SYNO.Core.FileServ.NFS.get"] = [117, ON]
    with connect() as client:
        assert client.read_all(READS) == {"info": SERIAL, "service": ON}
    assert len(nas.slept) == 1
    assert nas.asked("SYNO.DSM.Info.getinfo") == []


def test_a_session_lost_on_the_way_is_renewed_once(nas: Nas, connect: Connect, compound: Any) -> None:
    compound(106, 119)
    nas.answers.update({"SYNO.DSM.Info.getinfo": [106, SERIAL], "SYNO.Core.FileServ.NFS.get": [ON]})
    with connect() as client:
        assert client.read_all(READS) == {"info": SERIAL, "service": ON}
    assert len(nas.asked("SYNO.API.Auth.login")) == 2


def test_a_part_that_fails_is_named(nas: Nas, connect: Connect, compound: Any) -> None:
    compound(SERIAL, 2370)
    nas.answers["SYNO.Core.FileServ.NFS.get"] = [2370]
    refused = Read(Call("SYNO.Core.FileServ.NFS", "get", 2), subject="share docs")
    with connect() as client, pytest.raises(ApiError, match=r"share docs: .*code 2370 of SYNO.Core.FileServ.NFS get"):
        client.read_all({"info": INFO, "service": refused})


def test_an_answer_that_means_absence_is_none(nas: Nas, connect: Connect, compound: Any) -> None:
    compound(SERIAL, 2372)
    nas.answers["SYNO.Core.FileServ.NFS.get"] = [2372]
    absent = Read(Call("SYNO.Core.FileServ.NFS", "get", 2), absent={2372})
    with connect() as client:
        assert client.read_all({"info": INFO, "service": absent}) == {"info": SERIAL, "service": None}


def test_an_api_that_is_missing_is_named_or_absent(nas: Nas, connect: Connect, compound: Any) -> None:
    compound()
    with connect() as client:
        with pytest.raises(ApiError, match="this DSM does not have the API"):
            client.read_all({"info": INFO, "zones": Read(Call("SYNO.DNSServer.Zone", "list", 1))})
        absent = Read(Call("SYNO.DNSServer.Zone", "list", 1), absent=range(100, 200))
        assert client.read_all({"info": INFO, "zones": absent}) == {"info": {}, "zones": None}
    assert nas.asked(f"{COMPOUND}.request") == []
