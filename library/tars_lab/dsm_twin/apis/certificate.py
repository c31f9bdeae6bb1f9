# SPDX-License-Identifier: GPL-3.0-or-later
"""SYNO.Core.Certificate with CRT and Service: certificates, the default one, and their assignment to services."""

from __future__ import annotations

import secrets
import string
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, rsa
from cryptography.x509.oid import NameOID

from tars_lab.dsm_twin.nas import Nas
from tars_lab.dsm_twin.protocol import Api, Call, DsmError, Method, versions

NO_TOKEN = 103
BAD_VALUE = 5503
LEAST_BITS = 2048
DESKTOP = "system/default"
SERVICES: dict[str, dict[str, Any]] = {
    DESKTOP: {
        "display_name": "DSM Desktop Service",
        "display_name_i18n": "common:web_desktop",
        "isPkg": False,
        "multiple_cert": True,
        "owner": "root",
        "service": "default",
        "subscriber": "system",
        "user_setable": True,
    },
    "smbftpd/ftpd": {
        "display_name": "FTPS",
        "isPkg": False,
        "owner": "root",
        "service": "ftpd",
        "subscriber": "smbftpd",
        "user_setable": True,
    },
}


def import_certificate(call: Call) -> object:
    """Import a certificate, as a new one or in place of another one, whose services it keeps. Fields are bare text."""
    _with_token(call)
    params, nas = call.params, call.nas
    replaced = params.raw("id")
    known = nas.state.data["certificates"]
    if replaced and replaced not in known:
        raise DsmError(BAD_VALUE)
    pem = {name: params.raw(name) for name in ("key", "cert", "inter_cert")}
    _check(pem)
    identity = replaced or _new_id(known)
    with nas.state.change() as data:
        before = _shown(data)
        entry = {**pem, "desc": params.raw("desc")}
        data["certificates"][identity] = {"key": "", **data["certificates"].get(identity, {}), **entry}
        # Any text is taken as true, also "false".
        if params.raw("as_default"):
            _make_default(data, identity)
        restart = _shown(data) != before
    if restart:
        nas.effects.show_certificate(shown(nas.state.data))
    return {"id": identity, "restart_httpd": restart}


def list_certificates(call: Call) -> object:
    """Return all certificates."""
    _with_token(call)
    data = call.nas.state.data
    return {"certificates": [_row(data, identity) for identity in sorted(data["certificates"])]}


def set_certificate(call: Call) -> object:
    """Change the description of a certificate, or make it the default one."""
    _with_token(call)
    identity = call.params.text("id", missing=BAD_VALUE)
    if identity not in call.nas.state.data["certificates"]:
        raise DsmError(BAD_VALUE)
    with call.nas.state.change() as data:
        before = _shown(data)
        entry = data["certificates"][identity]
        entry["desc"] = call.params.text("desc", entry["desc"])
        if call.params.raw("as_default"):
            _make_default(data, identity)
        restart = _shown(data) != before
    if restart:
        call.nas.effects.show_certificate(shown(call.nas.state.data))
    return None


def delete(call: Call) -> object:
    """Delete the certificates `ids`, but never the default one; their services use the default one."""
    _with_token(call)
    ids = call.params.value("ids", list, missing=BAD_VALUE)
    data = call.nas.state.data
    if not ids or any(
        identity not in data["certificates"] or identity == data["default_certificate"] for identity in ids
    ):
        raise DsmError(BAD_VALUE)
    with call.nas.state.change() as data:
        before = _shown(data)
        for identity in ids:
            data["certificates"].pop(identity, None)
        for name, identity in data["bindings"].items():
            if identity in ids:
                data["bindings"][name] = data["default_certificate"]
        restart = _shown(data) != before
    if restart:
        call.nas.effects.show_certificate(shown(call.nas.state.data))
    return {"restart_httpd": restart}


def bind(call: Call) -> object:
    """Assign certificates to services. `old_id` must be the present one."""
    _with_token(call)
    settings = call.params.value("settings", list, missing=NO_TOKEN)
    with call.nas.state.change() as data:
        before = _shown(data)
        for entry in settings:
            service = entry.get("service") if isinstance(entry, dict) else None
            name = next((key for key, known in SERVICES.items() if known == service), "")
            if not name or entry.get("old_id") != data["bindings"][name] or entry.get("id") not in data["certificates"]:
                raise DsmError(BAD_VALUE)
            data["bindings"][name] = entry["id"]
        restart = _shown(data) != before
    if restart:
        call.nas.effects.show_certificate(shown(call.nas.state.data))
    return {"restart_httpd": restart}


def first_start(nas: Nas, certificate: str) -> None:
    """Record the PEM certificate that the NAS created at its first start; at later starts show the assigned one.

    Must be called before the web server listens.
    """
    data = nas.state.data
    if not data["certificates"]:
        identity = _new_id({})
        data["certificates"][identity] = {"key": "", "cert": certificate, "inter_cert": "", "desc": ""}
        _make_default(data, identity)
    if shown(data):
        nas.effects.show_certificate(shown(data))


def shown(data: dict[str, Any]) -> str:
    """Return the PEM of certificate, chain and key that port 5001 uses; "" for the certificate of the first start."""
    entry = data["certificates"].get(data["bindings"].get(DESKTOP, ""), {"key": ""})
    return "\n".join([entry["cert"], entry["inter_cert"], entry["key"]]) if entry["key"] else ""


def _shown(data: dict[str, Any]) -> tuple[str, str]:
    return data["bindings"].get(DESKTOP, ""), shown(data)


def _with_token(call: Call) -> None:
    if not call.caller.token:
        raise DsmError(NO_TOKEN)


def _make_default(data: dict[str, Any], identity: str) -> None:
    """Make a certificate the default one, also for the services that used the previous default."""
    old, data["default_certificate"] = data["default_certificate"], identity
    data["bindings"] = {name: identity if bound == old else bound for name, bound in data["bindings"].items()}


def _new_id(known: dict[str, Any]) -> str:
    while True:
        identity = "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(6))
        if identity not in known:
            return identity


def _check(pem: dict[str, str]) -> None:
    """Raise the error for a key, certificate or chain (in this order) that is invalid or does not fit the others."""
    try:
        key = serialization.load_pem_private_key(pem["key"].encode(), None)
    except (ValueError, TypeError) as error:
        raise DsmError(5511) from error
    if isinstance(key, dsa.DSAPrivateKey):
        raise DsmError(5518)
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size < LEAST_BITS:
        raise DsmError(5534)
    try:
        certificate = x509.load_pem_x509_certificate(pem["cert"].encode())
    except ValueError as error:
        raise DsmError(5510) from error
    if certificate.public_key() != key.public_key():
        raise DsmError(5514)
    if not pem["inter_cert"].strip():
        return
    try:
        chain = x509.load_pem_x509_certificates(pem["inter_cert"].encode())
    except ValueError as error:
        raise DsmError(5512) from error
    try:
        certificate.verify_directly_issued_by(chain[0])
    except (ValueError, TypeError, InvalidSignature) as error:
        raise DsmError(5517) from error


def _row(data: dict[str, Any], identity: str) -> dict[str, Any]:
    entry = data["certificates"][identity]
    certificate = x509.load_pem_x509_certificate(entry["cert"].encode())
    default = identity == data["default_certificate"]
    return {
        "id": identity,
        "desc": entry["desc"],
        "is_default": default,
        "is_broken": False,
        "renewable": False,
        "user_deletable": not default,
        "key_types": "",
        "subject": {"common_name": _common_name(certificate.subject), "sub_alt_name": _names(certificate)},
        "issuer": {"common_name": _common_name(certificate.issuer)},
        "valid_from": f"{certificate.not_valid_before_utc:%b %e %H:%M:%S %Y} GMT",
        "valid_till": f"{certificate.not_valid_after_utc:%b %e %H:%M:%S %Y} GMT",
        "signature_algorithm": "sha256WithRSAEncryption",
        "services": [SERVICES[name] for name, bound in data["bindings"].items() if bound == identity],
    }


def _common_name(name: x509.Name) -> str:
    return "".join(str(attribute.value) for attribute in name.get_attributes_for_oid(NameOID.COMMON_NAME)[:1])


def _names(certificate: x509.Certificate) -> list[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [str(name.value) for name in names]


VERSION_1 = versions(1)
APIS = [
    Api("SYNO.Core.Certificate", 1, 1, {"import": Method(import_certificate, VERSION_1, write=True)}),
    Api(
        "SYNO.Core.Certificate.CRT",
        1,
        1,
        {
            "list": Method(list_certificates, VERSION_1),
            "set": Method(set_certificate, VERSION_1, write=True),
            "delete": Method(delete, VERSION_1, write=True),
        },
    ),
    Api("SYNO.Core.Certificate.Service", 1, 1, {"set": Method(bind, VERSION_1, write=True)}),
]
