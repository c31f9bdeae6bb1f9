# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to change in a NAS's NFS service and its shares' rules. Pure: no network, no Ansible."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional, Union

from ..values import PlanError, boolean, integer, text

# DSM's own words are a trap: its "root" means that root stays root.
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
    """`minor` is the highest NFSv4 minor version offered, None while NFSv4 is off; `max_minor` what this DSM can."""

    enabled: bool = False
    minor: Optional[int] = None
    max_minor: int = 0


@dataclass(frozen=True, order=True)
class Rule:
    """Who may mount a share and how; `client` is an address, a network, a host name or `*`, stored verbatim."""

    client: str
    access: str = "ro"
    squash: str = "root_to_guest"
    asynchronous: bool = False
    insecure: bool = False
    crossmnt: bool = False
    security: tuple[str, ...] = ("sys",)


@dataclass(frozen=True)
class Nfs:
    """The service, and the rules of the shares that are looked at; a share that is missing does not exist."""

    service: Service
    exports: Mapping[str, tuple[Rule, ...]]


@dataclass(frozen=True)
class ServiceChange:
    service: Service

    def __str__(self) -> str:
        if not self.service.enabled:
            return "turn NFS off"
        return "turn NFS on" + ("" if self.service.minor is None else f" up to NFSv4.{self.service.minor}")


@dataclass(frozen=True)
class RulesChange:
    share: str
    rules: tuple[Rule, ...]

    def __str__(self) -> str:
        clients = ", ".join(f"{rule.client} {rule.access}" for rule in self.rules) or "nobody"
        return f"export share {self.share} to {clients}"


Change = Union[ServiceChange, RulesChange]


def service_from_api(data: Mapping[str, Any]) -> Service:
    """The answer of SYNO.Core.FileServ.NFS get, version 2."""
    minor = integer(data.get("enabled_minor_ver")) if boolean(data.get("enable_nfs_v4")) else None
    return Service(boolean(data.get("enable_nfs")), minor, integer(data.get("support_minor_ver")))


def service_to_api(service: Service) -> dict[str, Any]:
    return {
        "enable_nfs": service.enabled,
        "enable_nfs_v4": service.minor is not None,
        "enabled_minor_ver": service.minor or 0,
    }


def rule_from_api(row: Mapping[str, Any]) -> Rule:
    """One rule of SharePrivilege load; booleans may be 0/1, an unknown squash word is kept as it is."""
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
    return {
        "client": rule.client,
        "privilege": rule.access,
        "root_squash": SQUASH.get(rule.squash, rule.squash),
        "async": rule.asynchronous,
        "insecure": rule.insecure,
        "crossmnt": rule.crossmnt,
        "security_flavor": {theirs: ours in rule.security for ours, theirs in SECURITY.items()},
    }


def rule_from_options(wish: Mapping[str, Any]) -> Rule:
    """A rule as in the module's options (`async`, and `security` as a list); None means the default."""
    given = {("asynchronous" if key == "async" else key): value for key, value in wish.items() if value is not None}
    if "security" in given:
        given["security"] = tuple(name for name in SECURITY if name in given["security"])
    return Rule(**given)


def rule_to_options(rule: Rule) -> dict[str, Any]:
    """The inverse of `rule_from_options`, for diffs and return values."""
    values = dataclasses.asdict(rule)
    values["async"] = values.pop("asynchronous")
    values["security"] = list(rule.security)
    return values


def to_dict(nfs: Nfs) -> dict[str, Any]:
    """The service and the exports as plain data, for diffs and return values."""
    return {
        "enabled": nfs.service.enabled,
        "nfsv4_minor": nfs.service.minor,
        "exports": {share: [rule_to_options(rule) for rule in rules] for share, rules in nfs.exports.items()},
    }


def assume_created(current: Nfs, shares: Iterable[str]) -> tuple[Nfs, list[str]]:
    """For check mode: `current` with the missing ones of `shares` as if made, and their names."""
    unborn = [share for share in dict.fromkeys(shares) if share not in current.exports]
    return Nfs(current.service, {**current.exports, **dict.fromkeys(unborn, ())}), [
        f"share {share}" for share in unborn
    ]


def plan(
    current: Nfs,
    exports: Sequence[tuple[str, Sequence[Rule]]] = (),
    enabled: Optional[bool] = None,
    minor: Optional[int] = None,
) -> list[Change]:
    """What turns `current` into the wish; None leaves a setting alone, a share not named keeps its rules.

    A share's list replaces all its rules; order is kept when saving and does not count as a difference. The service is
    turned on before rules are saved and off after, because DSM refuses rules while it is off. Raises PlanError naming
    everything that cannot be done.
    """
    service = current.service
    wanted = dataclasses.replace(
        service,
        enabled=service.enabled if enabled is None else enabled,
        minor=service.minor if minor is None else minor,
    )
    problems: list[str] = []
    if minor is not None and minor > service.max_minor:
        problems.append(f"NFS: this DSM offers NFSv4.{service.max_minor} at most, wanted 4.{minor}. Lower nfsv4_minor.")
    rules: list[Change] = []
    seen: set[str] = set()
    for share, wish in exports:
        if share in seen:
            problems.append(f"share {share} is listed twice in exports. Keep one entry with all its rules.")
            continue
        seen.add(share)
        problems += _rule_problems(share, wish)
        if share not in current.exports:
            problems.append(f"share {share} does not exist, so it has no export. Create it with tars.home.dsm_share.")
        elif sorted(current.exports[share]) != sorted(wish):
            rules.append(RulesChange(share, tuple(wish)))
    if rules and not (service.enabled or wanted.enabled):
        problems.append("NFS is off, and DSM saves no rules then. Set enabled: true.")
    if problems:
        raise PlanError(problems)
    if wanted == service:
        return rules
    change = ServiceChange(wanted)
    return [change, *rules] if wanted.enabled else [*rules, change]


def predict(current: Nfs, changes: Sequence[Change]) -> Nfs:
    """The model of what DSM does with the changes; for check mode and for the tests of `plan`."""
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
            problems.append(f"share {share}: client {rule.client} has no security flavour. Give at least one.")
        seen.add(rule.client)
    return problems
