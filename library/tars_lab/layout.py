# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab consists of, read from the same spec that the playbooks use, and where it keeps things."""

import json
from dataclasses import asdict, dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ruamel.yaml import YAML

from tars_lab.commands import LabError

STATE = Path("/var/lib/tars-lab")
CACHE = Path("/var/cache/tars-lab")
BRIDGE = "tars0"
# A unique local prefix (RFC 4193) for the bridge: machines reach one another over IPv6 as well.
PREFIX6 = IPv6Network("fd77:7a52::/64")
PYTHON_BASE = "python:3.13-slim"
SUITE = "trixie"


@dataclass(frozen=True)
class Machine:
    """One machine: `kind` is the profile of a host, or `client`; `dsm_account` is empty unless it is a NAS.

    `born` is the address it gets by DHCP when it is new, empty where it has `address` from the start. `suite` is the
    release of Debian it is made from.
    """

    name: str
    kind: str
    address: str
    address6: str
    born: str = ""
    dsm_account: str = ""
    volumes: tuple[str, ...] = ()
    suite: str = SUITE


@dataclass(frozen=True)
class Lab:
    """The lab as one inventory describes it. `images` maps a build directory's name to the upstream reference."""

    inventory: str
    network: str
    gateway: str
    gateway6: str
    registry: str
    images: dict[str, str]
    machines: tuple[Machine, ...]
    bridge: str = BRIDGE
    prefix6: str = str(PREFIX6)
    state: str = str(STATE)
    cache: str = str(CACHE)

    def mac(self, name: str) -> str:
        """The hardware address of a machine: locally administered, with the last two bytes of its IPv4 address."""
        third, fourth = IPv4Address(self.machine(name).address).packed[2:]
        return f"02:00:5e:00:{third:02x}:{fourth:02x}"

    @property
    def state_dir(self) -> Path:
        """Machines, keys and logs: gone with `lab down`."""
        return Path(self.state)

    @property
    def cache_dir(self) -> Path:
        """Root file systems and images: kept by `lab down`."""
        return Path(self.cache)

    @property
    def registry_address(self) -> tuple[str, int]:
        """Host and port on which the registry listens."""
        parts = urlsplit(self.registry)
        return str(parts.hostname), parts.port or 80

    def machine(self, name: str) -> Machine:
        """The machine of that name; LabError names the ones that exist."""
        for machine in self.machines:
            if machine.name == name:
                return machine
        raise LabError(f"machine {name}: not in the lab; it has {', '.join(m.name for m in self.machines)}")

    def rootfs(self, name: str) -> Path:
        """The root file system of a machine."""
        return self.state_dir / "machines" / name / "rootfs"

    def log(self, name: str) -> Path:
        """Where a process of the lab (a machine's console, the registry, a build) writes."""
        return self.state_dir / "log" / f"{name}.log"

    def netns(self, name: str) -> str:
        """The network namespace of a machine."""
        return f"{self.bridge}-{name}"

    def record(self) -> None:
        """Remember this lab, so that later commands need no inventory."""
        self.state_dir.mkdir(parents=True, exist_ok=True)
        (self.state_dir / "lab.json").write_text(json.dumps(asdict(self), indent=1))


def recorded(state: Path = STATE) -> Lab:
    """The lab that `lab up` made last; LabError when there is none."""
    try:
        data = json.loads((state / "lab.json").read_text())
        machines = tuple(Machine(**{**m, "volumes": tuple(m["volumes"])}) for m in data.pop("machines"))
        return Lab(**data, machines=machines)
    except FileNotFoundError as error:
        raise LabError(f"the lab is not up ({state / 'lab.json'} is missing); start it with `lab up`") from error
    except (ValueError, KeyError, TypeError) as error:
        raise LabError(f"{state / 'lab.json'} is damaged ({error}); `lab down` and `lab up` make a new one") from error


def load(
    inventory: Path, *, state: Path = STATE, cache: Path = CACHE, bridge: str = BRIDGE, prefix6: str = str(PREFIX6)
) -> Lab:
    """Read `tars.yml` of an inventory folder as a lab. A lab beside this one shares only the cache."""
    path = inventory / "tars.yml"
    try:
        spec: dict[str, Any] = YAML(typ="safe").load(path)
        network = IPv4Network(spec["network"]["cidr"])
        gateway = IPv4Address(spec["network"]["gateway"])
        hosts: dict[str, Any] = spec["hosts"]
        mirrors = spec["docker"]["registry_mirrors"]
        images = {str(key): str(reference) for key, reference in spec["stack"]["images"].items()}
        volumes = tuple(sorted({str(share["volume"]) for share in spec.get("shares", {}).values()})) or ("/volume1",)
        machines = [
            Machine(
                name=name,
                kind=host.get("profile", "client"),
                address=host["address"],
                address6=address6(host["address"], network, prefix6),
                born=_born(host, network),
                dsm_account=host.get("dsm", {}).get("account", ""),
                volumes=volumes if "dsm" in host else (),
            )
            for name, host in [*hosts.items(), *spec.get("machines", {}).items()]
        ]
    except FileNotFoundError as error:
        raise LabError(f"{path}: no such spec; the lab's own is inventories/lab") from error
    except (KeyError, TypeError, ValueError) as error:
        raise LabError(
            f"{path}: a lab needs network, hosts, docker.registry_mirrors and stack.images: {error!r}"
        ) from error
    if not mirrors or urlsplit(mirrors[0]).hostname != str(gateway):
        raise LabError(f"{path}: docker.registry_mirrors: wanted http://{gateway}:PORT first, found {mirrors}")
    images.setdefault("python", PYTHON_BASE)
    return Lab(
        inventory=str(inventory.resolve()),
        network=str(network),
        gateway=str(gateway),
        gateway6=address6(str(gateway), network, prefix6),
        registry=mirrors[0],
        images=images,
        machines=tuple(machines),
        bridge=bridge,
        prefix6=prefix6,
        state=str(state),
        cache=str(cache),
    )


def _born(host: dict[str, Any], network: IPv4Network) -> str:
    """The address a machine answers on before the first run, if the spec tells another one than its own."""
    first = str(host.get("connect", {}).get("address") or host["address"])
    return "" if first == host["address"] or IPv4Address(first) not in network else first


def address6(address: str, network: IPv4Network, prefix6: str) -> str:
    """The IPv6 address beside an IPv4 one: its host number is written with the same digits (10.77.0.20 → ::20)."""
    number = int(ip_address(address)) - int(network.network_address)
    if not 0 < number < 9999:
        raise ValueError(f"{address} is not in {network}")
    return str(IPv6Network(prefix6)[int(str(number), 16)])
