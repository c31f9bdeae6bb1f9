# SPDX-License-Identifier: GPL-3.0-or-later
"""A server on loopback in the place of a site's desktop: its certificate is signed by the site's authority."""

import datetime
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from starlette.applications import Starlette
from starlette.routing import Route

from tars_provision.assistant import client

NAME = "tars.home.arpa"
Key = ec.EllipticCurvePrivateKey


def certificate(
    name: str, key: Key, issuer: tuple[x509.Certificate, Key] | None = None, *, authority: bool = False
) -> x509.Certificate:
    """Return a certificate for a name, valid for this hour, signed by the issuer or by itself."""
    now = datetime.datetime.now(datetime.UTC)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    signer = issuer[1] if issuer else key
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(usage(authority), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .sign(signer, hashes.SHA256())
    )


def usage(authority: bool) -> x509.KeyUsage:
    """Return what a key may be used for: to sign certificates, or to sign handshakes."""
    never = dict.fromkeys(("content_commitment", "key_encipherment", "data_encipherment", "key_agreement"), False)
    none = dict.fromkeys(("encipher_only", "decipher_only"), False)
    return x509.KeyUsage(digital_signature=not authority, key_cert_sign=authority, crl_sign=authority, **never, **none)


def pem(thing: x509.Certificate | Key) -> bytes:
    if isinstance(thing, x509.Certificate):
        return thing.public_bytes(serialization.Encoding.PEM)
    none = serialization.NoEncryption()
    return thing.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, none)


def write_certificates(folder: Path) -> None:
    """Write an authority's certificate, a server's signed by it, and that of a stranger's authority."""
    authority_key, server_key, stranger_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
    authority = certificate("Site authority", authority_key, authority=True)
    (folder / "authority.pem").write_bytes(pem(authority))
    (folder / "server.pem").write_bytes(pem(certificate(NAME, server_key, (authority, authority_key))))
    (folder / "server.key").write_bytes(pem(server_key))
    (folder / "stranger.pem").write_bytes(pem(certificate("Stranger", stranger_key, authority=True)))


@contextmanager
def serving(folder: Path, routes: Sequence[Route]) -> Iterator[int]:
    """Serve these routes with the certificates of the folder; yield the port."""
    config = uvicorn.Config(
        Starlette(routes=routes),
        ssl_certfile=folder / "server.pem",
        ssl_keyfile=str(folder / "server.key"),
        log_level="error",
        lifespan="off",
    )
    server = uvicorn.Server(config)
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def endpoint(folder: Path, port: int, *, name: str = NAME, authority: str = "authority.pem") -> client.Endpoint:
    return client.Endpoint("127.0.0.1", name, folder / authority, port)
