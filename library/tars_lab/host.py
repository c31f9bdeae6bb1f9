# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab uses of the host: programs, and the settings for internet access (mirror, proxy, CAs, resolver)."""

import configparser
import os
import re
import shutil
from ipaddress import ip_address
from pathlib import Path

from tars_lab.commands import LabError, run

PIP_FILES = [Path("/etc/pip.conf"), Path.home() / ".pip/pip.conf", Path.home() / ".config/pip/pip.conf"]
CA_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
# Programs that the lab runs, each with the Debian and Ubuntu package that contains it.
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
    """Return the distribution packages that the lab needs on the host."""
    return sorted({*_PROGRAMS.values(), _KEYRING[1], "ca-certificates"})


def missing_packages() -> list[str]:
    """Return those of `host_packages()` whose program is missing."""
    missing = {package for program, package in _PROGRAMS.items() if shutil.which(program) is None}
    if not _KEYRING[0].exists():
        missing.add(_KEYRING[1])
    return sorted(missing)


def check() -> None:
    """Raise LabError with all reasons at once when this host cannot run the lab."""
    problems = []
    if os.uname().sysname != "Linux":
        raise LabError(f"operating system: found {os.uname().sysname}, the lab needs Linux; all other commands work")
    if os.geteuid() != 0:
        problems.append("user: the lab needs root to create machines and a bridge; run the command with sudo")
    if missing := missing_packages():
        problems.append(f"packages: the lab needs {', '.join(missing)}; run `apt-get install {' '.join(missing)}`")
    if not Path("/dev/fuse").exists():
        problems.append("/dev/fuse: not found; the lab needs a kernel with FUSE")
    if problems:
        raise LabError("\n".join(problems))


def debian_mirror() -> str | None:
    """Return the mirror that the host itself uses if it runs Debian; None leaves the choice to debootstrap."""
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
    """Return files below etc/apt, by path, with the host's settings for proxy, validity checks and credentials."""
    prefixes = (
        "Acquire::http",
        "Acquire::https",
        "Acquire::Check-",
        "Acquire::Retries",
        "Acquire::IndexTargets::deb::DEP-11",
    )
    dump = run(["apt-config", "dump", "--no-empty"]).splitlines()
    files = {"apt.conf.d/90host": "".join(f"{line}\n" for line in dump if line.startswith(prefixes))}
    for path in [Path("/etc/apt/auth.conf"), *sorted(Path("/etc/apt/auth.conf.d").glob("*.conf"))]:
        if path.is_file():
            files[f"auth.conf.d/{path.name}"] = path.read_text()
    return files


def pip_settings() -> str:
    """Return a pip.conf with the host's settings except those that name a folder of the host; "" if none is left."""
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
    """Return the PEM certificates that the host trusts and that are not in the bundle `known`."""
    known_bodies = {_body(pem) for pem in _PEM.findall(known)}
    host = _PEM.findall(CA_BUNDLE.read_text()) if CA_BUNDLE.exists() else []
    return [pem for pem in host if _body(pem) not in known_bodies]


def _body(pem: str) -> str:
    return "".join(pem.split())


def resolver() -> str:
    """Return a resolv.conf that works in another network namespace: the host's, or that of systemd-resolved.

    Raises LabError if both contain only loopback addresses.
    """
    for path in (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf")):
        text = path.read_text() if path.exists() else ""
        servers = [line.split()[1] for line in text.splitlines() if line.startswith("nameserver ")]
        if any(not ip_address(server.split("%")[0]).is_loopback for server in servers):
            return text
    raise LabError(
        "/etc/resolv.conf: found only loopback name servers, expected one that machines can reach; add one to the file"
    )
