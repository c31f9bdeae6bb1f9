# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls of the DSM Web API: negotiated versions, one login, bounded patience, and no blind repetition of a change."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Optional, TypeVar

from .dsm_apis import NAMES
from .dsm_errors import (
    BUSY_READ_CODES,
    BUSY_WRITE_CODES,
    SESSION_CODES,
    ApiError,
    ConnectionLost,
    DsmError,
    Unreachable,
)
from .dsm_second_factor import SecondFactor
from .dsm_session import Session, SessionStore
from .dsm_transport import Transport

AUTH = "SYNO.API.Auth"
CONFIRM = "SYNO.Core.User.PasswordConfirm"
COMPOUND = "SYNO.Entry.Request"
# Seconds between attempts while DSM says that it is busy: a share just created took several to become exportable.
PAUSES_S = (1.0, 2.0, 4.0, 8.0)
# Login 7 is what DSM 7.3 wants for privileged changes, 6 is enough for 7.1.
LOGIN_VERSIONS = (7, 6)
_NO_SUCH_CALL = frozenset({102, 103, 104})
_NO_SUCH_LOGIN = frozenset({101, 103, 104})
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
        self.transport = transport
        self.store = store
        self.account = account
        self.second_factor = second_factor or SecondFactor(account)
        self.sleep = sleep
        self._password = password
        self._owner = f"{account} at {transport.endpoint}"
        self._session = store.load(self._owner)
        self._answered = False
        self._logged_in_again = False
        self._refused: Optional[DsmError] = None

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
        with self.store.exclusive():
            self.store.forget()
            sid, self._session.sid = self._session.sid, ""
            if not sid:
                return False
            try:
                version = min(LOGIN_VERSIONS[0], self._entry(AUTH)["maxVersion"])
                form = {"api": AUTH, "method": "logout", "version": str(version), "session": "DSM"}
                self._post(AUTH, form, sid, self._session.synotoken)
            except DsmError:
                # Nothing to repair: the session is unknown to the NAS already, or ends there by its own timeout.
                return False
            return True

    def _compound(self, reads: Sequence[Read]) -> list[dict[str, Any]]:
        """What DSM says to each part of one request, in order; nothing where it lacks such requests, or an API."""
        if not all(self._has(api) for api in (COMPOUND, *(one.api for one in reads))):
            return []
        parts = [
            {**one.params, "api": one.api, "method": one.method, "version": self._version(one.api, one.version)}
            for one in reads
        ]
        try:
            asked = {"stop_when_error": False, "mode": "sequential", "compound": parts}
            answers: list[dict[str, Any]] = self.read(COMPOUND, "request", 1, asked)["result"]
        except ApiError as error:
            if error.code not in _NO_SUCH_CALL:
                raise
            self._session.apis.pop(COMPOUND, None)
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
                if not self._answered:
                    raise
            self.sleep(pause)
        return self._call(call)

    def _call(self, call: _Call) -> Any:
        try:
            return self._ask(call)
        except ApiError as error:
            if error.code in SESSION_CODES and not self._logged_in_again:
                self._logged_in_again = True
                self._login(refused=self._session.sid)
            elif error.code == 104 and error.api == call.api:
                # The table in the session file is older than the DSM that answers now.
                self._session.apis.clear()
            else:
                raise
        return self._ask(call)

    def _ask(self, call: _Call) -> Any:
        version = self._version(call.api, call.version)
        if not self._session.sid:
            self._login()
        form = {"api": call.api, "method": call.method, "version": str(version)}
        params = {**call.params, **(self._confirmation() if call.confirmed else {})}
        form.update(encode(params, self._entry(call.api).get("requestFormat") == "JSON" and not call.files))
        session = self._session
        return self._post(call.api, form, session.sid, session.synotoken, call.subject, call.fresh, call.files)

    def _confirmation(self) -> dict[str, Any]:
        """The parameter that proves the password again. Each attempt gets its own: nobody knows how long one holds."""
        data = self.read(CONFIRM, "auth", 2, {"password": self._password}, f"account {self._owner}")
        return {"SynoConfirmPWToken": data["SynoConfirmPWToken"]}

    def _version(self, api: str, newest: int) -> int:
        """The newest version that both sides speak."""
        entry = self._entry(api)
        if newest < entry["minVersion"]:
            raise DsmError(
                f"{self.transport.endpoint} speaks {api} from version {entry['minVersion']} on, this client up to "
                f"{newest}. Update the collection."
            )
        return min(newest, int(entry["maxVersion"]))

    def _entry(self, api: str) -> dict[str, Any]:
        """What SYNO.API.Info says about an API."""
        if not self._has(api):
            # It may have come with a package since.
            self._negotiate([api])
        if api not in self._session.apis:
            raise ApiError(api, "(any)", 102, subject=str(self.transport.endpoint))
        entry: dict[str, Any] = self._session.apis[api]
        return entry

    def _has(self, api: str) -> bool:
        """Whether the NAS had the API when the session began; all that the collection calls is asked about at once."""
        if not self._session.apis:
            self._negotiate(sorted({*NAMES, api}))
        return api in self._session.apis

    def _negotiate(self, names: Sequence[str]) -> None:
        form = {"api": "SYNO.API.Info", "method": "query", "version": "1", "query": ",".join(names)}
        self._session.apis.update(self._post("SYNO.API.Info", form))
        if self._session.sid:
            self.store.save(self._session)

    def _login(self, refused: str = "") -> None:
        """Take over the play's session, or make one where there is none or only the `refused` one."""
        with self.store.exclusive():
            shared = self.store.load(self._owner)
            if shared.sid and shared.sid != refused:
                self._session = shared
                return
            if self._refused is not None:
                # A failed login counts towards auto block, whoever asks for it.
                raise self._refused
            with self.second_factor.exclusive():
                data = self._authenticate()
            self._session = Session(self._owner, data["sid"], data.get("synotoken", ""), self._session.apis)
            self.store.save(self._session)

    def _authenticate(self) -> dict[str, Any]:
        newest = self._entry(AUTH)["maxVersion"]
        versions = [version for version in LOGIN_VERSIONS if version <= newest] or [newest]
        form = {
            "api": AUTH,
            "method": "login",
            "account": self.account,
            "passwd": self._password,
            "session": "DSM",
            "format": "sid",
            "enable_syno_token": "yes",
        }
        factor = self.second_factor.fields()
        for version in versions:
            try:
                asked = {**form, **factor, "version": str(version)}
                data: dict[str, Any] = self._post(AUTH, asked, subject=f"account {self._owner}")
            except ApiError as error:
                if error.code in _NO_SUCH_LOGIN and version != versions[-1]:
                    continue
                self._refused = self.second_factor.refused(factor, error)
                raise self._refused from error
            self.second_factor.accepted(factor, data)
            return data
        raise AssertionError("the last version returns or raises")

    def _post(
        self,
        api: str,
        form: dict[str, str],
        sid: str = "",
        synotoken: str = "",
        subject: str = "",
        fresh: bool = False,
        files: Optional[dict[str, bytes]] = None,
    ) -> Any:
        path = self._session.apis[api]["path"] if api in self._session.apis else "query.cgi"
        query = {"_sid": sid} if sid else {}
        headers = {}
        if synotoken:
            # Some builds read the token from the query only, others from the header only.
            query["SynoToken"] = headers["X-SYNO-TOKEN"] = synotoken
        if files:
            named = {name: form[name] for name in ("api", "method", "version")}
            fields = {name: value for name, value in form.items() if name not in named}
            answer = self.transport.upload(path, {**named, **query}, files, fields, headers)
        else:
            answer = self.transport.post(path, query, form, headers, fresh)
        self._answered = True
        if not isinstance(answer, dict) or "success" not in answer:
            raise DsmError(
                f"{self.transport.endpoint} answered {api} {form['method']} with something that is not DSM's."
            )
        if not answer["success"]:
            error = answer.get("error") or {}
            raise ApiError(api, form["method"], int(error.get("code", 100)), error.get("errors"), subject)
        return answer.get("data")


def encode(params: dict[str, Any], as_json: bool) -> dict[str, str]:
    """Form values as the API wants them: JSON text each (strings quoted), or bare where it has no requestFormat."""
    if as_json:
        return {name: json.dumps(value, separators=(",", ":")) for name, value in params.items()}
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in params.items()}
