# SPDX-License-Identifier: GPL-3.0-or-later
"""One NAS and one session with it: its APIs, the login, and a single request with its answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..calls import API_INFO, APIS, LOGIN, LOGOUT, Call
from ..errors import ApiError, DsmError
from .second_factor import SecondFactor
from .session import Session, SessionStore
from .transport import Transport

LOGIN_VERSIONS = (LOGIN.version, 6)
_NO_SUCH_LOGIN = frozenset({101, 103, 104})


class Link:
    """A connection with its session, which is empty before the first call; `answered`: the NAS has answered before."""

    def __init__(
        self, transport: Transport, store: SessionStore, account: str, password: str, second_factor: SecondFactor
    ) -> None:
        self.transport = transport
        self.store = store
        self.account = account
        self.second_factor = second_factor
        self.password = password
        self.owner = f"{account} at {transport.endpoint}"
        self.session = store.load(self.owner)
        self.answered = False
        self._refused: DsmError | None = None

    def version(self, call: Call) -> int:
        """Return the newest version of the call's API that both sides speak."""
        entry = self.entry(call.api)
        if call.version < entry["minVersion"]:
            raise DsmError(
                f"{self.transport.endpoint} supports {call.api} from version {entry['minVersion']} on, this client up "
                f"to {call.version}. Update the collection."
            )
        return min(call.version, int(entry["maxVersion"]))

    def entry(self, api: str) -> dict[str, Any]:
        """Return the API's entry in the answer of SYNO.API.Info."""
        if not self.has(api):
            # A package may have added it since.
            self._negotiate([api])
        if api not in self.session.apis:
            raise ApiError(api, "(any)", 102, subject=str(self.transport.endpoint))
        entry: dict[str, Any] = self.session.apis[api]
        return entry

    def has(self, api: str) -> bool:
        """Tell whether the NAS had the API when the session began, when all APIs of the collection are asked for."""
        if not self.session.apis:
            self._negotiate(sorted({*APIS, api}))
        return api in self.session.apis

    def _negotiate(self, names: Sequence[str]) -> None:
        form = {
            "api": API_INFO.api,
            "method": API_INFO.method,
            "version": str(API_INFO.version),
            "query": ",".join(names),
        }
        self.session.apis.update(self.post(API_INFO.api, form))
        if self.session.sid:
            self.store.save(self.session)

    def login(self, refused: str = "") -> None:
        """Take over the session in the session file, or log in if there is none or only the `refused` one."""
        with self.store.exclusive():
            shared = self.store.load(self.owner)
            if shared.sid and shared.sid != refused:
                self.session = shared
                return
            if self._refused is not None:
                # Every failed login counts towards auto block, so there is no second attempt.
                raise self._refused
            with self.second_factor.exclusive():
                data = self._authenticate()
            self.session = Session(self.owner, data["sid"], data.get("synotoken", ""), self.session.apis)
            self.store.save(self.session)

    def _authenticate(self) -> dict[str, Any]:
        newest = self.entry(LOGIN.api)["maxVersion"]
        versions = [version for version in LOGIN_VERSIONS if version <= newest] or [newest]
        form = {
            "api": LOGIN.api,
            "method": LOGIN.method,
            "account": self.account,
            "passwd": self.password,
            "session": "DSM",
            "format": "sid",
            "enable_syno_token": "yes",
        }
        factor = self.second_factor.fields()
        for version in versions:
            try:
                request = {**form, **factor, "version": str(version)}
                data: dict[str, Any] = self.post(LOGIN.api, request, subject=f"account {self.owner}")
            except ApiError as error:
                if error.code in _NO_SUCH_LOGIN and version != versions[-1]:
                    continue
                self._refused = self.second_factor.refused(factor, error)
                raise self._refused from error
            self.second_factor.accepted(factor, data)
            return data
        raise AssertionError("the last version returns or raises")

    def logout(self) -> bool:
        """End the session on the NAS and forget it. Returns False if there was none or the NAS does not answer."""
        with self.store.exclusive():
            self.store.forget()
            sid, self.session.sid = self.session.sid, ""
            if not sid:
                return False
            try:
                version = str(self.version(LOGOUT))
                form = {"api": LOGOUT.api, "method": LOGOUT.method, "version": version, "session": "DSM"}
                self.post(LOGOUT.api, form, sid, self.session.synotoken)
            except DsmError:
                # Nothing to repair: the NAS has forgotten the session already, or its timeout ends it.
                return False
            return True

    def post(
        self,
        api: str,
        form: dict[str, str],
        sid: str = "",
        synotoken: str = "",
        subject: str = "",
        fresh: bool = False,
        files: dict[str, bytes] | None = None,
    ) -> Any:
        """Send a form of encoded values and return the data of the answer. Raises ApiError for a refusal."""
        path = self.session.apis[api]["path"] if api in self.session.apis else "query.cgi"
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
        self.answered = True
        if not isinstance(answer, dict) or "success" not in answer:
            raise DsmError(
                f"{self.transport.endpoint}: the answer to {api} {form['method']} is not one of DSM's. Check host and "
                "port: another web server may answer there."
            )
        if not answer["success"]:
            error = answer.get("error") or {}
            raise ApiError(api, form["method"], int(error.get("code", 100)), error.get("errors"), subject)
        return answer.get("data")
