# SPDX-License-Identifier: GPL-3.0-or-later
"""SYNO.Entry.Request: several calls in one request, each judged by itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from tars_lab.dsm_twin.protocol import Api, Call, DsmError, Method, invalid, versions

NAME = "SYNO.Entry.Request"
MODES = ("sequential", "parallel")


def over(carry_out: Callable[[Call, Mapping[str, str]], object]) -> Api:
    """The API whose parts go the way of any call: `carry_out` gets the compound call and the fields of one part."""

    def part(call: Call, asked: Any) -> dict[str, Any]:
        if not isinstance(asked, dict):
            raise invalid("compound", "type")
        named = {key: asked[key] for key in ("api", "method", "version") if key in asked}
        fields = {key: str(value) if key in named else json.dumps(value) for key, value in asked.items()}
        try:
            if named.get("api") == NAME:
                # Nobody has seen one in another.
                raise DsmError(101)
            data = carry_out(call, fields)
        except DsmError as error:
            detail = {"code": error.code} | ({} if error.errors is None else {"errors": error.errors})
            return named | {"success": False, "error": detail}
        return named | {"success": True} | ({} if data is None else {"data": data})

    def request(call: Call) -> object:
        """The answers in order. The whole succeeds although parts fail; `stop_when_error` ends it at the first one."""
        compound = call.params.value("compound", list)
        stop = call.params.flag("stop_when_error", False)
        if call.params.text("mode", MODES[0]) not in MODES:
            raise invalid("mode", "condition")
        result: list[dict[str, Any]] = []
        for asked in compound:
            result.append(part(call, asked))
            if stop and not result[-1]["success"]:
                break
        return {"has_fail": not all(answer["success"] for answer in result), "result": result}

    return Api(NAME, 1, 2, {"request": Method(request, versions(1))})
