# SPDX-License-Identifier: GPL-3.0-or-later
"""SYNO.Entry.Request: several calls in one request, each checked separately."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from tars_lab.dsm_twin.protocol import Api, Call, DsmError, Method, invalid, versions

NAME = "SYNO.Entry.Request"
MODES = ("sequential", "parallel")


def make_api(execute: Callable[[Call, Mapping[str, str]], object]) -> Api:
    """Return the API; `execute` runs one part, given the compound call and the fields of the part."""

    def answer(call: Call, part: Any) -> dict[str, Any]:
        if not isinstance(part, dict):
            raise invalid("compound", "type")
        named = {key: part[key] for key in ("api", "method", "version") if key in part}
        fields = {key: str(value) if key in named else json.dumps(value) for key, value in part.items()}
        try:
            if named.get("api") == NAME:
                # A compound request within another one was never observed.
                raise DsmError(101)
            data = execute(call, fields)
        except DsmError as error:
            detail = {"code": error.code} | ({} if error.errors is None else {"errors": error.errors})
            return named | {"success": False, "error": detail}
        return named | {"success": True} | ({} if data is None else {"data": data})

    def request(call: Call) -> object:
        """Return the answers in order. Failed parts do not fail the request; `stop_when_error` ends it at the first."""
        compound = call.params.value("compound", list)
        stop = call.params.flag("stop_when_error", False)
        if call.params.text("mode", MODES[0]) not in MODES:
            raise invalid("mode", "condition")
        result: list[dict[str, Any]] = []
        for part in compound:
            result.append(answer(call, part))
            if stop and not result[-1]["success"]:
                break
        return {"has_fail": not all(entry["success"] for entry in result), "result": result}

    return Api(NAME, 1, 2, {"request": Method(request, versions(1))})
