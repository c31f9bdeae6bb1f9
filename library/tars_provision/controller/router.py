# SPDX-License-Identifier: GPL-3.0-or-later
"""Who asks the desktop for the household's names: what to tell the router, and what this computer does by itself."""

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

from tars_provision.errors import Failure
from tars_provision.spec.model import Site

RESOLVED = Path("/run/systemd/resolve")
PATIENCE_S = 1
DROP_IN = Path("/etc/systemd/resolved.conf.d/tars-names.conf")


def advice(site: Site, hardware: Mapping[str, str] | None = None) -> list[str]:
    """Return what only the router can do, in lines. `hardware` maps addresses to hardware addresses, where known."""
    desktop = site.hosts[site.desktop]
    hosts = [
        f"{host.address} for {name}" + (f" ({mac})" if (mac := (hardware or {}).get(str(host.address))) else "")
        for name, host in site.hosts.items()
    ]
    lines = [f"What only the router {site.network.gateway} can do (docs/how-to/names.md):"]
    if site.names and site.names.enabled:
        lines.append(f"  names: hand out {desktop.address} as the DNS server by DHCP, or forward {site.domain} to it")
    return [*lines, f"  addresses: reserve {', '.join(hosts)}, or keep them out of the range that it hands out"]


def hardware(site: Site) -> dict[str, str]:
    """Return the hardware addresses of the two machines, as far as they are on this computer's own network.

    Takes at most `PATIENCE_S` where one of them does not answer.
    """
    if shutil.which("ip") is None:
        return {}
    wanted = [str(host.address) for host in site.hosts.values()]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for address in wanted:
            # The discard port: the question before it, who has that address, is the one that counts.
            with contextlib.suppress(OSError):
                sock.sendto(b"", (address, 9))
    deadline = time.monotonic() + PATIENCE_S
    while True:
        done = subprocess.run(["ip", "-json", "-4", "neighbour", "show"], capture_output=True, text=True)
        met = {row["dst"]: row["lladdr"] for row in json.loads(done.stdout or "[]") if "lladdr" in row}
        found = {address: met[address] for address in wanted if address in met}
        if len(found) == len(wanted) or time.monotonic() > deadline:
            return found
        time.sleep(0.1)


def finds(site: Site) -> bool:
    """Return whether this computer finds the web page's name where the spec says it is."""
    try:
        found = socket.getaddrinfo(site.names_of(site.desktop)[0], 443, socket.AF_INET, socket.SOCK_STREAM)
    except OSError:
        return False
    return str(site.hosts[site.desktop].address) in {str(entry[4][0]) for entry in found}


def drop_in(site: Site) -> str:
    """Return the file that has systemd-resolved ask the desktop for the zone."""
    server = site.hosts[site.desktop].address
    return f"# Written by `tars-provision names --here`.\n[Resolve]\nDNS={server}\nDomains=~{site.domain}\n"


def ask_here(site: Site) -> bool:
    """Have this computer ask the desktop for the zone, whatever its router says; return whether that changed anything.

    Raises Failure where it has no systemd-resolved, with what to do instead.
    """
    if not RESOLVED.exists():
        server = site.hosts[site.desktop].address
        raise Failure(
            f"this computer: wanted systemd-resolved, which can ask {server} for {site.domain} alone; it does not run. "
            f"Next: let the router hand out {server}; or, with dnsmasq, say server=/{site.domain}/{server}; or, on "
            f"macOS, write `nameserver {server}` into /etc/resolver/{site.domain}"
        )
    if DROP_IN.exists() and DROP_IN.read_text() == drop_in(site):
        return False
    become = [] if os.geteuid() == 0 else ["sudo"]
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
        file.write(drop_in(site))
        file.flush()
        for command in (
            ["install", "-D", "--mode=0644", file.name, str(DROP_IN)],
            ["systemctl", "restart", "systemd-resolved.service"],
        ):
            if (done := subprocess.run([*become, *command])).returncode:
                raise Failure(f"{' '.join(command)} ended with {done.returncode}; run it by hand to see why")
    return True
