# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab takes from the host: its programs, and its own way out (mirror, proxy, certificates, resolver)."""

import configparser
import os
import re
import shutil
from ipaddress import ip_address
from pathlib import Path

from tars_lab.commands import LabError, run

PIP_FILES = [Path("/etc/pip.conf"), Path.home() / ".pip/pip.conf", Path.home() / ".config/pip/pip.conf"]
CA_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
# Program the lab calls -> Debian and Ubuntu package that brings it.
_PROGRAMS = {
    "buildah": "buildah",
    "debootstrap": "debootstrap",
    "dnsmasq": "dnsmasq-base",
    "docker-registry": "docker-registry",
    "ip": "iproute2",
    "nft": "nftables",
    "nsenter": "util-linux",
    "ssh-keygen": "openssh-client",
    "sysctl": "procps",
    "systemd-nspawn": "systemd-container",
}
_KEYRING = (Path("/usr/share/keyrings/debian-archive-keyring.gpg"), "debian-archive-keyring")
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n?", re.DOTALL)


def host_packages() -> list[str]:
    """The distribution packages the lab needs on the host."""
    return sorted({*_PROGRAMS.values(), _KEYRING[1], "ca-certificates"})


def missing_packages() -> list[str]:
    """Those of `host_packages()` whose program is not there."""
    missing = {package for program, package in _PROGRAMS.items() if shutil.which(program) is None}
    if not _KEYRING[0].exists():
        missing.add(_KEYRING[1])
    return sorted(missing)


def check() -> None:
    """Raise LabError, with everything at once, when this host cannot carry the lab."""
    problems = []
    if os.uname().sysname != "Linux":
        raise LabError(f"the lab needs Linux, found {os.uname().sysname}; everything but the lab works here")
    if os.geteuid() != 0:
        problems.append("the lab needs root (it makes machines and a bridge): start it with sudo")
    if missing := missing_packages():
        problems.append(f"the lab needs packages that are not installed: apt-get install {' '.join(missing)}")
    problems += [f"the lab needs {path}: the kernel lacks it" for path in ("/dev/fuse",) if not Path(path).exists()]
    if problems:
        raise LabError("\n".join(problems))


def debian_mirror() -> str | None:
    """The Debian mirror the host itself uses, if it is a Debian; None leaves the choice to debootstrap."""
    if "ID=debian" not in Path("/etc/os-release").read_text().splitlines():
        return None
    listing = run(
        ["apt-get", "indextargets", "--format", "$(SITE) $(ORIGIN) $(LABEL) $(SUITE)", "Created-By: Packages"]
    )
    for line in listing.splitlines():
        site, *rest = line.split()
        if rest[:2] == ["Debian", "Debian"] and site.startswith(("http://", "https://")):
            return site
    return None


def apt_settings() -> dict[str, str]:
    """Files below etc/apt that carry the host's proxy, validity and credential settings (path → content)."""
    wanted = (
        "Acquire::http",
        "Acquire::https",
        "Acquire::Check-",
        "Acquire::Retries",
        "Acquire::IndexTargets::deb::DEP-11",
    )
    dump = run(["apt-config", "dump", "--no-empty"]).splitlines()
    files = {"apt.conf.d/90host": "".join(f"{line}\n" for line in dump if line.startswith(wanted))}
    for path in [Path("/etc/apt/auth.conf"), *sorted(Path("/etc/apt/auth.conf.d").glob("*.conf"))]:
        if path.is_file():
            files[f"auth.conf.d/{path.name}"] = path.read_text()
    return files


def pip_settings() -> str:
    """A pip.conf that says what the host's settings say, without what names a folder of the host; empty if nothing."""
    merged: dict[str, str] = {}
    for path in PIP_FILES:
        parser = configparser.RawConfigParser()
        parser.read(path)
        if parser.has_section("global"):
            merged.update(parser.items("global"))
    for option in ("index-url", "extra-index-url", "trusted-host", "proxy"):
        if value := os.environ.get(f"PIP_{option.upper().replace('-', '_')}"):
            merged[option] = value
    kept = {option: _reachable(value) for option, value in merged.items()}
    if "cert" in merged:
        kept["cert"] = str(CA_BUNDLE)
    lines = [f"{option} = {value}\n" for option, value in kept.items() if value]
    return "".join(["[global]\n", *lines]) if lines else ""


def _reachable(value: str) -> str:
    return " ".join(word for word in value.split() if not word.startswith(("/", "~", "file:")))


def certificates(known: str) -> list[str]:
    """The PEM certificates that the host trusts and the bundle `known` does not hold."""
    have = {_body(pem) for pem in _PEM.findall(known)}
    host = _PEM.findall(CA_BUNDLE.read_text()) if CA_BUNDLE.exists() else []
    return [pem for pem in host if _body(pem) not in have]


def _body(pem: str) -> str:
    return "".join(pem.split())


def resolver() -> str:
    """A resolv.conf that works from another network namespace: the host's, or the one systemd-resolved itself uses."""
    for path in (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf")):
        text = path.read_text() if path.exists() else ""
        servers = [line.split()[1] for line in text.splitlines() if line.startswith("nameserver ")]
        if any(not ip_address(server.split("%")[0]).is_loopback for server in servers):
            return text
    raise LabError("/etc/resolv.conf: wanted a name server that machines can reach, found none but loopback")
