# SPDX-License-Identifier: GPL-3.0-or-later
"""Install the NAS in a Debian 13 root file system."""

from __future__ import annotations

import datetime
import ipaddress
import json
import shutil
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tars_lab.dsm_twin.accounts import hash_password
from tars_lab.dsm_twin.state import replace

PACKAGES = (
    "dbus",
    "nfs-ganesha",
    "nfs-ganesha-vfs",
    "nftables",
    "python3-cryptography",
    "python3-psutil",
    "python3-starlette",
    "python3-uvicorn",
    "rpcbind",
)
"""Debian packages that the machine needs."""

HOME = "usr/lib/dsm-twin"

UNIT = f"""\
[Unit]
Description=DSM Web API
Wants=dbus.service rpcbind.service
After=network.target dbus.service rpcbind.service

[Service]
Type=notify
ExecStart=/usr/bin/python3 -m tars_lab.dsm_twin
Environment=PYTHONPATH=/{HOME} PYTHONDONTWRITEBYTECODE=1
StateDirectory=dsm-twin
StateDirectoryMode=0700
UMask=0022
Restart=on-failure
RestartSec=1

[Install]
WantedBy=multi-user.target
"""

FAULT_COMMAND = f"""\
#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
PYTHONPATH=/{HOME} exec /usr/bin/python3 -m tars_lab.dsm_twin.faults "$@"
"""


def install(rootfs: Path, factory: dict[str, Any]) -> None:
    """Install below `rootfs`. A second call updates the program and the factory file and keeps certificate and state.

    Args:
        rootfs: the root file system.
        factory: model, serial, hostname, account and password of the administrator, volumes (paths, or objects with
            `path` and `fs_type`, by default btrfs). Optional: `addresses` (for the certificate), `disks` (number),
            `auto_block` (enable, attempts, within_mins), `accounts` (more of them: account, password, and optionally
            administrator, status, applications, otp_secret; see `accounts.Account`).
    """
    source = Path(__file__).parent
    program = rootfs / HOME / "tars_lab" / "dsm_twin"
    if program.exists():
        shutil.rmtree(program)
    shutil.copytree(source, program, ignore=shutil.ignore_patterns("__pycache__"))
    document = factory_document(factory)
    etc = rootfs / "etc/dsm-twin"
    etc.mkdir(mode=0o755, parents=True, exist_ok=True)
    replace(etc / "factory.json", json.dumps(document, indent=1), 0o600)
    if not (etc / "cert.pem").exists():
        make_certificate(etc / "cert.pem", etc / "key.pem", factory["hostname"], factory.get("addresses", ()))
    for volume in document["volumes"]:
        (rootfs / volume["path"].lstrip("/")).mkdir(mode=0o755, exist_ok=True)

    units = rootfs / "etc/systemd/system"
    enabled_units = units / "multi-user.target.wants"
    enabled_units.mkdir(parents=True, exist_ok=True)
    replace(units / "dsm-twin.service", UNIT, 0o644)
    enabled = enabled_units / "dsm-twin.service"
    enabled.unlink(missing_ok=True)
    enabled.symlink_to("/etc/systemd/system/dsm-twin.service")
    # The Web API starts the NFS server if it is enabled in the settings.
    (enabled_units / "nfs-ganesha.service").unlink(missing_ok=True)
    replace(rootfs / "usr/local/sbin/dsm-twin-fault", FAULT_COMMAND, 0o755)


def factory_document(factory: dict[str, Any]) -> dict[str, Any]:
    """Return the content of `/etc/dsm-twin/factory.json` for the argument of `install`, with hashed passwords."""
    first = {"account": factory["account"], "password": factory["password"]}
    accounts = [
        {key: value for key, value in entry.items() if key != "password"}
        | {"password_hash": hash_password(entry["password"])}
        for entry in [first, *factory.get("accounts", ())]
    ]
    volumes = [
        {"path": volume, "fs_type": "btrfs"} if isinstance(volume, str) else {"fs_type": "btrfs"} | volume
        for volume in factory["volumes"]
    ]
    document = {"model": factory["model"], "serial": factory["serial"], "volumes": volumes, "accounts": accounts}
    return document | {key: factory[key] for key in ("disks", "auto_block") if key in factory}


def make_certificate(certificate: Path, key: Path, hostname: str, addresses: Any = ()) -> None:
    """Write a self-signed certificate for ten years and its key, like DSM at its first start."""
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hostname)])
    names: list[x509.GeneralName] = [x509.DNSName(hostname)]
    names += [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=3650))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(private, hashes.SHA256())
    )
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    replace(key, pem.decode("ascii"), 0o600)
    replace(certificate, signed.public_bytes(serialization.Encoding.PEM).decode("ascii"), 0o644)
