# SPDX-License-Identifier: GPL-3.0-or-later
"""Plan the changes of a NAS's NFS service and of the rules of its shares. Pure: no network, no Ansible."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Union

from ...resource.listed import distinct, listed_twice
from ..values import PlanError, boolean, integer, text

# DSM's own terms are misleading: its "root" means that root stays root.
SQUASH = {
    "no_mapping": "root",
    "root_to_admin": "admin",
    "root_to_guest": "guest",
    "all_to_admin": "all_admin",
    "all_to_guest": "all_guest",
}
SECURITY = {"sys": "sys", "krb5": "kerberos", "krb5i": "kerberos_integrity", "krb5p": "kerberos_privacy"}
_SQUASH_READ = {theirs: ours for ours, theirs in SQUASH.items()}


@dataclass(frozen=True)
class Service:
    """The NFS service.

    `minor` is the highest NFSv4 minor version that is offered, None while NFSv4 is off; `max_minor` is the highest that
    this DSM supports.
    """

    enabled: bool = False
    minor: int | None = None
    max_minor: int = 0


@dataclass(frozen=True, order=True)
class Rule:
    """A client's access to a share; `client` is an address, a network, a host name or `*`, stored verbatim."""

    client: str
    access: str = "ro"
    squash: str = "root_to_guest"
    asynchronous: bool = False
    insecure: bool = False
    crossmnt: bool = False
    security: tuple[str, ...] = ("sys",)


@dataclass(frozen=True)
class Nfs:
    """The service, and the rules of the shares that were read; a share that is missing does not exist."""

    service: Service
    exports: Mapping[str, tuple[Rule, ...]]


@dataclass(frozen=True)
class ServiceChange:
    """New settings of the service."""

    service: Service

    def __str__(self) -> str:
        if not self.service.enabled:
            return "turn NFS off"
        return "turn NFS on" + ("" if self.service.minor is None else f" up to NFSv4.{self.service.minor}")


@dataclass(frozen=True)
class RulesChange:
    """New rules of a share, which replace all its rules."""

    share: str
    rules: tuple[Rule, ...]

    def __str__(self) -> str:
        clients = ", ".join(f"{rule.client} {rule.access}" for rule in self.rules) or "nobody"
        return f"export share {self.share} to {clients}"


Change = Union[ServiceChange, RulesChange]


def service_from_api(data: Mapping[str, Any]) -> Service:
    """Return the service of an answer of SYNO.Core.FileServ.NFS get, version 2."""
    minor = integer(data.get("enabled_minor_ver")) if boolean(data.get("enable_nfs_v4")) else None
    return Service(boolean(data.get("enable_nfs")), minor, integer(data.get("support_minor_ver")))


def service_to_api(service: Service) -> dict[str, Any]:
    """Return the parameters of SYNO.Core.FileServ.NFS set, version 2."""
    return {
        "enable_nfs": service.enabled,
        "enable_nfs_v4": service.minor is not None,
        "enabled_minor_ver": service.minor or 0,
    }


def rule_from_api(row: Mapping[str, Any]) -> Rule:
    """Return a rule of SharePrivilege load; booleans may be 0/1, an unknown squash value is kept as it is."""
    flavor = row.get("security_flavor") or {}
    return Rule(
        client=text(row.get("client")),
        access=text(row.get("privilege")),
        squash=_SQUASH_READ.get(text(row.get("root_squash")), text(row.get("root_squash"))),
        asynchronous=boolean(row.get("async")),
        insecure=boolean(row.get("insecure")),
        crossmnt=boolean(row.get("crossmnt")),
        security=tuple(ours for ours, theirs in SECURITY.items() if boolean(flavor.get(theirs))),
    )


def rule_to_api(rule: Rule) -> dict[str, Any]:
    """Return a rule for SharePrivilege save."""
    return {
        "client": rule.client,
        "privilege": rule.access,
        "root_squash": SQUASH.get(rule.squash, rule.squash),
        "async": rule.asynchronous,
        "insecure": rule.insecure,
        "crossmnt": rule.crossmnt,
        "security_flavor": {theirs: ours in rule.security for ours, theirs in SECURITY.items()},
    }


def rule_from_options(options: Mapping[str, Any]) -> Rule:
    """Return the rule of a module's option (with `async`, and `security` as a list); None means the default."""
    given = {("asynchronous" if key == "async" else key): value for key, value in options.items() if value is not None}
    if "security" in given:
        given["security"] = tuple(name for name in SECURITY if name in given["security"])
    return Rule(**given)


def rule_to_options(rule: Rule) -> dict[str, Any]:
    """Return a rule as a module's option, for diffs and return values."""
    values = dataclasses.asdict(rule)
    values["async"] = values.pop("asynchronous")
    values["security"] = list(rule.security)
    return values


def to_dict(nfs: Nfs) -> dict[str, Any]:
    """Return the service and the exports as plain data, for diffs and return values."""
    return {
        "enabled": nfs.service.enabled,
        "nfsv4_minor": nfs.service.minor,
        "exports": {share: [rule_to_options(rule) for rule in rules] for share, rules in nfs.exports.items()},
    }


def assume_created(current: Nfs, shares: Iterable[str]) -> tuple[Nfs, list[str]]:
    """Return, for check mode, `current` with the missing ones of `shares` added without rules, and their names."""
    missing = [share for share in dict.fromkeys(shares) if share not in current.exports]
    exports = {**current.exports, **dict.fromkeys(missing, ())}
    return Nfs(current.service, exports), [f"share {share}" for share in missing]


def plan(
    current: Nfs,
    exports: Sequence[tuple[str, Sequence[Rule]]] = (),
    enabled: bool | None = None,
    minor: int | None = None,
) -> list[Change]:
    """Return the changes to the desired state; None leaves a setting alone, a share not listed keeps its rules.

    A share's list replaces all its rules; their order is kept when saving and is not a difference. The service is
    turned on before rules are saved and off afterwards, because DSM refuses rules while it is off.

    Raises:
        PlanError: naming everything that cannot be done.
    """
    service = current.service
    wanted = dataclasses.replace(
        service,
        enabled=service.enabled if enabled is None else enabled,
        minor=service.minor if minor is None else minor,
    )
    problems = listed_twice("export of share", (share for share, _ in exports), "Keep one entry with all its rules.")
    if minor is not None and minor > service.max_minor:
        problems.append(f"nfsv4_minor {minor}: this DSM offers NFSv4.{service.max_minor} at most. Lower nfsv4_minor.")
    rules: list[Change] = []
    for share, desired in distinct(exports, itemgetter(0)):
        problems += _rule_problems(share, desired)
        if share not in current.exports:
            problems.append(f"share {share} does not exist, so it has no export. Create it with tars.home.dsm_share.")
        elif sorted(current.exports[share]) != sorted(desired):
            rules.append(RulesChange(share, tuple(desired)))
    if rules and not (service.enabled or wanted.enabled):
        problems.append("NFS is off, and DSM does not save rules then. Set enabled: true.")
    if problems:
        raise PlanError(problems)
    if wanted == service:
        return rules
    change = ServiceChange(wanted)
    return [change, *rules] if wanted.enabled else [*rules, change]


def predict(current: Nfs, changes: Sequence[Change]) -> Nfs:
    """Return the state after the changes, for check mode and for the tests of `plan`."""
    service, exports = current.service, dict(current.exports)
    for change in changes:
        if isinstance(change, ServiceChange):
            service = change.service
        else:
            exports[change.share] = change.rules
    return Nfs(service, exports)


def _rule_problems(share: str, rules: Sequence[Rule]) -> list[str]:
    problems = []
    seen: set[str] = set()
    for rule in rules:
        if rule.client in seen:
            problems.append(f"share {share}: client {rule.client} has two rules. Keep one.")
        if not rule.security:
            problems.append(f"share {share}: client {rule.client} has no security flavour. Set at least one.")
        seen.add(rule.client)
    return problems
