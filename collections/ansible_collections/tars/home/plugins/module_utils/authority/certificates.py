# SPDX-License-Identifier: GPL-3.0-or-later
"""A household's certificate authority: certificates as values, which of them have to be made anew, and the making.

Runs on the controller, with the cryptography library that ansible-core itself requires. Times are in UTC.
Extensions are those of RFC 5280; a name constraint on a zone allows the zone and everything below it (4.2.1.10).
"""

from __future__ import annotations

import hashlib
import ipaddress
import traceback
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, List, Optional, Sequence, Tuple

try:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    IMPORT_ERROR = None
except ImportError:
    IMPORT_ERROR = traceback.format_exc()

# A device whose clock is a little slow shall not meet a certificate that is not valid yet.
HEAD_START = timedelta(hours=1)


class AuthorityError(Exception):
    """The authority is not what it must be. The message names it and the next step."""


@dataclass(frozen=True)
class Scope:
    """What a certificate speaks for: DNS names (of an authority, zones) and networks; an address is one of its own."""

    names: Tuple[str, ...]
    networks: Tuple[str, ...]

    def __str__(self) -> str:
        return ", ".join((*self.names, *self.networks)) or "nothing"

    def holds(self, other: Scope) -> bool:
        """Whether everything the other one speaks for lies inside this one."""
        zones = tuple(f".{zone}" for zone in self.names)
        return all(f".{name}".endswith(zones) for name in other.names) and all(
            any(_inside(network, whole) for whole in self.networks) for network in other.networks
        )


def scope(names: Sequence[str], networks: Sequence[str]) -> Scope:
    """The scope of names and of networks or addresses, in one spelling and order. Raises AuthorityError."""
    try:
        spelled = {str(ipaddress.ip_network(network)) for network in networks}
    except ValueError as error:
        raise AuthorityError(
            f"{error}. Give addresses such as 192.168.1.20, networks such as 192.168.1.0/24."
        ) from None
    return Scope(tuple(sorted({name.lower() for name in names})), tuple(sorted(spelled)))


@dataclass(frozen=True)
class Wish:
    """A certificate as it shall be. `kind` is root, issuer (signs for its own scope alone) or server."""

    kind: str
    scope: Scope
    days: int


@dataclass(frozen=True)
class Certificate:
    """A certificate as it is. `key` names its public key; `signed`: the authority in question vouches for it."""

    kind: str
    scope: Scope
    key: str
    signed: bool
    start: datetime
    end: datetime

    def is_due(self, now: datetime) -> bool:
        """Whether less than a third of its life is left."""
        return now > self.end - (self.end - self.start) / 3


def reasons(
    found: Optional[Certificate], wish: Wish, key: Optional[str], limit: datetime, now: datetime
) -> Tuple[str, ...]:
    """Why a certificate has to be issued anew; empty where it does not.

    `key` names the public key it is wanted for, None where that cannot be known yet. `limit` is the end of the
    authority: nothing outlasts it, so a certificate that ends with it is not renewed.
    """
    if found is None:
        return ("there is none",)
    why = []
    if not found.signed:
        why.append("another authority signed it")
    if found.kind != wish.kind:
        why.append(f"it is for the use as {found.kind}")
    if found.scope != wish.scope:
        why.append(f"it speaks for {found.scope}")
    if key is not None and found.key != key:
        why.append("it belongs to another key")
    if found.end != limit:
        if found.end - found.start != timedelta(days=wish.days):
            why.append(f"it lasts {(found.end - found.start).days} days")
        if found.is_due(now):
            why.append(f"it ends on {found.end:%Y-%m-%d}, with less than a third of its life left")
    return tuple(why)


def read(pem: bytes, authority: Optional[Any] = None) -> Certificate:
    """The certificate in a PEM text, judged by an authority's certificate; by itself where none is given."""
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
        _vouches(authority or certificate, certificate),
        certificate.not_valid_before_utc,
        certificate.not_valid_after_utc,
    )


def make_root(key: Any, name: str, wish: Wish, now: datetime) -> bytes:
    """A self-signed certificate (PEM) that can vouch for servers inside its scope, and for issuers of such."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    start = now.replace(microsecond=0) - HEAD_START
    builder = _builder(subject, subject, key.public_key(), start, start + timedelta(days=wish.days))
    return _signed(_authority(builder, wish.scope, path_length=1), key)


def issue(root: Any, root_key: Any, public_key: Any, name: str, wish: Wish, now: datetime) -> bytes:
    """A certificate (PEM) for a public key, by a root. It ends with the root at the latest."""
    common_name = f"T.A.R.S. issuer {name}" if wish.kind == "issuer" else wish.scope.names[0]
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name[:64])])
    start = now.replace(microsecond=0) - HEAD_START
    end = min(start + timedelta(days=wish.days), root.not_valid_after_utc)
    above = root.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    builder = _builder(subject, root.subject, public_key, start, end).add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(above), critical=False
    )
    if wish.kind == "issuer":
        return _signed(_authority(builder, wish.scope, path_length=0), root_key)
    addresses = [ipaddress.ip_network(network).network_address for network in wish.scope.networks]
    alternative = [*map(x509.DNSName, wish.scope.names), *map(x509.IPAddress, addresses)]
    builder = builder.add_extension(x509.SubjectAlternativeName(alternative), critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    return _signed(builder.add_extension(_usage("digital_signature", "key_encipherment"), critical=True), root_key)


def make_key(kind: str) -> Any:
    """A new private key: of a root on the curve P-256, of a server RSA of 2048 bits, which every device takes."""
    return ec.generate_private_key(ec.SECP256R1()) if kind == "root" else rsa.generate_private_key(65537, 2048)


def key_pem(key: Any, passphrase: Optional[str] = None) -> bytes:
    """A private key as PKCS #8, encrypted where there is a passphrase."""
    encryption: Any = serialization.NoEncryption()
    if passphrase:
        encryption = serialization.BestAvailableEncryption(passphrase.encode())
    return bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption),
    )


def load(pem: bytes) -> Any:
    """The first certificate in a PEM text. Raises ValueError."""
    return x509.load_pem_x509_certificate(pem)


def load_key(pem: bytes, passphrase: Optional[str] = None) -> Any:
    """The private key in a PEM text. Raises ValueError; TypeError where it is encrypted and there is no passphrase, or
    the other way round."""
    return serialization.load_pem_private_key(pem, passphrase.encode() if passphrase else None)


def requested_key(pem: str) -> Any:
    """The public key of a certificate signing request. What else the request asks for does not count."""
    try:
        request = x509.load_pem_x509_csr(pem.encode())
    except ValueError as error:
        raise AuthorityError(f"the request is no PEM certificate signing request ({error}). Make it anew.") from None
    if not request.is_signature_valid:
        raise AuthorityError("the request is not signed by its own key. Make it anew.")
    return request.public_key()


def key_name(public_key: Any) -> str:
    """What a public key is known by: SHA-256 (hex) of its SubjectPublicKeyInfo."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return hashlib.sha256(public_key.public_bytes(serialization.Encoding.DER, form)).hexdigest()


def fingerprint(pem: bytes) -> str:
    """SHA-256 (hex) of a certificate, as every device shows it."""
    return load(pem).fingerprint(hashes.SHA256()).hex() if pem else ""


def _inside(network: str, whole: str) -> bool:
    inner, outer = ipaddress.ip_network(network), ipaddress.ip_network(whole)
    return inner.version == outer.version and inner.subnet_of(outer)  # type: ignore[arg-type]  # of one version by now


def _vouches(authority: Any, certificate: Any) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):  # another issuer, another kind of key, another key
        return False
    return True


def _builder(subject: Any, issuer: Any, public_key: Any, start: datetime, end: datetime) -> Any:
    """What every certificate has. It vouches for servers, whatever a device would otherwise take it for."""
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
    """Make an authority of it, for its scope alone."""
    networks = [ipaddress.ip_network(network) for network in limits.networks]
    permitted: List[Any] = [*map(x509.DNSName, limits.names), *map(x509.IPAddress, networks)]
    # Devices differ in whether limits on addresses of one version say anything about the other.
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
