# SPDX-License-Identifier: GPL-3.0-or-later
"""A private certificate authority: certificates as values, the reasons to issue them again, and their creation.

Runs on the controller, with the cryptography library that ansible-core itself requires. Times are in UTC.
Extensions are those of RFC 5280; a name constraint on a zone allows the zone and everything below it (4.2.1.10).
"""

from __future__ import annotations

import hashlib
import ipaddress
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ..resource.errors import ResourceError

try:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    IMPORT_ERROR = None
except ImportError:
    IMPORT_ERROR = traceback.format_exc()

# For devices whose clock is a little slow, to which a new certificate would not be valid yet.
HEAD_START = timedelta(hours=1)


class AuthorityError(ResourceError):
    """The authority, or a certificate by it, cannot be used or issued. The message names it and the next step."""


@dataclass(frozen=True)
class Scope:
    """Subject alternative names of a server, or permitted name constraints of a certificate authority (CA).

    `names` are DNS names, for a CA zones. `networks` are in CIDR notation; an address is a network of its own.
    """

    names: tuple[str, ...]
    networks: tuple[str, ...]

    def __str__(self) -> str:
        return ", ".join((*self.names, *self.networks)) or "nothing"

    def contains(self, other: Scope) -> bool:
        """Tell whether all names and networks of the other scope lie inside this one."""
        zones = tuple(f".{zone}" for zone in self.names)
        return all(f".{name}".endswith(zones) for name in other.names) and all(
            any(_inside(network, whole) for whole in self.networks) for network in other.networks
        )


def scope(names: Sequence[str], networks: Sequence[str]) -> Scope:
    """Return the scope of names and of networks or addresses, in one spelling and order. Raises AuthorityError."""
    try:
        spelled = {str(ipaddress.ip_network(network)) for network in networks}
    except ValueError as error:
        raise AuthorityError(
            f"{error}. Use addresses such as 192.168.1.20 and networks such as 192.168.1.0/24."
        ) from None
    return Scope(tuple(sorted({name.lower() for name in names})), tuple(sorted(spelled)))


@dataclass(frozen=True)
class Desired:
    """A certificate in its desired state. `kind` is root, issuer (signs inside its own scope only) or server."""

    kind: str
    scope: Scope
    days: int


@dataclass(frozen=True)
class Certificate:
    """A certificate in its current state. `key` identifies its public key; `signed`: the authority's key signed it."""

    kind: str
    scope: Scope
    key: str
    signed: bool
    start: datetime
    end: datetime

    def is_due(self, now: datetime) -> bool:
        """Tell whether less than a third of its lifetime is left."""
        return now > self.end - (self.end - self.start) / 3


def reasons(
    current: Certificate | None, desired: Desired, key: str | None, limit: datetime, now: datetime
) -> tuple[str, ...]:
    """Return why a certificate has to be issued again, nothing if it does not.

    `key` identifies the public key that it is for, None if that is not known yet. `limit` is the end of the authority:
    no certificate outlasts it, so one that ends with it is not renewed.
    """
    if current is None:
        return ("it does not exist",)
    why = []
    if not current.signed:
        why.append("another authority signed it")
    if current.kind != desired.kind:
        why.append(f"it is of the kind {current.kind}, expected {desired.kind}")
    if current.scope != desired.scope:
        why.append(f"it is for {current.scope}, expected {desired.scope}")
    if key is not None and current.key != key:
        why.append("it is for another key")
    if current.end != limit:
        lifetime = current.end - current.start
        if lifetime != timedelta(days=desired.days):
            why.append(f"its lifetime is {lifetime.days} days, expected {desired.days}")
        if current.is_due(now):
            why.append(f"it ends on {current.end:%Y-%m-%d}, with less than a third of its lifetime left")
    return tuple(why)


def read(pem: bytes, authority: Any = None) -> Certificate:
    """Return the certificate in a PEM text; `signed` refers to the given authority's certificate, else to itself."""
    certificate = load(pem)
    constraints = next((e.value for e in certificate.extensions if isinstance(e.value, x509.NameConstraints)), None)
    if constraints is not None:
        permitted = constraints.permitted_subtrees or []
        names = [entry.value for entry in permitted if isinstance(entry, x509.DNSName)]
        networks = [str(entry.value) for entry in permitted if isinstance(entry, x509.IPAddress)]
    else:
        alternative = next(
            (e.value for e in certificate.extensions if isinstance(e.value, x509.SubjectAlternativeName)), None
        )
        names = alternative.get_values_for_type(x509.DNSName) if alternative else []
        networks = [str(a) for a in alternative.get_values_for_type(x509.IPAddress)] if alternative else []
    basic = next((e.value for e in certificate.extensions if isinstance(e.value, x509.BasicConstraints)), None)
    kind = (
        "server" if basic is None or not basic.ca else "root" if certificate.issuer == certificate.subject else "issuer"
    )
    return Certificate(
        kind,
        scope(names, networks),
        key_name(certificate.public_key()),
        _is_signed_by(certificate, authority or certificate),
        certificate.not_valid_before_utc,
        certificate.not_valid_after_utc,
    )


def make_root(key: Any, name: str, desired: Desired, now: datetime) -> bytes:
    """Return a self-signed CA certificate (PEM) for servers inside its scope, and for issuers of such."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    start = now.replace(microsecond=0) - HEAD_START
    builder = _builder(subject, subject, key.public_key(), start, start + timedelta(days=desired.days))
    return _signed(_authority(builder, desired.scope, path_length=1), key)


def issue(root: Any, root_key: Any, public_key: Any, name: str, desired: Desired, now: datetime) -> bytes:
    """Return a certificate (PEM) for a public key, signed by a root. It ends with the root at the latest."""
    common_name = f"T.A.R.S. issuer {name}" if desired.kind == "issuer" else desired.scope.names[0]
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name[:64])])
    start = now.replace(microsecond=0) - HEAD_START
    end = min(start + timedelta(days=desired.days), root.not_valid_after_utc)
    above = root.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    builder = _builder(subject, root.subject, public_key, start, end).add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(above), critical=False
    )
    if desired.kind == "issuer":
        return _signed(_authority(builder, desired.scope, path_length=0), root_key)
    addresses = [ipaddress.ip_network(network).network_address for network in desired.scope.networks]
    alternative = [*map(x509.DNSName, desired.scope.names), *map(x509.IPAddress, addresses)]
    builder = builder.add_extension(x509.SubjectAlternativeName(alternative), critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    return _signed(builder.add_extension(_usage("digital_signature", "key_encipherment"), critical=True), root_key)


def make_key(kind: str) -> Any:
    """Return a new private key: for a root on the curve P-256, else RSA with 2048 bits, which all devices accept."""
    return ec.generate_private_key(ec.SECP256R1()) if kind == "root" else rsa.generate_private_key(65537, 2048)


def key_pem(key: Any, passphrase: str | None = None) -> bytes:
    """Return a private key as PKCS #8 (PEM), encrypted if there is a passphrase."""
    encryption: Any = serialization.NoEncryption()
    if passphrase:
        encryption = serialization.BestAvailableEncryption(passphrase.encode())
    return bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption),
    )


def load(pem: bytes) -> Any:
    """Return the first certificate in a PEM text. Raises ValueError."""
    return x509.load_pem_x509_certificate(pem)


def load_key(pem: bytes, passphrase: str | None = None) -> Any:
    """Return the private key in a PEM text.

    Raises:
        ValueError: the text or the passphrase is wrong.
        TypeError: the key is encrypted and there is no passphrase, or the other way round.
    """
    return serialization.load_pem_private_key(pem, passphrase.encode() if passphrase else None)


def requested_key(pem: str) -> Any:
    """Return the public key of a certificate signing request; its other contents are ignored. Raises AuthorityError."""
    try:
        request = x509.load_pem_x509_csr(pem.encode())
    except ValueError as error:
        raise AuthorityError(
            f"the request: expected a PEM certificate signing request ({error}). Create it again."
        ) from None
    if not request.is_signature_valid:
        raise AuthorityError("the request is not signed by its own key. Create it again.")
    return request.public_key()


def key_name(public_key: Any) -> str:
    """Return the identity of a public key: SHA-256 (hex) of its SubjectPublicKeyInfo."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return hashlib.sha256(public_key.public_bytes(serialization.Encoding.DER, form)).hexdigest()


def fingerprint(pem: bytes) -> str:
    """Return the SHA-256 (hex) of a certificate, as devices show it; empty for an empty text."""
    return load(pem).fingerprint(hashes.SHA256()).hex() if pem else ""


def _inside(network: str, whole: str) -> bool:
    inner, outer = ipaddress.ip_network(network), ipaddress.ip_network(whole)
    return inner.version == outer.version and inner.subnet_of(outer)  # type: ignore[arg-type]  # of one version by now


def _is_signed_by(certificate: Any, authority: Any) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):  # another issuer, another kind of key, another key
        return False
    return True


def _builder(subject: Any, issuer: Any, public_key: Any, start: datetime, end: datetime) -> Any:
    """Return a builder with what every certificate has, such as the extended key usage for servers."""
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    )


def _authority(builder: Any, limits: Scope, path_length: int) -> Any:
    """Add the extensions of a certificate authority that is constrained to its scope."""
    networks = [ipaddress.ip_network(network) for network in limits.networks]
    permitted: list[Any] = [*map(x509.DNSName, limits.names), *map(x509.IPAddress, networks)]
    # Devices differ in whether constraints on IPv4 addresses also restrict IPv6, and the other way round.
    others = {4: "0.0.0.0/0", 6: "::/0"}
    for network in networks:
        others.pop(network.version, None)
    excluded = [x509.IPAddress(ipaddress.ip_network(whole)) for whole in others.values()]
    return (
        builder.add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(_usage("key_cert_sign", "crl_sign"), critical=True)
        .add_extension(x509.NameConstraints(permitted, excluded or None), critical=True)
    )


def _usage(*uses: str) -> Any:
    known = ["digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"]
    known += ["key_cert_sign", "crl_sign", "encipher_only", "decipher_only"]
    return x509.KeyUsage(**{use: use in uses for use in known})


def _signed(builder: Any, key: Any) -> bytes:
    return bytes(builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
