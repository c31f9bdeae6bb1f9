# SPDX-License-Identifier: GPL-3.0-or-later
"""SYNO.API.Info: which APIs there are, where, and in which versions."""

from __future__ import annotations

from collections.abc import Mapping

from tars_lab.dsm_twin.protocol import Api, Call, Method, versions


def over(table: Mapping[str, Api]) -> Api:
    """The API that tells about `table`, which may hold it too."""

    def query(call: Call) -> object:
        """`query=all`, a comma-separated list of names, or nothing for all; unknown names are left out."""
        asked = call.params.text("query", "all", bare=True)
        names = table if asked == "all" else [name.strip() for name in asked.split(",")]
        return {name: _row(table[name]) for name in names if name in table and not _missing(call, name)}

    return Api("SYNO.API.Info", 1, 1, {"query": Method(query, versions(1), session=False)})


def _missing(call: Call, name: str) -> bool:
    return call.nas.faults.waits("missing_102", name)


def _row(api: Api) -> dict[str, object]:
    row: dict[str, object] = {"path": "entry.cgi", "minVersion": api.first, "maxVersion": api.last}
    return row | {"requestFormat": "JSON"} if api.json else row
