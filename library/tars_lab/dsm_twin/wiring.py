# SPDX-License-Identifier: GPL-3.0-or-later
"""The NAS's network: one file says how an interface comes to its IPv4 address, the machine's network manager obeys it.

`MachineWiring` acts on the machine it runs on, whose network manager is systemd-networkd; `DirectoryWiring` keeps the
same files below a directory, for two made-up ports.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import socket
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tars_lab.dsm_twin import host
from tars_lab.dsm_twin.state import replace

SETTINGS = "etc/systemd/network/10-{}.network.d/ipv4.conf"
"""The file of an interface. Whoever makes the machine writes it first: an address of its own, or `DHCP=ipv4`."""


@dataclass(frozen=True)
class Ipv4:
    """What is set for an interface. Under DHCP `ip`, `mask` and `dns` are empty, and `gateway` one set over DHCP's."""

    use_dhcp: bool
    ip: str = ""
    mask: str = ""
    gateway: str = ""
    dns: str = ""

    @property
    def network(self) -> ipaddress.IPv4Network:
        return ipaddress.IPv4Interface(f"{self.ip}/{self.mask}").network


def render(settings: Ipv4) -> str:
    """The file's text, in systemd.network(5)'s words."""
    lines = ["[Network]"]
    if settings.use_dhcp:
        lines.append("DHCP=ipv4")
    else:
        lines.append(f"Address={settings.ip}/{settings.network.prefixlen}")
    lines += [f"Gateway={settings.gateway}"] if settings.gateway else []
    lines += [f"DNS={settings.dns}"] if settings.dns else []
    if settings.use_dhcp and settings.gateway:
        lines += ["[DHCPv4]", "UseGateway=no"]
    return "".join(f"{line}\n" for line in lines)


def parse(text: str) -> Ipv4:
    """What `render` wrote, or the machine's maker in the same words."""
    said = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    address = ipaddress.IPv4Interface(said["Address"]) if "Address" in said else None
    return Ipv4(
        use_dhcp=said.get("DHCP") == "ipv4",
        ip=str(address.ip) if address else "",
        mask=str(address.netmask) if address else "",
        gateway=said.get("Gateway", ""),
        dns=said.get("DNS", ""),
    )


class Wiring(Protocol):
    """Errors are OSError or subprocess.SubprocessError."""

    def network(self) -> dict[str, Any]:
        """What the machine has: hostname, gateway, dns (list), interfaces (see `host.network`)."""

    def settings(self, name: str) -> Ipv4: ...
    def change(self, name: str, settings: Ipv4) -> None: ...
    def set_resolvers(self, addresses: list[str]) -> None: ...
    def automatic_resolvers(self) -> list[str]: ...
    def answers(self, address: str) -> bool:
        """Whether another machine has the address."""


class DirectoryWiring:
    """Port eth0 carries 127.0.0.1 until it is set otherwise, eth1 has no cable; `moved` is told what was set."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.cut: Callable[[], None] = lambda: None
        """Ends the web server's connections: those of an address that goes away."""
        self.moved: Callable[[str, Ipv4], None] = lambda name, settings: None

    def _file(self, name: str) -> Path:
        return self._root / SETTINGS.format(name)

    def network(self) -> dict[str, Any]:
        ports = {name: self.settings(name) for name in ("eth0", "eth1")}
        rows = [
            {
                "id": name,
                "type": "lan",
                "mac": f"02:00:00:00:00:0{name[-1]}",
                "ip": [{"address": port.ip, "netmask": port.mask}] if port.ip else [],
                "ipv6": [],
            }
            for name, port in ports.items()
        ]
        resolvers = self._root / "etc/resolv.conf"
        return {
            "hostname": socket.gethostname(),
            "gateway": ports["eth0"].gateway,
            "dns": host.resolvers(resolvers),
            "interfaces": rows,
        }

    def settings(self, name: str) -> Ipv4:
        if self._file(name).exists():
            return parse(self._file(name).read_text(encoding="utf-8"))
        if name == "eth0":
            return Ipv4(False, "127.0.0.1", "255.0.0.0", "127.255.255.254")
        return Ipv4(True)

    def change(self, name: str, settings: Ipv4) -> None:
        address = self.settings(name).ip
        replace(self._file(name), render(settings), 0o644)
        if settings.ip != address:
            self.moved(name, settings)
            self.cut()

    def set_resolvers(self, addresses: list[str]) -> None:
        replace(self._root / "etc/resolv.conf", "".join(f"nameserver {address}\n" for address in addresses), 0o644)

    def automatic_resolvers(self) -> list[str]:
        return [port.dns for name in ("eth0", "eth1") if (port := self.settings(name)).dns]

    def answers(self, address: str) -> bool:
        return False


class MachineWiring(DirectoryWiring):
    """The machine's own interfaces."""

    def __init__(self) -> None:
        super().__init__(Path("/"))

    def network(self) -> dict[str, Any]:
        return host.network()

    def change(self, name: str, settings: Ipv4) -> None:
        replace(self._file(name), render(settings), 0o644)
        has = [entry["address"] for row in host.network()["interfaces"] if row["id"] == name for entry in row["ip"]]
        if settings.use_dhcp or settings.ip not in has:
            self.cut()
        for command in (["reload"], ["reconfigure", name]):
            subprocess.run(["networkctl", *command], check=True, stdin=subprocess.DEVNULL)

    def automatic_resolvers(self) -> list[str]:
        return super().automatic_resolvers() or host.leased_resolvers()

    def answers(self, address: str) -> bool:
        command = ["ping", "-n", "-q", "-c", "1", "-W", "1", address]
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True).returncode == 0


class InertWiring:
    """Reads like `wiring`, changes nothing."""

    def __init__(self, wiring: Wiring) -> None:
        self.network = wiring.network
        self.settings = wiring.settings
        self.automatic_resolvers = wiring.automatic_resolvers
        self.answers = wiring.answers

    def change(self, name: str, settings: Ipv4) -> None: ...
    def set_resolvers(self, addresses: list[str]) -> None: ...


def with_gateway(wiring: Wiring, gateway: str) -> tuple[str, Ipv4] | None:
    """The interface in whose network the gateway lies, with that gateway set; None where there is no such network."""
    for row in wiring.network()["interfaces"]:
        for entry in row["ip"]:
            network = ipaddress.IPv4Interface(f"{entry['address']}/{entry['netmask']}").network
            if ipaddress.IPv4Address(gateway) in network:
                return row["id"], dataclasses.replace(wiring.settings(row["id"]), gateway=gateway)
    return None
