# SPDX-License-Identifier: GPL-3.0-or-later
"""One HTTPS POST to a NAS whose certificate is known, and whether it was sent when no answer came."""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import http.client
import json
import socket
import ssl
import urllib.parse
import uuid
from dataclasses import dataclass
from typing import Any, Optional

from .dsm_errors import ConnectionLost, DsmError, Unreachable, Untrusted


@dataclass(frozen=True)
class Endpoint:
    """Where the NAS answers and what proves that it is the one.

    `fingerprint` is the SHA-256 of the certificate (DER) it shows, in hex, with or without colons; without it the
    certificate must be valid for `host` under `ca_path` (PEM file) or the system's authorities. `timeout_s` bounds the
    wait for the connection and for each answer.
    """

    host: str
    port: int = 5001
    fingerprint: Optional[str] = None
    ca_path: Optional[str] = None
    timeout_s: float = 30.0

    def __str__(self) -> str:
        return f"https://{self.host}:{self.port}"


class Transport:
    """A kept-alive connection; `fresh=True` opens a new one, so that a lost answer means a lost answer."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._connection: Optional[http.client.HTTPSConnection] = None
        self._context: Optional[ssl.SSLContext] = None

    def post(
        self, path: str, query: dict[str, str], form: dict[str, str], headers: dict[str, str], fresh: bool = False
    ) -> Any:
        """Send one form, return the decoded JSON answer.

        Raises Unreachable (nothing was sent), Untrusted (wrong certificate, nothing was sent) or ConnectionLost (sent,
        but no usable answer came back: connection closed, timeout, or the server's own error page).
        """
        if fresh:
            self.close()
        kind = {"Content-Type": "application/x-www-form-urlencoded", **headers}
        return self._send(path, query, urllib.parse.urlencode(form).encode(), kind, form)

    def upload(
        self, path: str, query: dict[str, str], files: dict[str, bytes], fields: dict[str, str], headers: dict[str, str]
    ) -> Any:
        """Send files and then fields as they are, over a connection of its own; `query` names the call. As `post`."""
        self.close()
        boundary = uuid.uuid4().hex
        parts = [
            f'; filename="{name}.pem"\r\nContent-Type: application/octet-stream\r\n\r\n'.encode() + content
            for name, content in files.items()
        ] + [b"\r\n\r\n" + value.encode() for value in fields.values()]
        body = b"".join(
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"'.encode() + part + b"\r\n"
            for name, part in zip([*files, *fields], parts)  # noqa: B905
        )
        kind = {"Content-Type": f"multipart/form-data; boundary={boundary}", **headers}
        return self._send(path, query, body + f"--{boundary}--\r\n".encode(), kind, query)

    def _send(
        self, path: str, query: dict[str, str], body: bytes, headers: dict[str, str], form: dict[str, str]
    ) -> Any:
        connection = self._connection or self._connect()
        target = "/webapi/" + path
        if query:
            target += "?" + urllib.parse.urlencode(query)
        try:
            connection.request("POST", target, body=body, headers=headers)
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise ConnectionLost(
                f"{self.endpoint}: the connection ended before {form.get('api')} {form.get('method')} was answered "
                f"({error or type(error).__name__}). Check that the NAS is up, then run again."
            ) from error
        return self._decode(answer.status, text, form)

    def _decode(self, status: int, body: bytes, form: dict[str, str]) -> Any:
        if 300 <= status < 400:
            self.close()
            raise DsmError(f"{self.endpoint} redirects elsewhere (HTTP {status}). Set port to DSM's HTTPS port (5001).")
        try:
            return json.loads(body)
        except ValueError as error:
            self.close()
            raise ConnectionLost(
                f"{self.endpoint}: HTTP {status} and no JSON in answer to {form.get('api')} {form.get('method')}. "
                "Check that DSM answers on this port, then run again."
            ) from error

    def repin(self, fingerprint: str) -> None:
        """From now on expect another certificate: the caller put it there."""
        self.close()
        self.endpoint = dataclasses.replace(self.endpoint, fingerprint=fingerprint)

    def addresses(self) -> tuple[str, str]:
        """This machine's and the NAS's address on the connection, opened where there is none."""
        connection = self._connection or self._connect()
        here, there = connection.sock.getsockname()[0], connection.sock.getpeername()[0]
        return here.partition("%")[0], there.partition("%")[0]

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connect(self) -> http.client.HTTPSConnection:
        endpoint = self.endpoint
        self._context = self._context or _context(endpoint)
        connection = http.client.HTTPSConnection(
            endpoint.host, endpoint.port, timeout=endpoint.timeout_s, context=self._context
        )
        try:
            connection.connect()
        except ssl.SSLCertVerificationError as error:
            raise Untrusted(
                f"{endpoint} shows a certificate that no known authority vouches for ({error.verify_message}). Compare "
                "its SHA-256 fingerprint with the one in Control Panel > Security > Certificate, then set fingerprint; "
                "or set ca_path to the authority's certificate."
            ) from error
        except OSError as error:
            raise Unreachable(
                f"{endpoint} does not answer ({error}). Check that the NAS is on, that host and port are right, and "
                "that its firewall lets this machine in."
            ) from error
        if endpoint.fingerprint is not None:
            found = hashlib.sha256(_leaf(connection)).hexdigest()
            if not hmac.compare_digest(found, plain_fingerprint(endpoint.fingerprint)):
                connection.close()
                raise Untrusted(
                    f"{endpoint} shows the certificate {found}, expected {plain_fingerprint(endpoint.fingerprint)}. "
                    "Nothing was sent. If the certificate was renewed, compare this one with Control Panel > Security "
                    "> Certificate and record it; otherwise another machine answers for the NAS."
                )
        self._connection = connection
        return connection


def shown_fingerprint(endpoint: Endpoint) -> str:
    """SHA-256 of the certificate that answers, whoever that is: nothing is sent. Raises Unreachable."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        plain = socket.create_connection((endpoint.host, endpoint.port), endpoint.timeout_s)
        with context.wrap_socket(plain, server_hostname=endpoint.host) as secured:
            return hashlib.sha256(secured.getpeercert(binary_form=True) or b"").hexdigest()
    except OSError as error:
        raise Unreachable(f"{endpoint} does not answer ({error}). Check that the NAS is on.") from error


def plain_fingerprint(text: str) -> str:
    """`AB:CD…` or `SHA256:abcd…` as 64 lower-case hex digits; DsmError where it is not that."""
    plain = text.strip().lower()
    if plain.startswith("sha256:"):
        plain = plain[len("sha256:") :]
    plain = plain.replace(":", "")
    if len(plain) != 64 or set(plain) - set("0123456789abcdef"):
        raise DsmError(
            f"fingerprint {text!r} is not a SHA-256 in hex (64 digits). Take the one of the leaf certificate."
        )
    return plain


def _context(endpoint: Endpoint) -> ssl.SSLContext:
    if endpoint.fingerprint is None:
        try:
            return ssl.create_default_context(cafile=endpoint.ca_path)
        except OSError as error:
            raise DsmError(
                f"ca_path {endpoint.ca_path} is not a readable PEM file ({error}). Correct ca_path."
            ) from error
    # The leaf itself is compared after the handshake and before the first byte of a request.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _leaf(connection: http.client.HTTPSConnection) -> bytes:
    certificate = connection.sock.getpeercert(binary_form=True)
    if not certificate:
        raise Untrusted(f"{connection.host}:{connection.port} shows no certificate. Nothing was sent.")
    return bytes(certificate)
