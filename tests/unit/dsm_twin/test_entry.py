# SPDX-License-Identifier: GPL-3.0-or-later
"""Several calls in one request."""

from __future__ import annotations

from typing import Any

ENTRY = ("SYNO.Entry.Request", "request", 1)
INFO = {"api": "SYNO.DSM.Info", "method": "getinfo", "version": 2}
GET = {"api": "SYNO.Core.Share", "method": "get", "version": 1, "name": "docs"}
UNKNOWN = {"api": "SYNO.DNSServer.Zone", "method": "list", "version": 1}


def send(dsm: Any, *parts: Any, **options: Any) -> Any:
    return dsm.data(*ENTRY, **({"stop_when_error": False, "mode": "sequential", "compound": list(parts)} | options))


def codes(answer: Any) -> list[int]:
    return [0 if part["success"] else part["error"]["code"] for part in answer["result"]]


def test_parts_are_answered_separately_and_in_order(dsm: Any) -> None:
    answer = send(dsm, INFO, UNKNOWN, GET, INFO)
    assert answer["has_fail"] is True
    assert codes(answer) == [0, 102, 402, 0]
    first = answer["result"][0]
    assert (first["api"], first["method"], first["version"]) == tuple(INFO.values())
    assert first["data"] == dsm.data("SYNO.DSM.Info", "getinfo", 2)


def test_native_values_are_checked_like_form_fields(dsm: Any) -> None:
    dsm.create("docs")
    listed = {"api": "SYNO.Core.Share", "method": "list", "version": 1, "shareType": "all", "additional": ["hidden"]}
    answer = send(dsm, GET, listed, {**GET, "version": 9}, {**GET, "method": "paint"}, {**INFO, "version": "two"})
    assert codes(answer) == [0, 0, 104, 103, 101]
    assert answer["result"][1]["data"]["shares"][0]["hidden"] is False


def test_writes_work_and_stop_when_error_ends_at_the_first_failure(dsm: Any) -> None:
    info = {"name": "docs", "vol_path": "/volume1", "name_org": ""}
    create = {"api": "SYNO.Core.Share", "method": "create", "version": 1, "name": "docs", "shareinfo": info}
    assert codes(send(dsm, create, create, INFO)) == [0, 3301, 0]
    assert codes(send(dsm, UNKNOWN, INFO, stop_when_error=True)) == [102]


def test_faults_affect_only_their_part(nas: Any, dsm: Any) -> None:
    nas.faults.add("busy_117", on="SYNO.Core.Share")
    assert codes(send(dsm, INFO, GET)) == [0, 117]
    nas.faults.add("expire_session", on="SYNO.Core.Share")
    assert codes(send(dsm, INFO, GET, INFO)) == [0, 106, 119]


def test_errors(dsm: Any, stranger: Any, nas: Any) -> None:
    assert stranger.code(*ENTRY, compound=[INFO]) == 119
    del dsm.session["SynoToken"]
    assert dsm.code(*ENTRY, compound=[INFO]) == 119
    session = nas.sessions.open("tars-admin", True, "10.77.0.1", with_token=False)
    dsm.session = {"_sid": session.sid}
    assert codes(send(dsm, {"api": ENTRY[0], "method": "request", "version": 1, "compound": [INFO]})) == [101]
    assert dsm.code(*ENTRY) == 120
    assert dsm.code(*ENTRY, compound=["x"]) == 120
    assert dsm.code(*ENTRY, compound=[INFO], mode="random") == 120
    assert dsm.code("SYNO.Entry.Request", "request", 2, compound=[INFO]) == 103


def test_the_api_is_listed(stranger: Any) -> None:
    listed = stranger.data("SYNO.API.Info", "query", raw={"query": "SYNO.Entry.Request"})
    assert listed["SYNO.Entry.Request"]["maxVersion"] == 2
