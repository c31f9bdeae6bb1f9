# SPDX-License-Identifier: GPL-3.0-or-later
"""Name lookup in the home network: instructions for the router, and systemd-resolved on this computer."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from tars_provision.errors import ProvisionError, message
from tars_provision.next_step import shell
from tars_provision.spec.model import Site

RESOLVED = Path("/run/systemd/resolve")
DROP_IN = Path("/etc/systemd/resolved.conf.d/tars-names.conf")

NEIGHBOUR_TIMEOUT_S = 1
"""Time in which a machine on the same link answers a request for its hardware address."""


class ResolverError(ProvisionError):
    """This computer's name lookup cannot be changed."""


def advice(site: Site, hardware: Mapping[str, str] | None = None) -> list[str]:
    """Return the settings that a person makes in the router, as lines.

    `hardware` maps addresses to hardware addresses, as far as they are known.
    """
    desktop = site.desktop_host
    hosts = [
        f"{host.address} for {name}" + (f" ({mac})" if (mac := (hardware or {}).get(str(host.address))) else "")
        for name, host in site.hosts.items()
    ]
    lines = [f"Settings in the router {site.network.gateway} (docs/how-to/names.md):"]
    if site.names and site.names.enabled:
        lines.append(f"  names: hand out {desktop.address} as the DNS server by DHCP, or forward {site.domain} to it")
    return [*lines, f"  addresses: reserve {', '.join(hosts)}, or exclude them from the DHCP range"]


def hardware(site: Site) -> dict[str, str]:
    """Return the hardware addresses of the two machines, as far as they are on a link of this computer.

    Takes at most `NEIGHBOUR_TIMEOUT_S` if one of them does not answer.
    """
    if shutil.which("ip") is None:
        return {}
    addresses = [str(host.address) for host in site.hosts.values()]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for address in addresses:
            # A packet to the discard port makes the kernel resolve the neighbour; the packet itself is of no use.
            with contextlib.suppress(OSError):
                sock.sendto(b"", (address, 9))
    deadline = time.monotonic() + NEIGHBOUR_TIMEOUT_S
    while True:
        done = subprocess.run(["ip", "-json", "-4", "neighbour", "show"], capture_output=True, text=True)
        neighbours = {row["dst"]: row["lladdr"] for row in json.loads(done.stdout or "[]") if "lladdr" in row}
        known = {address: neighbours[address] for address in addresses if address in neighbours}
        if len(known) == len(addresses) or time.monotonic() > deadline:
            return known
        time.sleep(0.1)


def resolves(site: Site) -> bool:
    """Return whether this computer resolves the web page's name to the desktop's address."""
    try:
        answers = socket.getaddrinfo(site.names_of(site.desktop)[0], 443, socket.AF_INET, socket.SOCK_STREAM)
    except OSError:
        return False
    return str(site.desktop_host.address) in {str(entry[4][0]) for entry in answers}


def drop_in(site: Site) -> str:
    """Return the configuration by which systemd-resolved asks the desktop for the zone."""
    server = site.desktop_host.address
    return f"# Written by `tars-provision names use`.\n[Resolve]\nDNS={server}\nDomains=~{site.domain}\n"


def use_desktop(site: Site) -> bool:
    """Configure this computer to ask the desktop for the zone; return whether that changed anything.

    Raises ResolverError without systemd-resolved, with the alternatives.
    """
    if not RESOLVED.exists():
        server = site.desktop_host.address
        raise ResolverError(
            message(
                "this computer",
                found="no systemd-resolved that runs",
                expected=f"systemd-resolved, which can ask {server} for {site.domain} alone",
                next_step=f"Configure the router to hand out {server}; or, with dnsmasq, add "
                f"server=/{site.domain}/{server}; or, on macOS, write `nameserver {server}` into "
                f"/etc/resolver/{site.domain}",
            )
        )
    if DROP_IN.exists() and DROP_IN.read_text() == drop_in(site):
        return False
    become = [] if os.geteuid() == 0 else ["sudo"]
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
        file.write(drop_in(site))
        file.flush()
        _run([*become, "install", "-D", "--mode=0644", file.name, str(DROP_IN)])
        _run([*become, "systemctl", "restart", "systemd-resolved.service"])
    return True


def _run(command: list[str]) -> None:
    try:
        status = subprocess.run(command).returncode
    except FileNotFoundError as error:
        actual = f"no program {command[0]}"
        raise ResolverError(message("this computer", found=actual, expected="root, or sudo")) from error
    if status:
        actual, expected = f"exit code {status}", "0"
        raise ResolverError(message(shell(*command), found=actual, expected=expected))
