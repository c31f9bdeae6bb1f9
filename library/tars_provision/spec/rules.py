# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of the spec that span several fields.

They read the plain data and skip values of the wrong type, which the models report, so that a mistake in one field
does not hide a mistake in another.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, ip_network
from pathlib import PurePosixPath
from typing import Any

from tars_provision.spec.document import Location, Problem, shortened
from tars_provision.spec.model import Backup, ChatModel, Desktop, Dsm, Nas
from tars_provision.spec.model.base import PATH
from tars_provision.spec.model.site_spec import DOCUMENTS, UPLOADS

LABELS = {"xps8950": Desktop.model_fields["labels"].default, "ds1515plus": Nas.model_fields["labels"].default}
"""Default labels of a host, by its profile."""

NAS_PORTS = {22: "ssh", 80: "HTTP", 111: "rpcbind", 139: "SMB", 443: "HTTPS", 445: "SMB", 2049: "NFS", 5000: "HTTP"}
"""TCP ports of the NAS that other services than DSM's HTTPS use."""

SYSTEM_FOLDERS = (
    *("/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/lost+found", "/opt/tars", "/proc"),
    *("/root", "/run", "/sbin", "/snap", "/sys", "/usr", "/var"),
    "/tmp",  # noqa: S108 - a path to refuse; nothing is written to it
)
"""Folders that the operating system or the stack uses: a mount on them, or anywhere below, would hide their files."""

SHARED_FOLDERS = ("/home", "/media", "/mnt", "/opt", "/srv")
"""Folders with content of many owners: a mount belongs below them, not on them. The same holds for /home/USER."""


def check(data: Any) -> Iterator[Problem]:
    """Yield every violation of a rule in a spec's plain data."""
    yield from check_hosts(data)
    yield from check_names(data)
    yield from check_network(data)
    yield from check_shares(data)
    yield from check_backup(data)
    yield from check_history(data)
    yield from check_uploads(data)
    yield from check_firewall(data)
    yield from check_ports(data)
    yield from check_models(data)
    domain = data.get("domain") if isinstance(data, dict) else None
    if isinstance(domain, str) and domain.endswith(".local"):
        yield Problem(
            ("domain",), shortened(domain), "another zone, such as home.arpa: .local belongs to mDNS (RFC 6762)"
        )


def check_hosts(data: Any) -> Iterator[Problem]:
    """Require one desktop, one NAS, and unique names."""
    hosts = at(data, "hosts")
    for profile, meaning in (("xps8950", "desktop"), ("ds1515plus", "NAS")):
        names = [str(name) for name in hosts if at(hosts, name).get("profile") == profile]
        if len(names) != 1:
            yield Problem(("hosts",), ", ".join(names) or "none", f"exactly one {meaning} (profile: {profile})")
    for name in at(data, "machines"):
        if name in hosts:
            yield Problem(("machines", name), f"the name of hosts.{name}", "a name of its own")


def check_names(data: Any) -> Iterator[Problem]:
    """Require that every name of the zone belongs to one machine."""
    owners = {str(name): f"{group}.{name}" for group in ("hosts", "machines") for name in at(data, group)}
    defaults = dict(LABELS)
    for name in at(data, "hosts"):
        # A second host of a profile is a mistake of its own.
        default = defaults.pop(str(at(data, "hosts", name).get("profile")), ())
        labels = at(data, "hosts", name).get("labels", default)
        for index, label in enumerate(labels if isinstance(labels, list | tuple) else ()):
            if label in owners:
                place: Location = ("hosts", name, "labels", index) if labels is not default else ("hosts", name)
                yield Problem(place, f"the label {label}, which is {owners[label]}'s", "a name of its own")
            elif isinstance(label, str):
                owners[label] = f"hosts.{name}"


def check_network(data: Any) -> Iterator[Problem]:
    """Require addresses inside the network, each of one machine."""
    network = _network(at(data, "network").get("cidr"))
    gateway = _address(at(data, "network").get("gateway"))
    if network is not None and not 8 <= network.prefixlen <= 30:
        yield Problem(("network", "cidr"), str(network), "a network of 2 to 16777214 machines (/30 to /8)")
    owners: dict[IPv4Address, str] = {}
    places: list[Location] = [("network", "gateway")]
    places += [(group, name, "address") for group in ("hosts", "machines") for name in at(data, group)]
    for place in places:
        address = _address(at(data, *place[:-1]).get(place[-1]))
        if address is None:
            continue
        if address.is_multicast or address.is_unspecified or address.is_reserved:
            yield Problem(place, str(address), "an address of one machine")
        elif network is not None and address not in network:
            yield Problem(place, str(address), f"an address inside {network} (network.cidr)")
        elif network is not None and address in (network.network_address, network.broadcast_address):
            yield Problem(
                place, str(address), f"an address of a machine: this is the network or broadcast address of {network}"
            )
        elif address in owners:
            whose = "the router's" if address == gateway else f"that of {owners[address]}"
            yield Problem(place, f"{address}, which is {whose} too", "an address of its own")
        owners.setdefault(address, ".".join(map(str, place[:-1])))
    for name in at(data, "hosts"):
        first = _address(at(data, "hosts", name, "connect").get("address"))
        owner = owners.get(first, f"hosts.{name}") if first else f"hosts.{name}"
        if owner != f"hosts.{name}":
            whose = "the router's" if first == gateway else f"that of {owner}"
            expected = "the address it answers on before the first run"
            yield Problem(("hosts", name, "connect", "address"), f"{first}, which is {whose}", expected)


def check_shares(data: Any) -> Iterator[Problem]:
    """Require that shares are opened to known machines, and mounted where they hide nothing."""
    hosts = at(data, "hosts")
    known = list(dict.fromkeys(map(str, (*hosts, *at(data, "machines")))))
    mounts: dict[str, str] = {}
    for share in at(data, "shares"):
        for client, rule in at(data, "shares", share, "clients").items():
            place: Location = ("shares", share, "clients", client)
            mount = rule.get("mount") if isinstance(rule, dict) else None
            profile = at(hosts, client).get("profile")
            if client not in known:
                expected = f"a name from hosts or machines: {', '.join(known)}{nearest(client, known)}"
                yield Problem(place, str(client), expected)
            elif profile == "ds1515plus":
                yield Problem(place, f"{client}, the NAS itself", "another machine: the share lies on this one")
            elif mount is not None and profile != "xps8950":
                yield Problem((*place, "mount"), str(mount), f"no mount: T.A.R.S. changes nothing on {client}")
            elif isinstance(mount, str) and re.match(PATH, mount):
                if hidden := hides(mount):
                    actual = f"{mount}, where a mount would hide {hidden}"
                    yield Problem(
                        (*place, "mount"), actual, "a folder of its own, such as /srv/tars/documents/LLM_docs"
                    )
                for other in filter(lambda path: _overlap(path, mount), mounts):
                    actual = f"{mount}, which overlaps {mounts[other]}'s {other}"
                    yield Problem((*place, "mount"), actual, "a folder of its own")
                mounts.setdefault(mount, str(share))


def check_backup(data: Any) -> Iterator[Problem]:
    """Require a separate share and account for the backups."""
    if not isinstance(data, dict) or data.get("backup") is None:
        return
    share, account = (_backup_value(data, name) for name in ("share", "account"))
    if share in list(at(data, "shares")):
        yield Problem(("backup", "share"), f"{share}, which is under shares too", "a share of its own")
    for name in at(data, "hosts"):
        if at(data, "hosts", name, "dsm").get("account", Dsm.model_fields["account"].default) == account:
            yield Problem(("backup", "account"), f"{account}, the account of hosts.{name}.dsm", "an account of its own")
    yield from check_mail(at(data, "backup", "alarms", "mail"))
    yield from check_backup_mount(data, _backup_value(data, "mount"))
    for name, copy in at(data, "backup", "copies").items():
        places = [
            place for place in ("disk", "nfs", "server") if isinstance(copy, dict) and copy.get(place) is not None
        ]
        if len(places) != 1:
            yield Problem(("backup", "copies", name), " and ".join(places) or "no place", "one of disk, nfs, server")


def check_history(data: Any) -> Iterator[Problem]:
    """Require that the application reads documents from the shares whose snapshots are imported."""
    listed = at(data, "history").get("shares")
    known = [str(share) for share in at(data, "shares")]
    for index, share in enumerate(listed if isinstance(listed, list) else ()):
        clients = at(data, "shares", share, "clients") if isinstance(share, str) else {}
        mounts = [rule.get("mount") for rule in clients.values() if isinstance(rule, dict)]
        parents = [str(PurePosixPath(mount).parent) for mount in mounts if isinstance(mount, str)]
        if share not in known:
            expected = f"a name from shares: {', '.join(known)}{nearest(share, known)}"
            yield Problem(("history", "shares", index), shortened(share), expected)
        elif DOCUMENTS not in parents:
            actual = f"{share}, which the desktop does not mount below {DOCUMENTS}"
            yield Problem(("history", "shares", index), actual, "a share of documents")


def check_uploads(data: Any) -> Iterator[Problem]:
    """Require a share of documents that the desktop may write to, and no other mount where its folder is mounted."""
    if not at(data, "uploads"):
        return
    share = at(data, "uploads").get("share")
    known = [str(name) for name in at(data, "shares")]
    clients = at(data, "shares", share, "clients") if isinstance(share, str) else {}
    desktops = [rule for name, rule in clients.items() if at(data, "hosts", name).get("profile") == "xps8950"]
    mounts = [rule.get("mount") for rule in desktops if isinstance(rule, dict)]
    parents = [str(PurePosixPath(mount).parent) for mount in mounts if isinstance(mount, str)]
    if isinstance(share, str) and share not in known:
        expected = f"a name from shares: {', '.join(known)}{nearest(share, known)}"
        yield Problem(("uploads", "share"), shortened(share), expected)
    elif isinstance(share, str) and DOCUMENTS not in parents:
        actual = f"{share}, which the desktop does not mount below {DOCUMENTS}"
        yield Problem(("uploads", "share"), actual, "a share of documents")
    elif any(rule.get("access") == "ro" for rule in desktops if isinstance(rule, dict)):
        actual = f"{share}, which the desktop may only read"
        yield Problem(("uploads", "share"), actual, "a share with access: rw, best one for uploads alone")
    places: list[tuple[Location, object]] = [(("backup", "mount"), at(data, "backup").get("mount"))]
    for name in known:
        for client in at(data, "shares", name, "clients"):
            mount = at(data, "shares", name, "clients", client).get("mount")
            places.append((("shares", name, "clients", client, "mount"), mount))
    for place, mount in places:
        if isinstance(mount, str) and re.match(PATH, mount) and _overlap(mount, UPLOADS):
            yield Problem(place, f"{mount}, which overlaps the folder {UPLOADS} of uploads", "a folder of its own")


def check_mail(mail: dict[Any, Any]) -> Iterator[Problem]:
    """Require a mail server for a login, and encryption for its password."""
    if not mail.get("user"):
        return
    place: Location = ("backup", "alarms", "mail")
    if mail.get("server") is None:
        yield Problem((*place, "user"), shortened(mail["user"]), "no user, because there is no server to log in to")
    elif mail.get("encryption") == "none":
        yield Problem((*place, "encryption"), "none", "starttls or tls: the password would be sent in clear text")


def check_backup_mount(data: Any, mount: object) -> Iterator[Problem]:
    """Require that the backups are mounted where they hide nothing, and where no documents are read."""
    if not isinstance(mount, str) or not re.match(PATH, mount):
        return
    clients = [rule for share in at(data, "shares") for rule in at(data, "shares", share, "clients").values()]
    others = [rule.get("mount") for rule in clients if isinstance(rule, dict)]
    reason = f"where a mount would hide {hidden}" if (hidden := hides(mount)) else ""
    for other in (DOCUMENTS, *others):
        if isinstance(other, str) and re.match(PATH, other) and _overlap(other, mount):
            reason = reason or f"which overlaps the folder {other} of documents"
    if reason:
        yield Problem(("backup", "mount"), f"{mount}, {reason}", "a folder of its own, such as /srv/tars/backup")


def _backup_value(data: Any, name: str) -> Any:
    return at(data, "backup").get(name, Backup.model_fields[name].default)


def check_firewall(data: Any) -> Iterator[Problem]:
    """Require known sources of the firewall, and no machine named `household`."""
    known = list(dict.fromkeys(["household", *map(str, (*at(data, "hosts"), *at(data, "machines")))]))
    for group in ("hosts", "machines"):
        if "household" in at(data, group):
            yield Problem((group, "household"), "the name of the whole network under firewall", "another name")
    for right in ("manage", "use"):
        sources = at(data, "firewall").get(right)
        for index, source in enumerate(sources if isinstance(sources, list) else ()):
            if isinstance(source, str) and source not in known and not _is_source(source):
                expected = f"an address, a network, or one of {', '.join(known)}{nearest(source, known)}"
                yield Problem(("firewall", right, index), shortened(source), expected)


def check_ports(data: Any) -> Iterator[Problem]:
    """Require that no two services of a machine use the same TCP port."""
    for name in at(data, "hosts"):
        if at(data, "hosts", name, "connect").get("port") == 443:
            expected = "another port: this one is the stack's HTTPS"
            yield Problem(("hosts", name, "connect", "port"), "443", expected)
        port = at(data, "hosts", name, "dsm").get("port")
        if isinstance(port, int) and port in NAS_PORTS:
            expected = f"the port of DSM's HTTPS (5001): this one is {NAS_PORTS[port]}"
            yield Problem(("hosts", name, "dsm", "port"), str(port), expected)


def check_models(data: Any) -> Iterator[Problem]:
    """Require that the context holds more than the answer."""
    chat = at(data, "models", "chat")
    context, answer = (
        chat.get(name, ChatModel.model_fields[name].default) for name in ("context_tokens", "answer_tokens")
    )
    if isinstance(context, int) and isinstance(answer, int) and answer >= context:
        expected = f"fewer than models.chat.context_tokens ({context}): the question and the passages need the rest"
        yield Problem(("models", "chat", "answer_tokens"), str(answer), expected)


def at(data: Any, *location: str | int) -> dict[Any, Any]:
    """Return the mapping at a location, or an empty one."""
    for step in location:
        data = data.get(step) if isinstance(data, dict) else None
    return data if isinstance(data, dict) else {}


def nearest(name: object, known: list[str]) -> str:
    """Return a hint at the most similar known name, or an empty text."""
    matches = difflib.get_close_matches(str(name), known, n=1)
    return f" (did you mean {matches[0]}?)" if matches else ""


def hides(mount: str) -> str:
    """Return what a mount at this folder would hide, or an empty text."""
    path = PurePosixPath(mount)
    system = next((folder for folder in SYSTEM_FOLDERS if path.is_relative_to(folder)), "")
    if system:
        return f"a folder of the system ({system})"
    if mount in ("/", *SHARED_FOLDERS) or path.parent == PurePosixPath("/home"):
        return "everything below it"
    return ""


def _overlap(first: str, second: str) -> bool:
    return PurePosixPath(first).is_relative_to(second) or PurePosixPath(second).is_relative_to(first)


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
