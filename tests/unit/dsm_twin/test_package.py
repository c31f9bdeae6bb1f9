# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages: listed as by DSM, and reported as starting or stopping for a while after a change."""

from __future__ import annotations

from typing import Any

API, CONTROL = "SYNO.Core.Package", "SYNO.Core.Package.Control"


def status(dsm: Any, name: str = "SynoFinder") -> str:
    rows = dsm.data(API, "list", 2, additional=["status"])["packages"]
    return str(next(row["additional"]["status"] for row in rows if row["id"] == name))


def test_a_package_stops_and_starts_gradually(dsm: Any) -> None:
    assert status(dsm) == "running"
    assert dsm.code(CONTROL, "stop", id="SynoFinder") == 0
    assert [status(dsm) for _ in range(3)] == ["stopping", "stopping", "stop"]
    assert dsm.code(CONTROL, "stop", id="SynoFinder") == 0
    assert dsm.code(CONTROL, "start", id="SynoFinder") == 0
    assert [status(dsm) for _ in range(3)] == ["starting", "starting", "running"]
    assert dsm.data(API, "get", 1, id="SynoFinder", additional=["status"])["additional"] == {"status": "running"}


def test_errors(dsm: Any) -> None:
    assert "additional" not in dsm.data(API, "list", 2)["packages"][0]
    assert dsm.code(API, "list", 2, additional=["state"]) == 120
    assert dsm.code(API, "list", 2, raw={"additional": "status"}) == 120
    assert dsm.code(API, "list", 1) == 103
    assert dsm.code(API, "get", 2, id="SynoFinder") == 103
    assert dsm.code(CONTROL, "stop", raw={"id": "SynoFinder"}) == 120
    assert dsm.code(CONTROL, "stop", id="FileStation") == 4581
    assert dsm.code(CONTROL, "start", id="Docker") == 4500
    assert dsm.data("SYNO.Core.Package.Server", "list", 2) == {"packages": [], "total": 0}
