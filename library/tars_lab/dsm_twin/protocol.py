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

REQUIRED = object()
"""Default of a required parameter."""


class DsmError(Exception):
    """An error answer: HTTP 200 with `{"success": false, "error": {"code": code, "errors": errors}}`."""

    def __init__(self, code: int, errors: object = None) -> None:
        super().__init__(f"DSM error {code}")
        self.code = code
        self.errors = errors


def invalid(name: str, reason: str) -> DsmError:
    """Return error 120 for the parameter `name`; `reason` is `type`, `required` or `condition`."""
    return DsmError(120, {"name": name, "reason": reason})


class Params:
    """Form fields of one call, decoded by the request format of the API: JSON, or bare text for SYNO.API.Auth.

    `bare=True` also accepts an unquoted string, as some reading methods do. `missing` is the error code for a missing
    field; error 120 contains the field's name.
    """

    def __init__(self, fields: Mapping[str, str]) -> None:
        self._fields = fields

    def __contains__(self, name: str) -> bool:
        return name in self._fields

    def raw(self, name: str, default: str = "") -> str:
        """Return a field's text, not decoded."""
        return self._fields.get(name, default)

    def value(self, name: str, kind: type, default: Any = REQUIRED, *, bare: bool = False, missing: int = 120) -> Any:
        """Return a field's value. Raises DsmError if it is not of this type, or missing without a default."""
        text = self._fields.get(name)
        if text is None:
            if default is REQUIRED:
                raise invalid(name, "required") if missing == 120 else DsmError(missing)
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

    def text(self, name: str, default: Any = REQUIRED, *, bare: bool = False, missing: int = 120) -> str:
        """Return a field's string (see `value`)."""
        text: str = self.value(name, str, default, bare=bare, missing=missing)
        return text

    def integer(self, name: str, default: Any = REQUIRED, *, missing: int = 120) -> int:
        """Return a field's integer (see `value`)."""
        number: int = self.value(name, int, default, missing=missing)
        return number

    def flag(self, name: str, default: Any = REQUIRED) -> bool:
        """Return a field's boolean (see `value`)."""
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
        """The session of the call. Raises DsmError 119 if there is none."""
        if self.session is None:
            raise DsmError(119)
        return self.session


@dataclass(frozen=True)
class Method:
    """A method of an API: its function, the versions of the API that have it, and whether it changes the NAS.

    A change must be sent by POST, unless known clients send it by GET (`get`).
    """

    run: Callable[[Call], object]
    versions: frozenset[int]
    write: bool = False
    session: bool = True
    get: bool = False


@dataclass(frozen=True)
class Api:
    """One API: its version range as SYNO.API.Info reports it, and its methods.

    `busy` is the error code of a write during another write.
    """

    name: str
    first: int
    last: int
    methods: Mapping[str, Method]
    json: bool = True
    busy: int = 117


def versions(*numbers: int) -> frozenset[int]:
    """Return a set of API versions."""
    return frozenset(numbers)
