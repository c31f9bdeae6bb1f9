# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's bridge on the host, one network namespace for each machine, and the route to the package mirrors.

IPv4 is masqueraded on the host's uplink. IPv6 stays on the bridge: a host that forwards IPv6 drops the routes that it
learnt from router advertisements, and nothing in the lab needs the internet over IPv6.
"""

import contextlib
import json
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

from tars_lab.commands import LabError, run
from tars_lab.layout import Lab, Machine

# bridge-nf-call-iptables would send what crosses the bridge through a container engine's FORWARD chain on the host.
_SYSCTLS = {
    "net/ipv4/ip_forward": "1",
    "net/bridge/bridge-nf-call-iptables": "0",
    "net/bridge/bridge-nf-call-ip6tables": "0",
}


def up(lab: Lab) -> None:
    """Create or complete the bridge, the rules and the forwarding."""
    _save_sysctls(lab)
    if not _exists(lab.bridge):
        run(["ip", "link", "add", lab.bridge, "mtu", str(_uplink_mtu()), "type", "bridge", "stp_state", "0"])
    length = IPv4Network(lab.network).prefixlen
    run(["ip", "address", "replace", f"{lab.gateway}/{length}", "dev", lab.bridge])
    run(
        ["ip", "address", "replace", f"{lab.gateway6}/{IPv6Network(lab.prefix6).prefixlen}", "dev", lab.bridge, "nodad"]
    )
    run(["ip", "link", "set", lab.bridge, "up"])
    _rules(lab)


def down(lab: Lab) -> list[str]:
    """Remove namespaces, bridge and rules and restore the sysctls; return what was removed."""
    removed = []
    for name in namespaces(lab):
        run(["ip", "netns", "delete", name])
        removed.append(f"network namespace {name}")
    if _exists(lab.bridge):
        for port in sorted(path.name for path in Path("/sys/class/net", lab.bridge, "brif").iterdir()):
            _delete(port)
        run(["ip", "link", "delete", lab.bridge])
        removed.append(f"bridge {lab.bridge}")
    if f"table ip {_table(lab)}" in run(["nft", "list", "tables"]).splitlines():
        run(["nft", "delete", "table", "ip", _table(lab)])
        removed.append(f"nftables table {_table(lab)}")
    return removed + _restore_sysctls(lab)


def namespaces(lab: Lab) -> list[str]:
    """Return the names of the lab's existing network namespaces."""
    listed: list[dict[str, str]] = json.loads(run(["ip", "-j", "netns", "list"]) or "[]")
    return sorted(entry["name"] for entry in listed if entry["name"].startswith(f"{lab.bridge}-"))


def plug(lab: Lab, machine: Machine) -> str:
    """Return shell commands that give a machine a new namespace with only `eth0` in it, as at power-on.

    The machine itself sets the address.
    """
    namespace, port, mtu = lab.netns(machine.name), _port(lab, machine), _uplink_mtu()
    return f"""\
{unplug(lab, machine)}
ip netns add {namespace}
ip link add {port} mtu {mtu} type veth peer name eth0 address {lab.mac(machine.name)} mtu {mtu} netns {namespace}
ip link set {port} master {lab.bridge} up
"""


def tap(lab: Lab, machine: Machine) -> tuple[str, int, str]:
    """Return the bridge port for a machine with its own kernel: name, MTU, and shell commands that re-create it."""
    port, mtu = _port(lab, machine), _uplink_mtu()
    make = f"ip tuntap add {port} mode tap\nip link set {port} mtu {mtu} master {lab.bridge} up\n"
    return port, mtu, unplug(lab, machine) + make


def unplug(lab: Lab, machine: Machine) -> str:
    """Return shell commands that remove a machine from the bridge; connections to it then time out."""
    namespace, port = lab.netns(machine.name), _port(lab, machine)
    return f"""\
if [ -e /sys/class/net/{port} ]; then ip link delete {port}; fi
if [ -e /run/netns/{namespace} ]; then ip netns delete {namespace}; fi
"""


def _port(lab: Lab, machine: Machine) -> str:
    return f"{lab.bridge}-{machine.address.rsplit('.', 1)[1]}"


def _exists(link: str) -> bool:
    return Path("/sys/class/net", link).exists()


def _delete(link: str) -> None:
    """Remove a link. The kernel removes the links of a deleted namespace a moment later, so it may vanish meanwhile."""
    try:
        run(["ip", "link", "delete", link])
    except LabError:
        if _exists(link):
            raise


def _uplink_mtu() -> int:
    """Return the MTU of the interface with the default route, which limits the packets behind the masquerade."""
    routes: list[dict[str, str]] = json.loads(run(["ip", "-j", "-4", "route", "show", "default"]) or "[]")
    if not routes:
        return 1500
    return int(Path("/sys/class/net", routes[0]["dev"], "mtu").read_text())


def _table(lab: Lab) -> str:
    return f"tars_lab_{lab.bridge}"


def _rules(lab: Lab) -> None:
    """Replace the lab's own nftables table in one transaction."""
    table = _table(lab)
    run(
        ["nft", "-f", "-"],
        input=f"""
            table ip {table}
            delete table ip {table}
            table ip {table} {{
                chain postrouting {{
                    type nat hook postrouting priority srcnat
                    ip saddr {lab.network} ip daddr != {lab.network} masquerade
                }}
            }}""",
    )


def _saved(lab: Lab) -> Path:
    return lab.state_dir / "sysctl.json"


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _save_sysctls(lab: Lab) -> None:
    """Set the sysctls and save the values from before the lab, which stay valid until the host reboots."""
    saved = _read_saved(lab)
    for key, value in _SYSCTLS.items():
        path = Path("/proc/sys", key)
        if path.exists():
            saved.setdefault(key, path.read_text().strip())
            _saved(lab).write_text(json.dumps({"boot": _boot(), "values": saved}))
            path.write_text(value)


def _read_saved(lab: Lab) -> dict[str, str]:
    with contextlib.suppress(FileNotFoundError, ValueError, KeyError):
        data = json.loads(_saved(lab).read_text())
        if data["boot"] == _boot():
            return dict(data["values"])
    return {}


def _restore_sysctls(lab: Lab) -> list[str]:
    restored = []
    for key, value in _read_saved(lab).items():
        path = Path("/proc/sys", key)
        if path.read_text().strip() != value:
            try:
                path.write_text(value)
            except OSError as error:
                raise LabError(f"{path}: cannot be restored to {value}: {error}") from error
            restored.append(f"setting {key.replace('/', '.')} (restored to {value})")
    _saved(lab).unlink(missing_ok=True)
    return restored
