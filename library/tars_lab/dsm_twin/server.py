# SPDX-License-Identifier: GPL-3.0-or-later
"""The web application: it reads forms, answers in JSON, and checks every call in DSM's order."""

from __future__ import annotations

import dataclasses
import email
import email.message
import ipaddress
import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from tars_lab.dsm_twin.apis import BY_NAME, entry
from tars_lab.dsm_twin.nas import Nas
from tars_lab.dsm_twin.protocol import Api, Call, DsmError, Method, Params
from tars_lab.dsm_twin.session import Session

log = logging.getLogger(__name__)

FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"
DROP, CLOSE = "tars.drop", "tars.close"
"""ASGI extensions of the listener: functions that close the connection at once, or after the answer."""

PROGRAMS: dict[str, str | None] = {"entry.cgi": None, "query.cgi": "SYNO.API.Info", "auth.cgi": "SYNO.API.Auth"}
"""Programs below /webapi/, and the only API that an older program answers."""

INFO = "SYNO.API.Info.query"
ANSWER_FAULTS = {"missing_102": 102, "refused_104": 104}
SESSION_FAULTS = {
    "not_permitted_105": 105,
    "expire_session": 106,
    "duplicate_login": 107,
    "unknown_session_119": 119,
    "moved_150": 150,
}
"""Error codes of faults: ANSWER_FAULTS of any call, SESSION_FAULTS of calls with a session."""


@dataclass(frozen=True)
class Form:
    """The content of a request before an API handles it."""

    verb: str
    fields: Mapping[str, str]
    address: str
    cookie: str
    token: str


class GetRefusedError(Exception):
    """A write came by GET; the web server answers 503 and does not run it."""


class NoAnswerError(Exception):
    """The caller gets no answer, because the connection is closed."""


class DroppedConnection(Response):
    """A response that closes the connection without an answer."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Close the connection."""
        drop = scope.get("extensions", {}).get(DROP)
        if drop is None:
            raise ConnectionResetError("connection dropped by an injected fault")
        drop()
        while (await receive())["type"] != "http.disconnect":
            pass


class ClosingResponse(JSONResponse):
    """An answer after which the connection is closed."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer, then close the connection."""
        await super().__call__(scope, receive, send)
        scope.get("extensions", {}).get(CLOSE, lambda: None)()


def application(nas: Nas) -> Starlette:
    """Return the ASGI application of port 5001."""

    async def webapi(request: Request) -> Response:
        try:
            form = await _form(request)
        except (ValueError, UnicodeError):
            return _refusal(DsmError(101))
        # Benchmarks count these lines in the journal. The query is never logged, because it contains the session.
        log.info("request %s.%s from %s", form.fields.get("api"), form.fields.get("method"), form.address)
        return await run_in_threadpool(_answer, nas, request.path_params["path"], form)

    return Starlette(routes=[Route("/webapi/{path:path}", webapi, methods=["GET", "POST"])])


def redirect(port: int) -> Starlette:
    """Return the ASGI application of port 5000, which redirects every request to the TLS port."""

    async def to_tls(request: Request) -> Response:
        return RedirectResponse(str(request.url.replace(scheme="https", port=port)), 302)

    return Starlette(routes=[Route("/{path:path}", to_tls, methods=["GET", "POST"])])


async def _form(request: Request) -> Form:
    fields = _fields(request.url.query)
    body = await request.body()
    kind = request.headers.get("content-type", "")
    if kind.partition(";")[0].strip().lower() == FORM:
        fields |= _fields(body.decode("utf-8"))
    elif kind.partition(";")[0].strip().lower() == MULTIPART:
        fields |= _parts(kind, body)
    host = ipaddress.ip_address(request.client.host if request.client else "127.0.0.1")
    mapped = host.ipv4_mapped if isinstance(host, ipaddress.IPv6Address) else None
    return Form(
        verb=request.method,
        fields=fields,
        address=str(mapped or host),
        cookie=request.cookies.get("id", ""),
        token=request.headers.get("x-syno-token", ""),
    )


def _fields(text: str) -> dict[str, str]:
    """Return the fields of an urlencoded form. Raises ValueError if it is malformed or has a field twice."""
    pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=True, errors="strict") if text else []
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("form: a field occurs twice")
    return fields


def _parts(kind: str, body: bytes) -> dict[str, str]:
    """Return fields and files of a multipart form as bare text. Raises ValueError if it is malformed."""
    message = email.message_from_bytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + body)
    if not message.is_multipart():
        raise ValueError("multipart form: no parts")
    fields = {}
    for part in message.get_payload():
        content = part.get_payload(decode=True) if isinstance(part, email.message.Message) else None
        name = part.get_param("name", header="content-disposition") if isinstance(part, email.message.Message) else None
        if not isinstance(name, str) or not isinstance(content, bytes):
            raise ValueError("multipart form: a part without a name")
        fields[name] = content.decode("utf-8")
    return fields


def _answer(nas: Nas, path: str, form: Form) -> Response:
    program, _, segment = path.partition("/")
    if program not in PROGRAMS:
        return HTMLResponse("<html><body>Sorry, the page you are looking for is not found.</body></html>", 404)
    try:
        api = _api(form, PROGRAMS[program], segment)
        name = f"{api.name}.{form.fields['method']}"
        return _success(form, _execute(nas, api, form), nas.faults.take("hang_up", name))
    except DsmError as error:
        return _refusal(error)
    except NoAnswerError:
        return DroppedConnection()
    except GetRefusedError:
        return HTMLResponse("<html><body>Service unavailable</body></html>", 503)
    except Exception:
        # DSM's gateway reports any failure of the program behind it as 502.
        log.exception("call of %s failed", form.fields.get("api"))
        return HTMLResponse("<html><body>Bad gateway</body></html>", 502)


def _raise_early_faults(nas: Nas, name: str) -> None:
    """Raise the injected faults that end any call before it is checked."""
    fault = nas.faults.take_one_of(("crash_502", "drop_before"), name)
    if fault == "crash_502":
        raise RuntimeError(f"{name}: crash by an injected fault")
    if fault:
        raise NoAnswerError
    refused = "" if name == INFO else nas.faults.take_one_of(ANSWER_FAULTS, name)
    if refused:
        raise DsmError(ANSWER_FAULTS[refused])


def _api(form: Form, only: str | None, segment: str) -> Api:
    if "api" not in form.fields or "method" not in form.fields or "version" not in form.fields:
        raise DsmError(101)
    api = BY_NAME.get(form.fields["api"])
    if api is None or only not in (None, api.name) or segment not in ("", api.name):
        raise DsmError(102)
    return api


def _execute(nas: Nas, api: Api, form: Form) -> object:
    """Run a call; return the data of its answer."""
    name = f"{api.name}.{form.fields['method']}"
    _raise_early_faults(nas, name)
    version, method = _method(api, form)
    if method.write and form.verb == "GET" and not method.get:
        raise GetRefusedError
    session = _session(nas, method, name, form) if method.session else None
    call = Call(nas, Params(form.fields), version, form.address, session)
    if session is not None and nas.faults.take("busy_117", name):
        raise DsmError(117)
    if not method.write:
        return method.run(call)
    if api.busy == 3328 and nas.faults.take("locked_3328", name):
        raise DsmError(3328)
    if not nas.writing.acquire(blocking=False):
        raise DsmError(api.busy)
    try:
        if nas.faults.take("silent_noop", name):
            return method.run(dataclasses.replace(call, nas=nas.read_only()))
        half = {field: _halved(text) for field, text in form.fields.items()}
        if half != form.fields and nas.faults.take("half_list", name):
            return method.run(dataclasses.replace(call, params=Params(half)))
        data = method.run(call)
        if nas.faults.take("drop_after_write", name):
            raise NoAnswerError
        return data
    finally:
        nas.writing.release()


def _part(call: Call, fields: Mapping[str, str]) -> object:
    """Run one part of a compound request with the session of the whole request."""
    session = call.caller
    form = Form("POST", {**fields, "_sid": session.sid}, call.address, "", session.token)
    return _execute(call.nas, _api(form, None, ""), form)


BY_NAME[entry.NAME] = entry.make_api(_part)


def _halved(text: str) -> str:
    """Return a JSON text with the first half of each of its lists; other text unchanged."""

    def half(value: Any) -> Any:
        if isinstance(value, list):
            return [half(element) for element in value[: (len(value) + 1) // 2]]
        return {key: half(element) for key, element in value.items()} if isinstance(value, dict) else value

    try:
        value = json.loads(text)
    except ValueError:
        return text
    return json.dumps(half(value)) if half(value) != value else text


def _method(api: Api, form: Form) -> tuple[int, Method]:
    text = form.fields["version"]
    if not re.fullmatch("[0-9]{1,4}", text):
        raise DsmError(101)
    version = int(text)
    if not api.first <= version <= api.last:
        raise DsmError(104)
    method = api.methods.get(form.fields["method"])
    if method is None or version not in method.versions:
        raise DsmError(103)
    return version, method


def _session(nas: Nas, method: Method, name: str, form: Form) -> Session:
    sid = form.fields.get("_sid") or form.cookie
    session = nas.sessions.check(sid, form.token or form.fields.get("SynoToken", ""), form.address)
    fault = nas.faults.take_one_of(SESSION_FAULTS, name)
    if fault:
        nas.sessions.close(sid)
        raise DsmError(SESSION_FAULTS[fault])
    if not session.administrator and name not in ("SYNO.API.Auth.logout", "SYNO.DSM.Info.getinfo"):
        # Other reads by an ordinary account were not observed; its writes were, and were answered with 119.
        raise DsmError(119 if method.write else 105)
    return session


def _success(form: Form, data: Any, last: bool) -> Response:
    response = _json({"success": True} if data is None else {"data": data, "success": True}, last)
    if form.fields["method"] == "login" and form.fields.get("format") == "cookie":
        response.set_cookie("id", data["sid"], path="/", secure=True, httponly=True)
        if "did" in data:
            response.set_cookie("did", data["did"], path="/", secure=True, httponly=True)
    return response


def _refusal(error: DsmError) -> Response:
    detail: dict[str, object] = {"code": error.code}
    if error.errors is not None:
        detail["errors"] = error.errors
    return _json({"error": detail, "success": False})


def _json(document: dict[str, Any], last: bool = False) -> Response:
    kind = ClosingResponse if last else JSONResponse
    return kind(json.loads(json.dumps(document)), headers={"Cache-Control": "no-store"})
