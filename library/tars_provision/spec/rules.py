# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of the spec that span several fields.

They look at the plain data and pass over what they cannot read, so that a mistake in one field (which the models
report) hides no mistake in another.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, ip_network
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from tars_provision.spec.model import Backup, ChatModel, Desktop, Dsm, Nas

Location = tuple[str | int, ...]

LABELS = {"xps8950": Desktop.model_fields["labels"].default, "ds1515plus": Nas.model_fields["labels"].default}
"""Labels of a host whose spec names none, by its profile."""

NAS_PORTS = {22: "ssh", 80: "HTTP", 111: "rpcbind", 139: "SMB", 443: "HTTPS", 445: "SMB", 2049: "NFS", 5000: "HTTP"}
"""TCP ports the NAS uses for something else than DSM's HTTPS."""


class Finding(NamedTuple):
    """A rule that is not kept: where, what was found there, what was wanted.

    `line` is said (from 1) where the location does not tell it.
    """

    location: Location
    found: str
    wanted: str
    line: int = 0


def check(data: Any) -> Iterator[Finding]:
    """Return what in a spec's plain data does not go together."""
    yield from check_hosts(data)
    yield from check_names(data)
    yield from check_network(data)
    yield from check_shares(data)
    yield from check_backup(data)
    yield from check_firewall(data)
    yield from check_ports(data)
    yield from check_models(data)
    domain = data.get("domain") if isinstance(data, dict) else None
    if isinstance(domain, str) and domain.endswith(".local"):
        yield Finding(("domain",), domain, "another zone, such as home.arpa: .local belongs to mDNS (RFC 6762)")


def check_hosts(data: Any) -> Iterator[Finding]:
    """One desktop, one NAS, and no name twice."""
    hosts = at(data, "hosts")
    for profile, meaning in (("xps8950", "desktop"), ("ds1515plus", "NAS")):
        names = [str(name) for name in hosts if at(hosts, name).get("profile") == profile]
        if len(names) != 1:
            yield Finding(("hosts",), ", ".join(names) or "none", f"exactly one {meaning} (profile: {profile})")
    for name in at(data, "machines"):
        if name in hosts:
            yield Finding(("machines", name), f"the name of hosts.{name}", "a name of its own")


def check_names(data: Any) -> Iterator[Finding]:
    """Every name of the zone belongs to one machine."""
    owners = {str(name): f"{group}.{name}" for group in ("hosts", "machines") for name in at(data, group)}
    defaults = dict(LABELS)
    for name in at(data, "hosts"):
        # A second host of a profile is a mistake of its own.
        default = defaults.pop(str(at(data, "hosts", name).get("profile")), ())
        labels = at(data, "hosts", name).get("labels", default)
        for index, label in enumerate(labels if isinstance(labels, list | tuple) else ()):
            if label in owners:
                place: Location = ("hosts", name, "labels", index) if labels is not default else ("hosts", name)
                yield Finding(place, f"the label {label}, which is {owners[label]}'s", "a name of its own")
            elif isinstance(label, str):
                owners[label] = f"hosts.{name}"


def check_network(data: Any) -> Iterator[Finding]:
    """Addresses lie inside the network, and each belongs to one machine."""
    network = _network(at(data, "network").get("cidr"))
    gateway = _address(at(data, "network").get("gateway"))
    owners: dict[IPv4Address, str] = {}
    places: list[Location] = [("network", "gateway")]
    places += [(group, name, "address") for group in ("hosts", "machines") for name in at(data, group)]
    for place in places:
        address = _address(at(data, *place[:-1]).get(place[-1]))
        if address is None:
            continue
        if network is not None and address not in network:
            yield Finding(place, str(address), f"an address inside {network} (network.cidr)")
        elif network is not None and address in (network.network_address, network.broadcast_address):
            yield Finding(place, str(address), f"an address a machine can have: this one names all of {network}")
        elif address in owners:
            whose = "the router's" if address == gateway else f"that of {owners[address]}"
            yield Finding(place, f"{address}, which is {whose} too", "an address of its own")
        owners.setdefault(address, ".".join(map(str, place[:-1])))
    for name in at(data, "hosts"):
        first = _address(at(data, "hosts", name, "connect").get("address"))
        owner = owners.get(first, f"hosts.{name}") if first else f"hosts.{name}"
        if owner != f"hosts.{name}":
            whose = "the router's" if first == gateway else f"that of {owner}"
            wanted = "the address it answers on before the first run"
            yield Finding(("hosts", name, "connect", "address"), f"{first}, which is {whose}", wanted)


def check_shares(data: Any) -> Iterator[Finding]:
    """Shares are opened to machines that exist, and mounted where nothing else is."""
    hosts = at(data, "hosts")
    known = list(dict.fromkeys(map(str, (*hosts, *at(data, "machines")))))
    mounts: dict[str, str] = {}
    for share in at(data, "shares"):
        for client, rule in at(data, "shares", share, "clients").items():
            place: Location = ("shares", share, "clients", client)
            mount = rule.get("mount") if isinstance(rule, dict) else None
            profile = at(hosts, client).get("profile")
            if client not in known:
                wanted = f"a name from hosts or machines: {', '.join(known)}{nearest(client, known)}"
                yield Finding(place, str(client), wanted)
            elif profile == "ds1515plus":
                yield Finding(place, f"{client}, the NAS itself", "another machine: the share lies on this one")
            elif mount is not None and profile != "xps8950":
                yield Finding((*place, "mount"), str(mount), f"no mount: T.A.R.S. changes nothing on {client}")
            elif isinstance(mount, str):
                for other in filter(lambda path: _overlap(path, mount), mounts):
                    found = f"{mount}, which overlaps {mounts[other]}'s {other}"
                    yield Finding((*place, "mount"), found, "a place of its own")
                mounts.setdefault(mount, str(share))


def check_backup(data: Any) -> Iterator[Finding]:
    """The backups have a share and an account of their own."""
    if not isinstance(data, dict) or data.get("backup") is None:
        return
    share, account = (at(data, "backup").get(name, Backup.model_fields[name].default) for name in ("share", "account"))
    if share in list(at(data, "shares")):
        yield Finding(("backup", "share"), f"{share}, which is under shares too", "a share of its own")
    for name in at(data, "hosts"):
        if at(data, "hosts", name, "dsm").get("account", Dsm.model_fields["account"].default) == account:
            yield Finding(("backup", "account"), f"{account}, the account of hosts.{name}.dsm", "an account of its own")


def check_firewall(data: Any) -> Iterator[Finding]:
    """The firewall's sources are known, and the word for all of them is nobody's name."""
    known = list(dict.fromkeys(["household", *map(str, (*at(data, "hosts"), *at(data, "machines")))]))
    for group in ("hosts", "machines"):
        if "household" in at(data, group):
            yield Finding((group, "household"), "the word for the whole network under firewall", "another name")
    for right in ("manage", "use"):
        sources = at(data, "firewall").get(right)
        for index, source in enumerate(sources if isinstance(sources, list) else ()):
            if isinstance(source, str) and source not in known and not _is_source(source):
                wanted = f"an address, a network, or one of {', '.join(known)}{nearest(source, known)}"
                yield Finding(("firewall", right, index), source, wanted)


def check_ports(data: Any) -> Iterator[Finding]:
    """No two services of a machine want one TCP port."""
    for name in at(data, "hosts"):
        if at(data, "hosts", name, "connect").get("port") == 443:
            wanted = "another port: this one is the stack's HTTPS"
            yield Finding(("hosts", name, "connect", "port"), "443", wanted)
        port = at(data, "hosts", name, "dsm").get("port")
        if isinstance(port, int) and port in NAS_PORTS:
            wanted = f"the port of DSM's HTTPS (5001): this one is {NAS_PORTS[port]}"
            yield Finding(("hosts", name, "dsm", "port"), str(port), wanted)


def check_models(data: Any) -> Iterator[Finding]:
    """The answer leaves room for the question and the passages."""
    chat = at(data, "models", "chat")
    context, answer = (
        chat.get(name, ChatModel.model_fields[name].default) for name in ("context_tokens", "answer_tokens")
    )
    if isinstance(context, int) and isinstance(answer, int) and answer >= context:
        wanted = f"fewer than models.chat.context_tokens ({context}): question and passages need room"
        yield Finding(("models", "chat", "answer_tokens"), str(answer), wanted)


def at(data: Any, *location: str | int) -> dict[Any, Any]:
    """Return the mapping at a location, an empty one where there is none."""
    for step in location:
        data = data.get(step) if isinstance(data, dict) else None
    return data if isinstance(data, dict) else {}


def nearest(name: object, known: list[str]) -> str:
    """Return a hint at the known name that was probably meant, or nothing."""
    matches = difflib.get_close_matches(str(name), known, n=1)
    return f" (did you mean {matches[0]}?)" if matches else ""


def _overlap(one: str, other: str) -> bool:
    return PurePosixPath(one).is_relative_to(other) or PurePosixPath(other).is_relative_to(one)


def _network(value: object) -> IPv4Network | None:
    try:
        return IPv4Network(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _is_source(value: str) -> bool:
    try:
        ip_network(value)
    except ValueError:
        return False
    return True


def _address(value: object) -> IPv4Address | None:
    try:
        return IPv4Address(value) if isinstance(value, str) else None
    except ValueError:
        return None
