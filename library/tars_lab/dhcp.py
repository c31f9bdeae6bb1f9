# SPDX-License-Identifier: GPL-3.0-or-later
"""The DHCP server on the bridge, in the role of the router: it leases new machines their first addresses."""

import time

from tars_lab import base, cgroups, host, processes
from tars_lab.commands import LabError
from tars_lab.layout import Lab

NAME = "dhcp"
_START_SECONDS = 60
_LEASE = "1h"


def up(lab: Lab) -> None:
    """Start the server, unless it runs already or no machine needs it."""
    if not any(machine.dhcp_address for machine in lab.machines) or cgroups.pids(lab, NAME):
        return
    folder = lab.state_dir / NAME
    folder.mkdir(parents=True, exist_ok=True)
    resolvers = [line.split()[1] for line in host.resolver().splitlines() if line.startswith("nameserver ")]
    config, ready = folder / "dnsmasq.conf", folder / "pid"
    ready.unlink(missing_ok=True)
    lines = [
        "port=0",
        f"interface={lab.bridge}",
        "bind-interfaces",
        "leasefile-ro",
        # It must serve this bridge only, also when other bridges or DHCP servers exist on the host.
        f"dhcp-range={lab.network.partition('/')[0]},static,{_LEASE}",
        f"dhcp-option=option:router,{lab.gateway}",
        f"dhcp-option=option:dns-server,{','.join(resolvers)}",
        *(
            f"dhcp-host={lab.mac(machine.name)},{machine.dhcp_address}"
            for machine in lab.machines
            if machine.dhcp_address
        ),
        f"pid-file={ready}",
        "user=root",
    ]
    config.write_text("".join(f"{line}\n" for line in lines))
    processes.launch(lab, NAME, ["dnsmasq", "--keep-in-foreground", "--log-facility=-", f"--conf-file={config}"])
    deadline = time.monotonic() + _START_SECONDS
    while not ready.exists():
        if time.monotonic() > deadline or not cgroups.pids(lab, NAME):
            raise LabError(
                f"DHCP server: dnsmasq not ready on {lab.bridge} after {_START_SECONDS} s; see its log {lab.log(NAME)}"
            )
        time.sleep(0.1)


def down(lab: Lab) -> list[str]:
    """Stop the server and delete its files; return what was stopped."""
    running = bool(cgroups.pids(lab, NAME))
    cgroups.kill(lab, NAME)
    cgroups.remove(lab, NAME)
    base.remove(lab.state_dir / NAME)
    return ["DHCP server"] if running else []
