# SPDX-License-Identifier: GPL-3.0-or-later
"""One HTTPS POST to a NAS with a verified certificate; its errors show whether the request was sent."""

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
from typing import Any

from ..errors import ConnectionLostError, DsmError, UnreachableError, UntrustedError


@dataclass(frozen=True)
class Endpoint:
    """The address of the NAS and the proofs of its identity.

    Either proof is enough: its certificate (DER) has the SHA-256 `fingerprint` (hex, with or without colons), or it is
    valid for `host` and signed by a certificate authority in `ca_path` (PEM file). Without both, the system's
    authorities count. A `ca_path` that does not exist yet is an error only if there is no fingerprint. `timeout_s`
    bounds the wait for the connection and for each answer.
    """

    host: str
    port: int = 5001
    fingerprint: str | None = None
    ca_path: str | None = None
    timeout_s: float = 30.0

    def __str__(self) -> str:
        return f"https://{self.host}:{self.port}"


class Transport:
    """A connection that is kept alive. A `fresh` one cannot have been closed by the NAS before the request."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._connection: http.client.HTTPSConnection | None = None
        self._proofs: list[_Proof] = []

    def post(
        self, path: str, query: dict[str, str], form: dict[str, str], headers: dict[str, str], fresh: bool = False
    ) -> Any:
        """Send a form and return the decoded JSON answer.

        Raises:
            UnreachableError: nothing was sent.
            UntrustedError: the certificate is wrong; nothing was sent.
            ConnectionLostError: the request was sent, but the connection ended, timed out, or brought no JSON.
        """
        if fresh:
            self.close()
        kind = {"Content-Type": "application/x-www-form-urlencoded", **headers}
        return self._send(path, query, urllib.parse.urlencode(form).encode(), kind, form)

    def upload(
        self, path: str, query: dict[str, str], files: dict[str, bytes], fields: dict[str, str], headers: dict[str, str]
    ) -> Any:
        """Send files and then unencoded fields over a new connection; `query` names the call. Raises as `post`."""
        self.close()
        boundary = uuid.uuid4().hex
        parts = [
            f'; filename="{name}.pem"\r\nContent-Type: application/octet-stream\r\n\r\n'.encode() + content
            for name, content in files.items()
        ] + [b"\r\n\r\n" + value.encode() for value in fields.values()]
        body = b"".join(
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"'.encode() + part + b"\r\n"
            for name, part in zip([*files, *fields], parts)
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
            raise ConnectionLostError(
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
            raise ConnectionLostError(
                f"{self.endpoint}: HTTP {status} and no JSON in answer to {form.get('api')} {form.get('method')}. "
                "Check that DSM answers on this port, then run again."
            ) from error

    def repin(self, fingerprint: str) -> None:
        """Expect another certificate from now on, which the caller imported."""
        self.close()
        self.endpoint = dataclasses.replace(self.endpoint, fingerprint=fingerprint)
        self._proofs = []

    def addresses(self) -> tuple[str, str]:
        """Return this machine's and the NAS's address on the connection, which is opened if there is none."""
        connection = self._connection or self._connect()
        own, peer = connection.sock.getsockname()[0], connection.sock.getpeername()[0]
        return own.partition("%")[0], peer.partition("%")[0]

    def close(self) -> None:
        """Close the connection if there is one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connect(self) -> http.client.HTTPSConnection:
        self._proofs = self._proofs or _proofs(self.endpoint)
        refused = []
        for proof in self._proofs:
            try:
                self._connection = self._open(proof)
            except UntrustedError as error:
                refused.append(str(error))
            else:
                # The proof that succeeded is tried first from now on.
                self._proofs.sort(key=lambda other: other is not proof)
                return self._connection
        if self.endpoint.ca_path and not any(proof.authorities for proof in self._proofs):
            refused.append(f"{self.endpoint.ca_path} does not exist yet")
        raise UntrustedError(
            f"{self.endpoint} shows the certificate {shown_fingerprint(self.endpoint)}: {', and '.join(refused)}. "
            "Nothing was sent. Compare it with the SHA-256 fingerprint in Control Panel > Security > Certificate: if "
            "they are equal, set fingerprint, or set ca_path to the certificate of its authority; otherwise another "
            "machine answers at this address."
        )

    def _open(self, proof: _Proof) -> http.client.HTTPSConnection:
        """Return a connection to a NAS that has the proof. Raises UntrustedError before a request is sent."""
        endpoint = self.endpoint
        connection = http.client.HTTPSConnection(
            endpoint.host, endpoint.port, timeout=endpoint.timeout_s, context=proof.context
        )
        try:
            connection.connect()
        except ssl.SSLCertVerificationError as error:
            raise UntrustedError(
                f"{proof.authorities} does not verify it ({error.verify_message.rstrip('.')})"
            ) from error
        except OSError as error:
            raise UnreachableError(
                f"{endpoint} does not answer ({error}). Check that the NAS is on, that host and port are right, and "
                "that its firewall admits this machine."
            ) from error
        if proof.fingerprint:
            shown = hashlib.sha256(connection.sock.getpeercert(binary_form=True) or b"").hexdigest()
            if not hmac.compare_digest(shown, proof.fingerprint):
                connection.close()
                raise UntrustedError(f"the expected one is {proof.fingerprint}")
        return connection


@dataclass(frozen=True)
class _Proof:
    """A way to verify the NAS: the `fingerprint` of its certificate, or if that is empty, `authorities`."""

    context: ssl.SSLContext
    fingerprint: str = ""
    authorities: str = ""


def _proofs(endpoint: Endpoint) -> list[_Proof]:
    """Return the ways to verify the NAS, the certificate authority first."""
    pins = [_Proof(_unverified(), plain_fingerprint(endpoint.fingerprint))] if endpoint.fingerprint else []
    if pins and endpoint.ca_path is None:
        return pins
    try:
        context = ssl.create_default_context(cafile=endpoint.ca_path)
    except OSError as error:
        if pins and isinstance(error, FileNotFoundError):
            return pins
        raise DsmError(
            f"ca_path {endpoint.ca_path} is not a readable PEM file ({error}). Set ca_path to one."
        ) from error
    return [_Proof(context, authorities=endpoint.ca_path or "the system's list of authorities"), *pins]


def _unverified() -> ssl.SSLContext:
    """Return a context for a certificate that is compared after the handshake."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def shown_fingerprint(endpoint: Endpoint) -> str:
    """Return the SHA-256 of the certificate that is shown, unverified; no request is sent. Raises UnreachableError."""
    try:
        plain = socket.create_connection((endpoint.host, endpoint.port), endpoint.timeout_s)
        with _unverified().wrap_socket(plain, server_hostname=endpoint.host) as secured:
            return hashlib.sha256(secured.getpeercert(binary_form=True) or b"").hexdigest()
    except OSError as error:
        raise UnreachableError(f"{endpoint} does not answer ({error}). Check that the NAS is on.") from error


def plain_fingerprint(text: str) -> str:
    """Return `AB:CD…` or `SHA256:abcd…` as 64 lower-case hex digits. Raises DsmError for anything else."""
    plain = text.strip().lower()
    if plain.startswith("sha256:"):
        plain = plain[len("sha256:") :]
    plain = plain.replace(":", "")
    if len(plain) != 64 or set(plain) - set("0123456789abcdef"):
        raise DsmError(
            f"invalid fingerprint {text!r}: expected a SHA-256 in hex (64 digits), that of the leaf certificate."
        )
    return plain
