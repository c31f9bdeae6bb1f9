# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls of the DSM Web API: bounded patience, one new login, and no blind repetition of a change."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Optional, TypeVar

from ..errors import BUSY_READ_CODES, BUSY_WRITE_CODES, SESSION_CODES, ApiError, ConnectionLost, DsmError, Unreachable
from .link import Link
from .second_factor import SecondFactor
from .session import SessionStore
from .transport import Transport

CONFIRM = "SYNO.Core.User.PasswordConfirm"
COMPOUND = "SYNO.Entry.Request"
# Seconds between attempts while DSM says that it is busy: a share just created took several to become exportable.
PAUSES_S = (1.0, 2.0, 4.0, 8.0)
_NO_SUCH_CALL = frozenset({102, 103, 104})
Key = TypeVar("Key")


@dataclass(frozen=True)
class _Call:
    """One call as its caller means it: `version` is the newest this client speaks, `params` are native values."""

    api: str
    method: str
    version: int
    params: dict[str, Any]
    subject: str
    fresh: bool = False
    files: dict[str, bytes] = field(default_factory=dict)
    confirmed: bool = False


@dataclass(frozen=True)
class Read:
    """One of several calls that change nothing: the arguments of `Client.read`. A code of `absent` gives None."""

    api: str
    method: str
    version: int
    params: dict[str, Any] = field(default_factory=dict)
    subject: str = ""
    busy: frozenset[int] = frozenset()
    absent: Container[int] = ()


class Client:
    """A NAS as one account sees it. Use as a context manager: a session that no file keeps is logged out at the end."""

    def __init__(
        self,
        transport: Transport,
        store: SessionStore,
        account: str,
        password: str,
        sleep: Callable[[float], None] = time.sleep,
        second_factor: Optional[SecondFactor] = None,
    ) -> None:
        self.link = Link(transport, store, account, password, second_factor or SecondFactor(account))
        self.store = store
        self.account = account
        self.sleep = sleep
        self._logged_in_again = False

    @property
    def transport(self) -> Transport:
        return self.link.transport

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        if self.store.file is None:
            self.logout()
        self.transport.close()

    def read(
        self,
        api: str,
        method: str,
        version: int,
        params: Optional[dict[str, Any]] = None,
        subject: str = "",
        busy: frozenset[int] = frozenset(),
    ) -> Any:
        """The data of a call that changes nothing; repeated while DSM is busy (the codes `busy` as well) or lost.

        `version` is the newest this client speaks, `params` are native values, `subject` names the object in errors.
        """
        call = _Call(api, method, version, params or {}, subject)
        return self._patiently(call, BUSY_READ_CODES | busy, (ConnectionLost, Unreachable))

    def read_all(self, reads: Mapping[Key, Read]) -> dict[Key, Any]:
        """The data of each read under its key, by one request where DSM takes several at once; as `read` otherwise.

        A part that failed is asked again by itself, which brings patience, a new login, or the error to raise.
        """
        answers = iter(self._compound(list(reads.values())) if len(reads) > 1 else [])
        found: dict[Key, Any] = {}
        for key, one in reads.items():
            answer = next(answers, {})
            found[key] = answer.get("data") if answer.get("success") else self.get(one)
        return found

    def get(self, one: Read) -> Any:
        """The data of one read."""
        try:
            return self.read(one.api, one.method, one.version, one.params, one.subject, one.busy)
        except ApiError as error:
            if error.code not in one.absent:
                raise
            return None

    def write(
        self,
        api: str,
        method: str,
        version: int,
        params: Optional[dict[str, Any]] = None,
        subject: str = "",
        busy: frozenset[int] = frozenset(),
        confirmed: bool = False,
    ) -> Any:
        """The data of a change; repeated only where DSM said, or the connection proves, that nothing was done.

        `confirmed` sends the password once more beforehand, which DSM asks for where something gets all rights.

        Raises ConnectionLost where the outcome is unknown: the caller reads back and decides.
        """
        call = _Call(api, method, version, params or {}, subject, fresh=True, confirmed=confirmed)
        with self.store.exclusive():
            return self._patiently(call, BUSY_WRITE_CODES | busy, (Unreachable,))

    def upload(
        self, api: str, method: str, version: int, files: dict[str, bytes], fields: dict[str, str], subject: str
    ) -> Any:
        """As `write`, with files; the fields go as they are, since DSM does not decode those of such a form."""
        call = _Call(api, method, version, dict(fields), subject, fresh=True, files=files)
        with self.store.exclusive():
            return self._patiently(call, BUSY_WRITE_CODES, (Unreachable,))

    def logout(self) -> bool:
        """End the session on the NAS and forget it; False when there was none, or the NAS did not answer any more."""
        return self.link.logout()

    def _compound(self, reads: Sequence[Read]) -> list[dict[str, Any]]:
        """What DSM says to each part of one request, in order; nothing where it lacks such requests, or an API."""
        if not all(self.link.has(api) for api in (COMPOUND, *(one.api for one in reads))):
            return []
        parts = [
            {**one.params, "api": one.api, "method": one.method, "version": self.link.version(one.api, one.version)}
            for one in reads
        ]
        try:
            asked = {"stop_when_error": False, "mode": "sequential", "compound": parts}
            answers: list[dict[str, Any]] = self.read(COMPOUND, "request", 1, asked)["result"]
        except ApiError as error:
            if error.code not in _NO_SUCH_CALL:
                raise
            self.link.session.apis.pop(COMPOUND, None)
            return []
        return answers

    def _patiently(self, call: _Call, busy: frozenset[int], harmless: tuple[type[DsmError], ...]) -> Any:
        for pause in PAUSES_S:
            try:
                return self._call(call)
            except ApiError as error:
                if error.code not in busy:
                    raise
            except harmless:
                # A NAS that never answered is off or elsewhere; waiting would only hide that.
                if not self.link.answered:
                    raise
            self.sleep(pause)
        return self._call(call)

    def _call(self, call: _Call) -> Any:
        try:
            return self._ask(call)
        except ApiError as error:
            if error.code in SESSION_CODES and not self._logged_in_again:
                self._logged_in_again = True
                self.link.login(refused=self.link.session.sid)
            elif error.code == 104 and error.api == call.api:
                # The table in the session file is older than the DSM that answers now.
                self.link.session.apis.clear()
            else:
                raise
        return self._ask(call)

    def _ask(self, call: _Call) -> Any:
        version = self.link.version(call.api, call.version)
        if not self.link.session.sid:
            self.link.login()
        form = {"api": call.api, "method": call.method, "version": str(version)}
        params = {**call.params, **(self._confirmation() if call.confirmed else {})}
        form.update(encode(params, self.link.entry(call.api).get("requestFormat") == "JSON" and not call.files))
        session = self.link.session
        return self.link.post(call.api, form, session.sid, session.synotoken, call.subject, call.fresh, call.files)

    def _confirmation(self) -> dict[str, Any]:
        """The parameter that proves the password again. Each attempt gets its own: nobody knows how long one holds."""
        data = self.read(CONFIRM, "auth", 2, {"password": self.link.password}, f"account {self.link.owner}")
        return {"SynoConfirmPWToken": data["SynoConfirmPWToken"]}


def encode(params: dict[str, Any], as_json: bool) -> dict[str, str]:
    """Form values as the API wants them: JSON text each (strings quoted), or bare where it has no requestFormat."""
    if as_json:
        return {name: json.dumps(value, separators=(",", ":")) for name, value in params.items()}
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in params.items()}
