# SPDX-License-Identifier: GPL-3.0-or-later
"""The machines of the Molecule scenarios: a second lab with the machines that a scenario lists.

`python -m tars_lab.scenarios up PLATFORMS` creates them and prints what Molecule calls an instance config, `down`
removes them. PLATFORMS is a scenario's list of platforms in JSON; each platform has

- `name` and `address`, and `dhcp_address` if it starts with an address from DHCP,
- `kind` (the profile of a host or `client`; default xps8950) and `suite`, the release of Debian,
- `images`: whether it needs the images of the stack.
"""

import json
import sys
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from tars_lab import base, layout, lifecycle
from tars_lab.commands import LabError
from tars_lab.layout import SUITE, Lab, Machine

STATE = layout.STATE / "molecule"
NETWORK = IPv4Network("10.78.0.0/24")
PREFIX6 = "fd77:7a52:0:78::/64"
_BRIDGE = "tars-mol"
_PROJECT = Path(__file__).parents[2]


def lab(platforms: list[dict[str, Any]]) -> Lab:
    """Return the lab of a scenario. Its state folder also holds secrets, fingerprints and the records of the roles."""
    gateway = str(NETWORK[1])
    template = layout.load(_PROJECT / "inventories/lab", state=STATE, bridge=_BRIDGE, prefix6=PREFIX6)
    return replace(
        template,
        inventory=str(STATE / "inventory"),
        network=str(NETWORK),
        gateway=gateway,
        gateway6=layout.address6(gateway, NETWORK, PREFIX6),
        registry=f"http://{gateway}:5000",
        images=template.images if any(platform.get("images") for platform in platforms) else {},
        machines=tuple(_machine(platform) for platform in platforms),
    )


def _machine(platform: dict[str, Any]) -> Machine:
    kind = platform.get("kind", "xps8950")
    return Machine(
        name=platform["name"],
        kind=kind,
        address=platform["address"],
        address6=layout.address6(platform["address"], NETWORK, PREFIX6),
        dhcp_address=platform.get("dhcp_address", ""),
        dsm_account="tars-admin" if kind == "ds1515plus" else "",
        volumes=("/volume1",) if kind == "ds1515plus" else (),
        suite=platform.get("suite", SUITE),
    )


def parse(text: str) -> list[dict[str, Any]]:
    """Return the platforms of a JSON text. Raises LabError if it is not a list of objects with name and address."""
    try:
        platforms = json.loads(text)
    except ValueError as error:
        raise LabError(f"PLATFORMS: invalid JSON: {error}") from error
    if isinstance(platforms, list) and all(isinstance(p, dict) and {"name", "address"} <= p.keys() for p in platforms):
        return platforms
    raise LabError(f"PLATFORMS: found {text}, expected a JSON list of objects with name and address")


def up(platforms: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Create the machines, replacing existing ones; return how Molecule connects to them. Raises LabError."""
    wanted = lab(platforms)
    lifecycle.down(_progress, lab=wanted)
    Path(wanted.inventory).mkdir(parents=True, exist_ok=True)
    lifecycle.up(Path(wanted.inventory), _progress, lab=wanted)
    key = str(wanted.state_dir / "ssh/id_ed25519")
    return [
        {
            "instance": machine.name,
            "address": machine.dhcp_address or machine.address,
            "user": "root",
            "port": 22,
            "identity_file": key,
        }
        for machine in wanted.machines
    ]


def down() -> None:
    """Remove the machines and the files that the roles recorded for them."""
    lifecycle.down(_progress, lab=lab([]))
    base.remove(STATE)


def _progress(line: str) -> None:
    print(line, file=sys.stderr)


if __name__ == "__main__":
    try:
        match sys.argv[1:]:
            case ["up", platforms]:
                print(json.dumps(up(parse(platforms)), indent=1))
            case ["down"]:
                down()
            case _:
                sys.exit("usage: python -m tars_lab.scenarios up PLATFORMS | down")
    except LabError as error:
        sys.exit(str(error))
