# SPDX-License-Identifier: GPL-3.0-or-later
"""Plan the changes of a NAS's firewall, and refuse to lock the controller out. Pure: no network, no Ansible."""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Union

from ...resource.listed import listed_twice
from ..values import PlanError, boolean, text

GLOBAL = "global"
PROTOCOLS = ("all", "tcp", "udp", "icmp", "igmp", "gre", "esp")
WITH_PORTS = ("all", "tcp", "udp")
POLICIES = ("none", "allow", "drop")


@dataclass(frozen=True)
class Rule:
    """A rule in DSM's own terms, which allow one choice of ports and one of sources; `log` always reads false."""

    name: str
    enabled: bool = True
    action: str = "allow"
    protocol: str = "all"
    direction: str = "destination"
    port_group: str = "all"
    ports: str = "all"
    source_group: str = "all"
    source: str = "all"


@dataclass(frozen=True)
class Section:
    """The ordered rules of an adapter or of `global`, and the policy for other traffic (`none`: the next section)."""

    policy: str = "none"
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True)
class Firewall:
    """The firewall. `pending`: the sections are not in force; `adapters`: those of the NAS."""

    enabled: bool
    profile: str
    sections: Mapping[str, Section]
    adapters: Sequence[str] = ()
    pending: bool = False


@dataclass(frozen=True)
class Access:
    """The access that must remain: the controller's address as DSM sees it, the ports, and the adapter if known."""

    address: str
    ports: Sequence[int]
    adapter: str | None = None


@dataclass(frozen=True)
class StoreChange:
    """Store sections of the profile."""

    sections: Mapping[str, Section] = field(hash=False)

    def __str__(self) -> str:
        return "set the firewall's " + "; ".join(
            f"section {name} to {len(section.rules)} rules, then {section.policy}"
            for name, section in sorted(self.sections.items())
        )


@dataclass(frozen=True)
class ApplyChange:
    """Bring the profile into force."""

    profile: str

    def __str__(self) -> str:
        return f"put the firewall's profile {self.profile} into force"


@dataclass(frozen=True)
class DisableChange:
    """Turn the firewall off."""

    def __str__(self) -> str:
        return "turn the firewall off"


Change = Union[StoreChange, ApplyChange, DisableChange]


def sections_from_api(profile: Mapping[str, Any]) -> dict[str, Section]:
    """Return the sections of a profile (SYNO.Core.Security.Firewall.Profile get); other keys are skipped."""
    return {
        name: Section(text(row.get("policy")) or "none", tuple(_rule_from_api(rule) for rule in row["rules"]))
        for name, row in profile.items()
        if isinstance(row, Mapping) and isinstance(row.get("rules"), list)
    }


def profile_to_api(profile: Mapping[str, Any], sections: Mapping[str, Section]) -> dict[str, Any]:
    """Return the whole profile with `sections` in it, over what DSM has now."""
    return {
        **profile,
        **{
            name: {"policy": section.policy, "rules": [_rule_to_api(rule) for rule in section.rules]}
            for name, section in sections.items()
        },
    }


def section_from_options(item: Mapping[str, Any]) -> Section:
    """Return the section of a module's option. Raises PlanError for a rule that DSM cannot express."""
    problems: list[str] = []
    rules = []
    for row in item.get("rules") or []:
        ports, sources = row.get("ports") or [], row.get("sources") or []
        rule_problems = _rule_problems(row, ports, sources)
        problems += [f"rule {row['name']!r} of {item['adapter']}: {problem}" for problem in rule_problems]
        if not rule_problems:
            group, source = _source_to_api(sources)
            rules.append(
                Rule(
                    name=row["name"],
                    enabled=row.get("enabled") is not False,
                    action=row.get("action") or "allow",
                    protocol=row.get("protocol") or "all",
                    port_group="custom" if ports else "all",
                    ports=",".join(ports) or "all",
                    source_group=group,
                    source=source,
                )
            )
    if problems:
        raise PlanError(problems)
    return Section(item.get("policy") or "none", tuple(rules))


def to_dict(firewall: Firewall) -> dict[str, Any]:
    """Return the firewall as plain data, for diffs and return values."""
    return {
        "enabled": firewall.enabled,
        "profile": firewall.profile,
        "sections": {
            name: {"policy": section.policy, "rules": [_rule_to_dict(rule) for rule in section.rules]}
            for name, section in sorted(firewall.sections.items())
        },
    }


def plan(
    current: Firewall, desired: Sequence[Mapping[str, Any]], enabled: bool | None, access: Access | None
) -> list[Change]:
    """Return the changes to the desired state.

    A section that is not listed keeps its rules; None leaves the switch as it is.

    Raises:
        PlanError: naming everything that cannot be done, and every way in which the result would lock `access` out,
            in either order in which DSM may evaluate the sections.
    """
    adapters = (item["adapter"] for item in desired)
    problems = listed_twice("section", adapters, "Keep one entry with all its rules.")
    wanted: dict[str, Section] = {}
    for item in desired:
        name = item["adapter"]
        known = [GLOBAL, *current.adapters, *current.sections]
        if current.adapters and name not in known:
            names = ", ".join(dict.fromkeys(known))
            problems.append(f"the NAS has no adapter {name} (found: {names}). Set adapter to one of these.")
        try:
            wanted[name] = section_from_options(item)
        except PlanError as error:
            wanted[name] = Section()
            problems += error.problems
    differing = {name: section for name, section in wanted.items() if current.sections.get(name, Section()) != section}
    on = current.enabled if enabled is None else enabled
    changes: list[Change] = [StoreChange(differing)] if differing else []
    if on and (differing or current.pending or not current.enabled):
        changes.append(ApplyChange(current.profile))
        if access is not None:
            problems += locked_out({**current.sections, **wanted}, access)
    elif current.enabled and not on:
        # Off before anything else: the rules are stored and do nothing.
        changes.insert(0, DisableChange())
    if problems:
        raise PlanError(problems)
    return changes


def predict(current: Firewall, changes: Sequence[Change]) -> Firewall:
    """Return the state after the changes, for check mode and for the tests of `plan`."""
    for change in changes:
        if isinstance(change, StoreChange):
            merged = {**current.sections, **change.sections}
            current = dataclasses.replace(current, sections=merged, pending=True)
        else:
            current = dataclasses.replace(current, enabled=isinstance(change, ApplyChange), pending=False)
    return current


def locked_out(sections: Mapping[str, Section], access: Access) -> list[str]:
    """Return a sentence for each port that `access` would lose, in either documented order of evaluation.

    An unknown match counts against the rules: a drop that may match does match, an allow that may match does not.
    """
    adapters = [access.adapter] if access.adapter else [*sorted(set(sections) - {GLOBAL}), ""]
    problems: dict[str, None] = {}
    for port in access.ports:
        for adapter in adapters:
            for order in ((GLOBAL, adapter), (adapter, GLOBAL)):
                culprit = _culprit(sections, order, access.address, port)
                if culprit:
                    first = f" if DSM evaluates {order[0]} first" if all(order) else ""
                    problems[
                        f"the firewall would lock this machine ({access.address}) out of port {port}: {culprit} "
                        "drops it"
                        f"{first}. Allow {access.address} to port {port} before that, in {GLOBAL}."
                    ] = None
    return list(problems)


def _culprit(sections: Mapping[str, Section], order: Iterable[str], address: str, port: int) -> str:
    """Return the rule or policy that drops a TCP connection, empty if none does."""
    for name in order:
        section = sections.get(name, Section())
        for rule in section.rules:
            if not rule.enabled or rule.action not in ("allow", "drop"):
                continue
            match = _matches(rule, address, port)
            if rule.action == "allow" and match is True:
                return ""
            if rule.action == "drop" and match is not False:
                return f"rule {rule.name!r} of {name}"
        if section.policy == "allow":
            return ""
        if section.policy != "none":
            return f"the policy of {name}"
    return ""


def _matches(rule: Rule, address: str, port: int) -> bool | None:
    """Tell whether a rule matches a TCP connection; None if this cannot be known."""
    if rule.protocol not in ("all", "tcp"):
        return False if rule.protocol in PROTOCOLS else None
    answers = (_port_matches(rule, port), _source_matches(rule, address))
    if False in answers:
        return False
    return None if None in answers else True


def _port_matches(rule: Rule, port: int) -> bool | None:
    if rule.port_group == "all":
        return True
    if rule.port_group != "custom" or rule.direction != "destination":
        return None
    try:
        ranges = [[int(end) for end in part.split("-")] for part in rule.ports.split(",")]
    except ValueError:
        return None
    return any(ends[0] <= port <= ends[-1] for ends in ranges)


def _source_matches(rule: Rule, address: str) -> bool | None:
    if rule.source_group == "all":
        return True
    client = ipaddress.ip_address(address)
    try:
        if rule.source_group == "netmask":
            return client in ipaddress.ip_network(rule.source, strict=False)
        if rule.source_group == "iprange":
            low, high = (ipaddress.ip_address(end) for end in rule.source.split("-"))
            return low.version == high.version == client.version and int(low) <= int(client) <= int(high)
        if rule.source_group in ("ip", "ipset"):
            return client in [ipaddress.ip_address(entry) for entry in rule.source.split(",")]
    except ValueError:
        return None
    return None


def _rule_from_api(row: Mapping[str, Any]) -> Rule:
    port_group, source_group = text(row.get("port_group")), text(row.get("source_ip_group"))
    return Rule(
        name=text(row.get("name")),
        enabled=boolean(row.get("enable")),
        action=text(row.get("policy")),
        protocol=text(row.get("protocol")),
        direction=text(row.get("port_direction")),
        port_group=port_group,
        ports=_plain(row.get("ports")).replace(":", "-"),
        source_group=source_group,
        source=_plain(row.get("source_ip")),
    )


def _rule_to_api(rule: Rule) -> dict[str, Any]:
    return {
        "name": rule.name,
        "enable": rule.enabled,
        "log": False,
        "policy": rule.action,
        "protocol": rule.protocol,
        "port_direction": rule.direction,
        "port_group": rule.port_group,
        "ports": rule.ports,
        "source_ip_group": rule.source_group,
        "source_ip": rule.source,
    }


def _rule_to_dict(rule: Rule) -> dict[str, Any]:
    """Return a rule in the terms of the module's options; values that these cannot express get DSM's own prefix."""
    ports = [] if rule.port_group == "all" else rule.ports.split(",")
    sources = [] if rule.source_group == "all" else rule.source.split(",")
    if rule.port_group not in ("all", "custom"):
        ports = [f"{rule.port_group}:{port}" for port in ports]
    if rule.direction != "destination":
        ports = [f"{rule.direction}:{port}" for port in ports]
    if rule.source_group == "geoip":
        sources = [f"geoip:{source}" for source in sources]
    return {
        "name": rule.name,
        "enabled": rule.enabled,
        "action": rule.action,
        "protocol": rule.protocol,
        "ports": ports,
        "sources": sources,
    }


def _rule_problems(row: Mapping[str, Any], ports: Sequence[str], sources: Sequence[str]) -> list[str]:
    problems = [
        f"invalid port {port!r}: expected a port or a range such as 443 or 8000-8100."
        for port in ports
        if not _port(port)
    ]
    protocol = row.get("protocol") or "all"
    if ports and protocol not in WITH_PORTS:
        problems.append(f"protocol {protocol} has no ports. Remove ports, or use tcp or udp.")
    kinds = [_kind(source) for source in sources]
    problems += [
        f"invalid source {source!r}: expected an address, a network or a range such as 10.0.0.10, 10.0.0.0/24 or "
        "10.0.0.1-10.0.0.9."
        for source in sources
        if not _kind(source)
    ]
    if len(sources) > 1 and all(kinds) and (set(kinds) - {"4", "6"} or len(set(kinds)) > 1):
        problems.append(
            "DSM accepts several sources in one rule only if all are addresses of one family. Use a rule for each."
        )
    return problems


def _source_to_api(sources: Sequence[str]) -> tuple[str, str]:
    if not sources:
        return "all", "all"
    kind = _kind(sources[0])
    if len(sources) > 1:
        return "ipset", ",".join(sources)
    return {"network": "netmask", "range": "iprange"}.get(kind, "ip"), sources[0]


def _kind(source: str) -> str:
    """Return `4`, `6`, `network`, `range`, or empty for none of them."""
    try:
        if "/" in source:
            ipaddress.ip_network(source, strict=False)
            return "network"
        if "-" in source:
            low, high = (ipaddress.ip_address(end) for end in source.split("-"))
            return "range" if low.version == high.version and int(low) <= int(high) else ""
        return str(ipaddress.ip_address(source).version)
    except ValueError:
        return ""


def _port(port: str) -> bool:
    ends = port.split("-")
    if len(ends) > 2 or not all(end.isascii() and end.isdigit() for end in ends):
        return False
    return 1 <= int(ends[0]) <= int(ends[-1]) <= 65535


def _plain(value: Any) -> str:
    return ",".join(part.strip() for part in text(value).split(","))
