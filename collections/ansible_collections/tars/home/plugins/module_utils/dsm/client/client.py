# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls of the DSM Web API: bounded retries, at most one new login, and no change is repeated blindly."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, TypeVar

from ..calls import COMPOUND, CONFIRM_PASSWORD, Call
from ..errors import (
    BUSY_READ_CODES,
    BUSY_WRITE_CODES,
    SESSION_CODES,
    ApiError,
    ConnectionLostError,
    DsmError,
    UnreachableError,
)
from .link import Link
from .second_factor import SecondFactor
from .session import SessionStore
from .transport import Transport

# Seconds between attempts while DSM reports that it is busy: a new share took several seconds to become exportable.
PAUSES_S = (1.0, 2.0, 4.0, 8.0)
_NO_SUCH_CALL = frozenset({102, 103, 104})
Key = TypeVar("Key")


@dataclass(frozen=True)
class _Request:
    """One request: `params` are native values; `fresh` opens a connection; `confirmed` sends the password with it."""

    call: Call
    params: dict[str, Any]
    subject: str
    fresh: bool = False
    files: dict[str, bytes] = field(default_factory=dict)
    confirmed: bool = False


@dataclass(frozen=True)
class Read:
    """The arguments of `Client.read`, for reading several things at once. A code in `absent` gives None."""

    call: Call
    params: dict[str, Any] = field(default_factory=dict)
    subject: str = ""
    busy: frozenset[int] = frozenset()
    absent: Container[int] = ()


class Client:
    """A NAS as one account sees it.

    Use it as a context manager: it ends a session that is kept in no file.
    """

    def __init__(
        self,
        transport: Transport,
        store: SessionStore,
        account: str,
        password: str,
        sleep: Callable[[float], None] = time.sleep,
        second_factor: SecondFactor | None = None,
    ) -> None:
        self.link = Link(transport, store, account, password, second_factor or SecondFactor(account))
        self.store = store
        self.account = account
        self.sleep = sleep
        self._logged_in_again = False

    @property
    def transport(self) -> Transport:
        """The connection to the NAS."""
        return self.link.transport

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.store.file is None:
            self.logout()
        self.transport.close()

    def read(
        self,
        call: Call,
        params: dict[str, Any] | None = None,
        subject: str = "",
        busy: frozenset[int] = frozenset(),
    ) -> Any:
        """Return the data of a call that changes nothing.

        It is repeated while DSM is busy (also for the error codes in `busy`) and where the answer was lost.

        Args:
            call: what to call.
            params: the call's parameters as native values.
            subject: the object that the call is about, for error messages.
            busy: further error codes that mean "not now".

        Raises:
            DsmError: DSM refused the call, or does not answer.
        """
        request = _Request(call, params or {}, subject)
        return self._retry(request, BUSY_READ_CODES | busy, (ConnectionLostError, UnreachableError))

    def read_all(self, reads: Mapping[Key, Read]) -> dict[Key, Any]:
        """Return the data of each read under its key, by one request where DSM supports compound requests.

        A part that failed is asked for again by itself, with the retries, the new login or the error of `read`.
        """
        answers = iter(self._compound(list(reads.values())) if len(reads) > 1 else [])
        data: dict[Key, Any] = {}
        for key, read in reads.items():
            answer = next(answers, {})
            data[key] = answer.get("data") if answer.get("success") else self.get(read)
        return data

    def get(self, read: Read) -> Any:
        """Return the data of one read."""
        try:
            return self.read(read.call, read.params, read.subject, read.busy)
        except ApiError as error:
            if error.code not in read.absent:
                raise
            return None

    def write(
        self,
        call: Call,
        params: dict[str, Any] | None = None,
        subject: str = "",
        busy: frozenset[int] = frozenset(),
        confirmed: bool = False,
    ) -> Any:
        """Return the data of a change; it is repeated only where DSM or the connection proves that nothing was done.

        The arguments are those of `read`. `confirmed` sends the password once more beforehand, which DSM requires
        where something gets all rights.

        Raises:
            ConnectionLostError: the outcome is unknown, so the caller has to read back.
            DsmError: DSM refused the call, or does not answer.
        """
        request = _Request(call, params or {}, subject, fresh=True, confirmed=confirmed)
        with self.store.exclusive():
            return self._retry(request, BUSY_WRITE_CODES | busy, (UnreachableError,))

    def upload(self, call: Call, files: dict[str, bytes], fields: dict[str, str], subject: str) -> Any:
        """Send files; as `write`, but the fields are sent unencoded, since DSM does not decode those of such a form."""
        request = _Request(call, dict(fields), subject, fresh=True, files=files)
        with self.store.exclusive():
            return self._retry(request, BUSY_WRITE_CODES, (UnreachableError,))

    def logout(self) -> bool:
        """End the session on the NAS and forget it. Returns False if there was none or the NAS does not answer."""
        return self.link.logout()

    def _compound(self, reads: Sequence[Read]) -> list[dict[str, Any]]:
        """Return DSM's answer to each part of one compound request; nothing where DSM lacks these, or an API."""
        if not all(self.link.has(call.api) for call in (COMPOUND, *(read.call for read in reads))):
            return []
        parts = [
            {
                **read.params,
                "api": read.call.api,
                "method": read.call.method,
                "version": self.link.version(read.call),
            }
            for read in reads
        ]
        try:
            params = {"stop_when_error": False, "mode": "sequential", "compound": parts}
            answers: list[dict[str, Any]] = self.read(COMPOUND, params)["result"]
        except ApiError as error:
            if error.code not in _NO_SUCH_CALL:
                raise
            self.link.session.apis.pop(COMPOUND.api, None)
            return []
        return answers

    def _retry(self, request: _Request, busy: frozenset[int], harmless: tuple[type[DsmError], ...]) -> Any:
        for pause in PAUSES_S:
            try:
                return self._send(request)
            except ApiError as error:
                if error.code not in busy:
                    raise
            except harmless:
                # A NAS that never answered is off or elsewhere; waiting would only hide that.
                if not self.link.answered:
                    raise
            self.sleep(pause)
        return self._send(request)

    def _send(self, request: _Request) -> Any:
        try:
            return self._send_once(request)
        except ApiError as error:
            if error.code in SESSION_CODES and not self._logged_in_again:
                self._logged_in_again = True
                self.link.login(refused=self.link.session.sid)
            elif error.code == 104 and error.api == request.call.api:
                # The table in the session file is older than the DSM that answers now.
                self.link.session.apis.clear()
            else:
                raise
        return self._send_once(request)

    def _send_once(self, request: _Request) -> Any:
        call = request.call
        version = self.link.version(call)
        if not self.link.session.sid:
            self.link.login()
        form = {"api": call.api, "method": call.method, "version": str(version)}
        params = {**request.params, **(self._confirmation() if request.confirmed else {})}
        as_json = self.link.entry(call.api).get("requestFormat") == "JSON" and not request.files
        form.update(encode(params, as_json))
        session = self.link.session
        return self.link.post(
            call.api, form, session.sid, session.synotoken, request.subject, request.fresh, request.files
        )

    def _confirmation(self) -> dict[str, Any]:
        """Return the parameter that proves the password again. Its lifetime is unknown, so each attempt gets one."""
        data = self.read(CONFIRM_PASSWORD, {"password": self.link.password}, f"account {self.link.owner}")
        return {"SynoConfirmPWToken": data["SynoConfirmPWToken"]}


def encode(params: dict[str, Any], as_json: bool) -> dict[str, str]:
    """Return form values as the API expects them: JSON (texts quoted), or bare where it has no requestFormat."""
    if as_json:
        return {name: json.dumps(value, separators=(",", ":")) for name, value in params.items()}
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in params.items()}
