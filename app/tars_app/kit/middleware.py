# SPDX-License-Identifier: GPL-3.0-or-later
"""Limit the size of every request but those that add documents, add security headers to its response, and log it."""

from __future__ import annotations

import logging
import math
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger(__name__)

MAX_BODY_BYTES = 64 * 1024
TOO_LARGE = f"The request is larger than {MAX_BODY_BYTES} bytes. Ask in fewer words."
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; "
        "manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_QUIET = frozenset({"/health", "/ready", "/metrics"})


class RequestGuard:
    """ASGI middleware; it passes streams on without buffering."""

    def __init__(self, app: ASGIApp, unlimited: frozenset[str] = frozenset()) -> None:
        """Take the paths whose routes limit the size of their requests themselves."""
        self._app = app
        self._unlimited = unlimited

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.monotonic()
        status = 500

        async def guarded_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)  # a download sets a stricter policy
                # Browsers revalidate the page each time, so that they never mix the files of two releases.
                headers["Cache-Control"] = "no-store" if scope["path"].startswith("/api/") else "no-cache"
            await send(message)

        arrived = 0
        most = math.inf if scope["path"] in self._unlimited else MAX_BODY_BYTES

        async def guarded_receive() -> Message:
            nonlocal arrived
            message = await receive()
            arrived += len(message.get("body", b""))
            if arrived > most:
                raise HTTPException(413, TOO_LARGE)
            return message

        try:
            announced = Headers(scope=scope).get("content-length", "0")
            if announced.isdigit() and int(announced) > most:
                await JSONResponse({"detail": TOO_LARGE}, 413)(scope, receive, guarded_send)
            else:
                await self._app(scope, guarded_receive, guarded_send)
        finally:
            if scope["path"] not in _QUIET:
                fields = {
                    "method": scope["method"],
                    "path": scope["path"],  # without the query, which is private
                    "status": status,
                    "seconds": round(time.monotonic() - started, 3),
                }
                log.info("Request", extra={"fields": fields})
