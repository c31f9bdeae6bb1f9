# SPDX-License-Identifier: GPL-3.0-or-later
"""The machines of molecule's scenarios: a lab of its own beside the other, with the machines that a scenario names.

`python -m tars_lab.scenarios up PLATFORMS` makes them bare and prints what molecule calls an instance config, `down`
takes everything away again. PLATFORMS is a scenario's list of platforms in JSON; of each, it reads

- `name` and `address`, and `born` where it begins with an address from DHCP,
- `kind` (the profile of a host or `client`; default xps8950) and `suite`, the release of Debian,
- `images`: whether it needs the images of the stack.
"""

import json
import sys
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from tars_lab import base, layout
from tars_lab import lab as whole
from tars_lab.commands import LabError
from tars_lab.layout import SUITE, Lab, Machine

STATE = layout.STATE / "molecule"
NETWORK = IPv4Network("10.78.0.0/24")
PREFIX6 = "fd77:7a52:0:78::/64"
_BRIDGE = "tars-mol"
_PROJECT = Path(__file__).parents[2]


def lab(platforms: list[dict[str, Any]]) -> Lab:
    """The lab of a scenario. Secrets, fingerprints and what the roles record on the controller lie in its state."""
    gateway = str(NETWORK[1])
    like = layout.load(_PROJECT / "inventories/lab", state=STATE, bridge=_BRIDGE, prefix6=PREFIX6)
    return replace(
        like,
        inventory=str(STATE / "inventory"),
        network=str(NETWORK),
        gateway=gateway,
        gateway6=layout.address6(gateway, NETWORK, PREFIX6),
        registry=f"http://{gateway}:5000",
        images=like.images if any(platform.get("images") for platform in platforms) else {},
        machines=tuple(_machine(platform) for platform in platforms),
    )


def _machine(platform: dict[str, Any]) -> Machine:
    kind = platform.get("kind", "xps8950")
    return Machine(
        name=platform["name"],
        kind=kind,
        address=platform["address"],
        address6=layout.address6(platform["address"], NETWORK, PREFIX6),
        born=platform.get("born", ""),
        dsm_account="tars-admin" if kind == "ds1515plus" else "",
        volumes=("/volume1",) if kind == "ds1515plus" else (),
        suite=platform.get("suite", SUITE),
    )


def up(platforms: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Make the machines bare, whatever was there before, and say how molecule reaches them. Raises LabError."""
    wanted = lab(platforms)
    whole.down(_progress, lab=wanted)
    Path(wanted.inventory).mkdir(parents=True, exist_ok=True)
    whole.up(Path(wanted.inventory), _progress, lab=wanted)
    key = str(wanted.state_dir / "ssh/id_ed25519")
    return [
        {"instance": one.name, "address": one.born or one.address, "user": "root", "port": 22, "identity_file": key}
        for one in wanted.machines
    ]


def down() -> None:
    """Take the machines away, and all that a run of the roles left beside them."""
    whole.down(_progress, lab=lab([]))
    base.remove(STATE)


def _progress(line: str) -> None:
    print(line, file=sys.stderr)


if __name__ == "__main__":
    try:
        match sys.argv[1:]:
            case ["up", platforms]:
                print(json.dumps(up(json.loads(platforms)), indent=1))
            case ["down"]:
                down()
            case _:
                sys.exit("usage: python -m tars_lab.scenarios up PLATFORMS | down")
    except LabError as error:
        sys.exit(str(error))
