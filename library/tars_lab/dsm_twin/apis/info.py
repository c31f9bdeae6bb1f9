# SPDX-License-Identifier: GPL-3.0-or-later
"""SYNO.API.Info: the APIs of this NAS with their paths and versions."""

from __future__ import annotations

from collections.abc import Mapping

from tars_lab.dsm_twin.protocol import Api, Call, Method, versions


def make_api(table: Mapping[str, Api]) -> Api:
    """Return the API that describes the APIs of `table`, which can include itself."""

    def describe(call: Call) -> object:
        """Describe all APIs (`query=all` or no `query`), or those of a comma-separated list; omit unknown names."""
        query = call.params.text("query", "all", bare=True)
        names = table if query == "all" else [name.strip() for name in query.split(",")]
        return {name: _row(table[name]) for name in names if name in table and not _missing(call, name)}

    return Api("SYNO.API.Info", 1, 1, {"query": Method(describe, versions(1), session=False)})


def _missing(call: Call, name: str) -> bool:
    return call.nas.faults.is_due("missing_102", name)


def _row(api: Api) -> dict[str, object]:
    row: dict[str, object] = {"path": "entry.cgi", "minVersion": api.first, "maxVersion": api.last}
    return row | {"requestFormat": "JSON"} if api.json else row
