# SPDX-License-Identifier: GPL-3.0-or-later
"""The listening servers: TLS on one port, redirects to it on another, both on IPv4 and, if available, IPv6."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from tars_lab.dsm_twin.server import CLOSE, DROP, redirect

TLS_PORT, PLAIN_PORT = 5001, 5000
RESTART_S = 0.3
"""Seconds between the answer that announces a restart and the restart."""
CUT_S = 5.0
"""Longest time to wait for the end of the connections, in seconds."""


class Connection(H11Protocol):
    """HTTP/1.1 with extensions that let the application close the connection of a request."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        inner = self.app

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            extensions = scope.setdefault("extensions", {})
            extensions |= {DROP: self.transport.abort, CLOSE: self.transport.close}
            await inner(scope, receive, send)

        self.app = app

    def shutdown(self) -> None:
        """Close the connection, at once if it is idle."""
        idle = self.cycle is None or self.cycle.response_complete
        super().shutdown()
        if idle:
            # A graceful shutdown would wait half a minute for a client that keeps the connection open.
            self.transport.abort()


class Server(uvicorn.Server):
    """One of several servers in a process, which handles the signals itself."""

    loop: asyncio.AbstractEventLoop | None = None
    first: tuple[Path, Path]
    """Files of the certificate that the NAS was installed with, and of its key."""

    restart_s: float = RESTART_S
    _restart: Future[None] | None = None

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve on these sockets until `should_exit` is set."""
        self.loop = asyncio.get_running_loop()
        await super().serve(sockets)

    def show(self, certificate: Path | None) -> Future[None] | None:
        """Schedule a restart with another certificate, or with the first one (None), which ends all connections.

        A restart that is already scheduled is cancelled. Return a future that is done after the restart, None before
        the server runs.
        """
        if self.loop is not None and not self.loop.is_closed():
            if self._restart is not None:
                self._restart.cancel()
            self._restart = asyncio.run_coroutine_threadsafe(self._show(certificate), self.loop)
        elif certificate is not None:
            self.config.ssl_certfile = self.config.ssl_keyfile = str(certificate)
        return self._restart

    async def _show(self, certificate: Path | None) -> None:
        await asyncio.sleep(self.restart_s)
        shown = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        shown.load_cert_chain(*(self.first if certificate is None else (certificate,)))
        if self.config.ssl is not None:  # The server has TLS; the condition is for the type checker.
            # A context has one certificate for each type of key, so one that is added to it would not always be used.
            self.config.ssl.sni_callback = lambda connection, _name, _context: setattr(connection, "context", shown)
        self._abort()

    def cut(self) -> None:
        """End all connections, also the caller's, before an address is removed; return when they have ended."""
        done = threading.Event()
        if self.loop is not None:
            self.loop.call_soon_threadsafe(self._abort)
            self.loop.call_soon_threadsafe(done.set)
            done.wait(CUT_S)

    def _abort(self) -> None:
        for connection in list(self.server_state.connections):
            if isinstance(connection, H11Protocol):
                connection.transport.abort()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the process."""
        yield


def listener(port: int, host: str | None = None) -> socket.socket:
    """Return a listening socket on all addresses of the machine, or on `host`; port 0 selects a free port."""
    if host is None and socket.has_dualstack_ipv6():
        bound = socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
    else:
        bound = socket.create_server((host or "", port))
    # Its connections inherit the option. asyncio does not set it on sockets without a protocol number, and an answer in
    # two parts would then wait 40 ms for the caller's acknowledgement.
    bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return bound


def tls_server(app: ASGIApp, certificate: Path, key: Path) -> Server:
    """Return a server for an application, with this certificate and key."""
    server = Server(_config(app, ssl_certfile=str(certificate), ssl_keyfile=str(key)))
    server.first = (certificate, key)
    return server


async def serve(tls: Server) -> None:
    """Serve both ports until SIGTERM or SIGINT."""
    servers = [
        (tls, listener(TLS_PORT)),
        (Server(_config(redirect(TLS_PORT))), listener(PLAIN_PORT)),
    ]

    _notify_systemd()

    def stop() -> None:
        for server, _ in servers:
            server.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    await asyncio.gather(*(server.serve(sockets=[bound]) for server, bound in servers))


def _notify_systemd() -> None:
    """Report the service as started (sd_notify): its ports are bound and queue the callers."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.sendto(b"READY=1", address.replace("@", "\0", 1) if address.startswith("@") else address)


def _config(app: ASGIApp, **options: Any) -> uvicorn.Config:
    # Query strings contain session ids, so there is no access log. No proxy is in front whose headers could be trusted.
    fixed: dict[str, Any] = {
        "http": Connection,
        "access_log": False,
        "proxy_headers": False,
        "timeout_graceful_shutdown": 10,
    }
    return uvicorn.Config(app, log_config=None, **(fixed | options))
