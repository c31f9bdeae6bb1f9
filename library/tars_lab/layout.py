# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of the lab, read from the same spec that the playbooks use, and the paths and names they have."""

import json
from dataclasses import asdict, dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from tars_lab.commands import LabError
from tars_provision import next_step

STATE = Path("/var/lib/tars-lab")
CACHE = Path("/var/cache/tars-lab")
BRIDGE = "tars0"
# A unique local prefix (RFC 4193) for the bridge, so that machines also reach one another over IPv6.
PREFIX6 = IPv6Network("fd77:7a52::/64")
PYTHON_BASE = "python:3.13-slim"
SUITE = "trixie"


@dataclass(frozen=True)
class Machine:
    """One machine: `kind` is the profile of a host, or `client`; `dsm_account` is empty unless it is a NAS.

    `dhcp_address` is the address that a new machine gets by DHCP; it is empty if the machine has `address` from the
    start. `suite` is the release of Debian that it is made from.
    """

    name: str
    kind: str
    address: str
    address6: str
    dhcp_address: str = ""
    dsm_account: str = ""
    volumes: tuple[str, ...] = ()
    suite: str = SUITE


@dataclass(frozen=True)
class Lab:
    """The lab that one inventory describes. `images` maps the name of a build folder to the upstream reference."""

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
        """Return the MAC address of a machine: locally administered, ending with the last bytes of its IPv4 address."""
        third, fourth = IPv4Address(self.machine(name).address).packed[2:]
        return f"02:00:5e:00:{third:02x}:{fourth:02x}"

    @property
    def state_dir(self) -> Path:
        """The folder of machines, keys and logs; `lab down` removes the machines."""
        return Path(self.state)

    @property
    def cache_dir(self) -> Path:
        """The folder of root file systems and images; `lab down` keeps it."""
        return Path(self.cache)

    @property
    def registry_address(self) -> tuple[str, int]:
        """Host and port of the registry."""
        parts = urlsplit(self.registry)
        return str(parts.hostname), parts.port or 80

    def machine(self, name: str) -> Machine:
        """Return the machine with that name. Raises LabError with the existing names."""
        for machine in self.machines:
            if machine.name == name:
                return machine
        raise LabError(f"machine {name}: not in the lab; use one of {', '.join(m.name for m in self.machines)}")

    def rootfs(self, name: str) -> Path:
        """Return the path of the root file system of a machine."""
        return self.state_dir / "machines" / name / "rootfs"

    def log(self, name: str) -> Path:
        """Return the log file of a part of the lab: a machine's console, the registry, a build."""
        return self.state_dir / "log" / f"{name}.log"

    def netns(self, name: str) -> str:
        """Return the name of the network namespace of a machine."""
        return f"{self.bridge}-{name}"

    def record(self) -> None:
        """Write this lab to its state folder, so that later commands need no inventory."""
        self.state_dir.mkdir(parents=True, exist_ok=True)
        (self.state_dir / "lab.json").write_text(json.dumps(asdict(self), indent=1))


def recorded(state: Path = STATE) -> Lab:
    """Return the lab that the last `lab up` recorded. Raises LabError when there is none or its record is damaged."""
    try:
        data = json.loads((state / "lab.json").read_text())
        machines = tuple(Machine(**{**m, "volumes": tuple(m["volumes"])}) for m in data.pop("machines"))
        return Lab(**data, machines=machines)
    except FileNotFoundError as error:
        raise LabError(
            f"lab: not running ({state / 'lab.json'} does not exist); start it with {next_step.command('lab', 'up')}"
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        steps = f"run {next_step.command('lab', 'down')}, then {next_step.command('lab', 'up')}"
        raise LabError(f"{state / 'lab.json'}: damaged ({error}); {steps}") from error


def load(
    inventory: Path, *, state: Path = STATE, cache: Path = CACHE, bridge: str = BRIDGE, prefix6: str = str(PREFIX6)
) -> Lab:
    """Read `tars.yml` of an inventory folder and return its lab. Raises LabError when it does not describe a lab.

    Labs with different `state`, `bridge` and `prefix6` can run at the same time; they share only the cache.
    """
    path = inventory / "tars.yml"
    try:
        spec: dict[str, Any] = YAML(typ="safe").load(path)
        network = IPv4Network(spec["network"]["cidr"])
        gateway = IPv4Address(spec["network"]["gateway"])
        hosts: dict[str, Any] = spec["hosts"]
        mirrors = spec["docker"]["registry_mirrors"]
        images = {str(key): str(reference) for key, reference in spec["stack"]["images"].items()}
        if backup_image := spec.get("backup", {}).get("image"):
            images["restic"] = str(backup_image)
        volumes = tuple(sorted({str(share["volume"]) for share in spec.get("shares", {}).values()})) or ("/volume1",)
        machines = [
            Machine(
                name=name,
                kind=host.get("profile", "client"),
                address=host["address"],
                address6=address6(host["address"], network, prefix6),
                dhcp_address=_dhcp_address(host, network),
                dsm_account=host.get("dsm", {}).get("account", ""),
                volumes=volumes if "dsm" in host else (),
            )
            for name, host in [*hosts.items(), *spec.get("machines", {}).items()]
        ]
    except OSError as error:
        raise LabError(
            f"{path}: cannot be read ({error.strerror}); the lab's own inventory is inventories/lab"
        ) from error
    except YAMLError as error:
        raise LabError(
            f"{path}: invalid YAML; run {next_step.command('spec', 'check', '-i', inventory)}:\n{error}"
        ) from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise LabError(
            f"{path}: found {error!r}, expected network, hosts, docker.registry_mirrors and stack.images; "
            f"run {next_step.command('spec', 'check', '-i', inventory)}"
        ) from error
    if not isinstance(mirrors, list) or not mirrors or urlsplit(str(mirrors[0])).hostname != str(gateway):
        raise LabError(
            f"{path}: docker.registry_mirrors: found {mirrors}, expected http://{gateway}:PORT as the first one"
        )
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


def _dhcp_address(host: dict[str, Any], network: IPv4Network) -> str:
    """Return the address of a machine before its first run, "" if the spec gives none but its own."""
    first = str(host.get("connect", {}).get("address") or host["address"])
    return "" if first == host["address"] or IPv4Address(first) not in network else first


def address6(address: str, network: IPv4Network, prefix6: str) -> str:
    """Return the IPv6 address for an IPv4 address: its host part has the same digits (10.77.0.20 → ::20)."""
    number = int(ip_address(address)) - int(network.network_address)
    if not 0 < number < 9999:
        raise ValueError(f"{address} is not in {network}")
    return str(IPv6Network(prefix6)[int(str(number), 16)])
