# SPDX-License-Identifier: GPL-3.0-or-later
"""One NAS and one session with it: what its APIs are, who logs in and when, and a single request with its answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Optional

from ..calls import NAMES
from ..errors import ApiError, DsmError
from .second_factor import SecondFactor
from .session import Session, SessionStore
from .transport import Transport

AUTH = "SYNO.API.Auth"
# Login 7 is what DSM 7.3 wants for privileged changes, 6 is enough for 7.1.
LOGIN_VERSIONS = (7, 6)
_NO_SUCH_LOGIN = frozenset({101, 103, 104})


class Link:
    """`session` is the play's, or empty before the first call; `answered` tells whether the NAS ever said anything."""

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
        self._refused: Optional[DsmError] = None

    def version(self, api: str, newest: int) -> int:
        """The newest version that both sides speak."""
        entry = self.entry(api)
        if newest < entry["minVersion"]:
            raise DsmError(
                f"{self.transport.endpoint} speaks {api} from version {entry['minVersion']} on, this client up to "
                f"{newest}. Update the collection."
            )
        return min(newest, int(entry["maxVersion"]))

    def entry(self, api: str) -> dict[str, Any]:
        """What SYNO.API.Info says about an API."""
        if not self.has(api):
            # It may have come with a package since.
            self._negotiate([api])
        if api not in self.session.apis:
            raise ApiError(api, "(any)", 102, subject=str(self.transport.endpoint))
        entry: dict[str, Any] = self.session.apis[api]
        return entry

    def has(self, api: str) -> bool:
        """Whether the NAS had the API when the session began; all that the collection calls is asked about at once."""
        if not self.session.apis:
            self._negotiate(sorted({*NAMES, api}))
        return api in self.session.apis

    def _negotiate(self, names: Sequence[str]) -> None:
        form = {"api": "SYNO.API.Info", "method": "query", "version": "1", "query": ",".join(names)}
        self.session.apis.update(self.post("SYNO.API.Info", form))
        if self.session.sid:
            self.store.save(self.session)

    def login(self, refused: str = "") -> None:
        """Take over the play's session, or make one where there is none or only the `refused` one."""
        with self.store.exclusive():
            shared = self.store.load(self.owner)
            if shared.sid and shared.sid != refused:
                self.session = shared
                return
            if self._refused is not None:
                # A failed login counts towards auto block, whoever asks for it.
                raise self._refused
            with self.second_factor.exclusive():
                data = self._authenticate()
            self.session = Session(self.owner, data["sid"], data.get("synotoken", ""), self.session.apis)
            self.store.save(self.session)

    def _authenticate(self) -> dict[str, Any]:
        newest = self.entry(AUTH)["maxVersion"]
        versions = [version for version in LOGIN_VERSIONS if version <= newest] or [newest]
        form = {
            "api": AUTH,
            "method": "login",
            "account": self.account,
            "passwd": self.password,
            "session": "DSM",
            "format": "sid",
            "enable_syno_token": "yes",
        }
        factor = self.second_factor.fields()
        for version in versions:
            try:
                asked = {**form, **factor, "version": str(version)}
                data: dict[str, Any] = self.post(AUTH, asked, subject=f"account {self.owner}")
            except ApiError as error:
                if error.code in _NO_SUCH_LOGIN and version != versions[-1]:
                    continue
                self._refused = self.second_factor.refused(factor, error)
                raise self._refused from error
            self.second_factor.accepted(factor, data)
            return data
        raise AssertionError("the last version returns or raises")

    def logout(self) -> bool:
        """End the session on the NAS and forget it; False when there was none, or the NAS did not answer any more."""
        with self.store.exclusive():
            self.store.forget()
            sid, self.session.sid = self.session.sid, ""
            if not sid:
                return False
            try:
                version = min(LOGIN_VERSIONS[0], self.entry(AUTH)["maxVersion"])
                form = {"api": AUTH, "method": "logout", "version": str(version), "session": "DSM"}
                self.post(AUTH, form, sid, self.session.synotoken)
            except DsmError:
                # Nothing to repair: the session is unknown to the NAS already, or ends there by its own timeout.
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
        files: Optional[dict[str, bytes]] = None,
    ) -> Any:
        """The data of one answer; ApiError for a refusal. `form` holds the values as they go out."""
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
                f"{self.transport.endpoint} answered {api} {form['method']} with something that is not DSM's."
            )
        if not answer["success"]:
            error = answer.get("error") or {}
            raise ApiError(api, form["method"], int(error.get("code", 100)), error.get("errors"), subject)
        return answer.get("data")
