# SPDX-License-Identifier: GPL-3.0-or-later
"""The vocabulary of the Web API: errors, form parameters, methods and the tables that hold them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tars_lab.dsm_twin.nas import Nas
    from tars_lab.dsm_twin.session import Session

LOST = object()
"""Default of a parameter that has none."""


class DsmError(Exception):
    """A refusal: HTTP 200 with `{"success": false, "error": {"code": code, "errors": errors}}`."""

    def __init__(self, code: int, errors: object = None) -> None:
        super().__init__(f"DSM error {code}")
        self.code = code
        self.errors = errors


def invalid(name: str, reason: str) -> DsmError:
    """Error 120 for parameter `name`; `reason` is `type`, `required` or `condition`."""
    return DsmError(120, {"name": name, "reason": reason})


class Params:
    """Form fields of one call, decoded as the API's request format asks: JSON values, or bare text for SYNO.API.Auth.

    `bare=True` also accepts an unquoted string, as some reading methods do. `lost` is the error code for a field
    that is missing; 120 carries the field's name.
    """

    def __init__(self, fields: Mapping[str, str]) -> None:
        self._fields = fields

    def __contains__(self, name: str) -> bool:
        return name in self._fields

    def raw(self, name: str, default: str = "") -> str:
        return self._fields.get(name, default)

    def value(self, name: str, kind: type, default: Any = LOST, *, bare: bool = False, lost: int = 120) -> Any:
        text = self._fields.get(name)
        if text is None:
            if default is LOST:
                raise invalid(name, "required") if lost == 120 else DsmError(lost)
            return default
        try:
            value = json.loads(text)
        except ValueError:
            if not bare:
                raise invalid(name, "type") from None
            value = text
        if bare and kind is str and not isinstance(value, str):
            value = text
        # A JSON boolean is an int in Python, never in DSM.
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise invalid(name, "type")
        return value

    def text(self, name: str, default: Any = LOST, *, bare: bool = False, lost: int = 120) -> str:
        text: str = self.value(name, str, default, bare=bare, lost=lost)
        return text

    def whole(self, name: str, default: Any = LOST, *, lost: int = 120) -> int:
        number: int = self.value(name, int, default, lost=lost)
        return number

    def flag(self, name: str, default: Any = LOST) -> bool:
        flag: bool = self.value(name, bool, default)
        return flag


@dataclass(frozen=True)
class Call:
    """One request that passed the checks common to all APIs."""

    nas: Nas
    params: Params
    version: int
    address: str
    session: Session | None

    @property
    def caller(self) -> Session:
        if self.session is None:
            raise DsmError(119)
        return self.session


@dataclass(frozen=True)
class Method:
    """A method of an API: what runs it, in which versions of the API it exists, and whether it changes the NAS.

    A change comes by POST, unless clients are known that make it by GET.
    """

    run: Callable[[Call], object]
    versions: frozenset[int]
    write: bool = False
    session: bool = True
    get: bool = False


@dataclass(frozen=True)
class Api:
    """One API: its version range as SYNO.API.Info tells it, and its methods.

    `busy` is the error code for a write that meets another write in progress.
    """

    name: str
    first: int
    last: int
    methods: Mapping[str, Method]
    json: bool = True
    busy: int = 117


def versions(*numbers: int) -> frozenset[int]:
    return frozenset(numbers)
