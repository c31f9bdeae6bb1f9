# SPDX-License-Identifier: GPL-3.0-or-later
"""The NAS's network interfaces: one file configures the IPv4 address of each, and systemd-networkd reads it.

`MachineInterfaces` acts on the machine it runs on; `DirectoryInterfaces` keeps the same files below a directory, for
two invented ports.
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
"""The file of an interface. The lab writes it first when it creates the machine: a static address, or `DHCP=ipv4`."""


@dataclass(frozen=True)
class Ipv4:
    """The settings of an interface. With DHCP, `ip`, `mask` and `dns` are "", and `gateway` overrides that of DHCP."""

    use_dhcp: bool
    ip: str = ""
    mask: str = ""
    gateway: str = ""
    dns: str = ""

    @property
    def network(self) -> ipaddress.IPv4Network:
        """The network of the static address. Raises ValueError if address or mask are invalid."""
        return ipaddress.IPv4Interface(f"{self.ip}/{self.mask}").network


def render(settings: Ipv4) -> str:
    """Return the text of the file, in the format of systemd.network(5)."""
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
    """Return the settings in a file that `render` or the lab has written."""
    values = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    address = ipaddress.IPv4Interface(values["Address"]) if "Address" in values else None
    return Ipv4(
        use_dhcp=values.get("DHCP") == "ipv4",
        ip=str(address.ip) if address else "",
        mask=str(address.netmask) if address else "",
        gateway=values.get("Gateway", ""),
        dns=values.get("DNS", ""),
    )


class Interfaces(Protocol):
    """What the Web API can do to the network. Errors are OSError or subprocess.SubprocessError."""

    def network(self) -> dict[str, Any]:
        """Return hostname, gateway, dns (list) and interfaces of the machine (see `host.network`)."""

    def settings(self, name: str) -> Ipv4:
        """Return the settings of an interface."""

    def change(self, name: str, settings: Ipv4) -> None:
        """Write and activate the settings of an interface."""

    def set_resolvers(self, addresses: list[str]) -> None:
        """Set the name servers of the machine."""

    def automatic_resolvers(self) -> list[str]:
        """Return the name servers that come with the addresses of the interfaces."""

    def answers(self, address: str) -> bool:
        """Return whether another machine answers on the address."""


class DirectoryInterfaces:
    """Two ports below a directory: eth0 has 127.0.0.1 until it is changed, eth1 has no cable.

    The methods are those of `Interfaces`. `moved` is called with the new settings when an address changes.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self.cut: Callable[[], None] = lambda: None
        """Ends the connections of the web server before an address is removed."""
        self.moved: Callable[[str, Ipv4], None] = lambda name, settings: None

    def _file(self, name: str) -> Path:
        return self._root / SETTINGS.format(name)

    def network(self) -> dict[str, Any]:
        """Return hostname, gateway, dns (list) and interfaces."""
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
        """Return the settings of a port."""
        if self._file(name).exists():
            return parse(self._file(name).read_text(encoding="utf-8"))
        if name == "eth0":
            return Ipv4(False, "127.0.0.1", "255.0.0.0", "127.255.255.254")
        return Ipv4(True)

    def change(self, name: str, settings: Ipv4) -> None:
        """Write the settings of a port."""
        address = self.settings(name).ip
        replace(self._file(name), render(settings), 0o644)
        if settings.ip != address:
            self.moved(name, settings)
            self.cut()

    def set_resolvers(self, addresses: list[str]) -> None:
        """Write `etc/resolv.conf`."""
        replace(self._root / "etc/resolv.conf", "".join(f"nameserver {address}\n" for address in addresses), 0o644)

    def automatic_resolvers(self) -> list[str]:
        """Return the name servers in the settings of the ports."""
        return [port.dns for name in ("eth0", "eth1") if (port := self.settings(name)).dns]

    def answers(self, address: str) -> bool:
        """Return False: there are no other machines."""
        return False


class MachineInterfaces(DirectoryInterfaces):
    """The machine's own interfaces. The methods are those of `Interfaces`."""

    def __init__(self) -> None:
        super().__init__(Path("/"))

    def network(self) -> dict[str, Any]:
        """Return hostname, gateway, dns (list) and interfaces of the machine."""
        return host.network()

    def change(self, name: str, settings: Ipv4) -> None:
        """Write the settings of an interface and reconfigure it."""
        replace(self._file(name), render(settings), 0o644)
        has = [entry["address"] for row in host.network()["interfaces"] if row["id"] == name for entry in row["ip"]]
        if settings.use_dhcp or settings.ip not in has:
            self.cut()
        for command in (["reload"], ["reconfigure", name]):
            subprocess.run(["networkctl", *command], check=True, stdin=subprocess.DEVNULL)

    def automatic_resolvers(self) -> list[str]:
        """Return the name servers in the settings of the interfaces, else those of the DHCP lease."""
        return super().automatic_resolvers() or host.leased_resolvers()

    def answers(self, address: str) -> bool:
        """Return whether another machine answers a ping to the address."""
        command = ["ping", "-n", "-q", "-c", "1", "-W", "1", address]
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True).returncode == 0


class ReadOnlyInterfaces:
    """Reads like `interfaces` and changes nothing."""

    def __init__(self, interfaces: Interfaces) -> None:
        self.network = interfaces.network
        self.settings = interfaces.settings
        self.automatic_resolvers = interfaces.automatic_resolvers
        self.answers = interfaces.answers

    def change(self, name: str, settings: Ipv4) -> None:
        """Do nothing."""

    def set_resolvers(self, addresses: list[str]) -> None:
        """Do nothing."""


def with_gateway(interfaces: Interfaces, gateway: str) -> tuple[str, Ipv4] | None:
    """Return the interface whose network contains the gateway, and its settings with that gateway; None without one."""
    for row in interfaces.network()["interfaces"]:
        for entry in row["ip"]:
            network = ipaddress.IPv4Interface(f"{entry['address']}/{entry['netmask']}").network
            if ipaddress.IPv4Address(gateway) in network:
                return row["id"], dataclasses.replace(interfaces.settings(row["id"]), gateway=gateway)
    return None
