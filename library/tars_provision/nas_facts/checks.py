# SPDX-License-Identifier: GPL-3.0-or-later
"""The twelve checks: what the modules assume of a DSM that none of them has met, and how to see whether it holds.

Each asks what the modules ask, through their own readers, and a little more. None writes; `recorder` sees to that.
docs/tested-against.md says where each assumption comes from.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

from tars_provision.nas_facts.bridge import Call, calls
from tars_provision.nas_facts.look import Kinds, Look, boolean, counted, listed, many, named, text, whole

SECURITY_SETTINGS = Call("SYNO.Core.Security.DSM", "get", 1)
NEWER_NFS = Call("SYNO.Core.FileServ.NFS", "get", 3)
PASSWORD_POLICY = Call("SYNO.Core.User.PasswordPolicy", "get", 1)
CALLS = (SECURITY_SETTINGS, NEWER_NFS, PASSWORD_POLICY)
"""What these checks read beside the calls of the collection."""

_ALL = {"offset": 0, "limit": -1}
_RULE: Kinds = {
    "name": text,
    "enable": boolean,
    "log": boolean,
    "policy": {"allow", "drop"},
    "protocol": {"tcp", "udp", "all", "icmp", "igmp", "gre", "esp"},
    "port_direction": {"destination", "source", ""},
    "port_group": {"all", "service", "custom"},
    "ports": text,
    "source_ip_group": {"all", "ip", "ipset", "iprange", "netmask", "geoip"},
    "source_ip": text,
}
_SQUASHES = {"root", "admin", "guest", "all_admin", "all_guest"}
_FLAVORS = ("sys", "kerberos", "kerberos_integrity", "kerberos_privacy")


@dataclass(frozen=True)
class Check:
    """What is assumed of a subject, in a line, and how to see it."""

    name: str
    assumed: str
    see: Callable[[Look], None]


def apis(look: Look) -> None:
    newest: dict[str, int] = {}
    for call in calls.REGISTRY.values():
        newest[call.api] = max(call.version, newest.get(call.api, 0))
    del newest[calls.API_INFO.api]  # the question itself
    found = look.read(calls.API_INFO, {"query": ",".join(sorted(newest))}) or {}
    for api, version in sorted(newest.items()):
        if api not in found:
            look.differs.append(f"{api} is absent")
        elif look.expect(api, found[api], minVersion=whole, maxVersion=whole, path=text):
            least, most = found[api]["minVersion"], found[api]["maxVersion"]
            if not least <= version <= most:
                look.differs.append(f"{api} is there in {least} to {most}; the modules speak {version}")
    look.said.append(f"{len(found)} of {len(newest)} APIs that the modules call")


def session(look: Look) -> None:
    part = dataclasses.asdict(calls.SYSTEM_INFO)
    asked = {"stop_when_error": False, "mode": "sequential", "compound": [part]}
    several = look.read(calls.COMPOUND, asked)
    if several is not None and look.expect("Entry.Request", several, result=many):
        look.each("a part of a compound request", several["result"], success=boolean, data_=named)
        look.said.append("several reads go in one request")
    settings = look.read(SECURITY_SETTINGS)
    if settings is not None and look.expect("Security.DSM", settings, timeout=whole, skip_ip_checking_=boolean):
        bound = "not bound" if settings.get("skip_ip_checking") in (True, 1) else "bound"
        look.said.append(f"sessions end after {settings['timeout']} min and are {bound} to an address")
    answer = look.read(calls.CONNECTIONS)
    if answer is None:
        return
    rows = look.each("a connection", answer.get("items"), who=text, is_current_connected=boolean, **{"from": text})
    own = [str(row["from"]) for row in rows if row.get("is_current_connected") in (True, 1)]
    look.said.append(f"{counted(len(rows), 'connection')}, ours from {listed(own)}")
    if not own:
        look.differs.append("no connection is marked as this one (is_current_connected)")
    elif look.own_address and look.own_address not in own:
        look.differs.append(f"DSM sees this machine as {listed(own)}, not as {look.own_address}")


def machine(look: Look) -> None:
    row = look.read(calls.SYSTEM_INFO)
    if row is not None and look.expect("DSM.Info", row, model=text, serial=text, version=whole, version_string=text):
        look.said.append(f"{row['model']}, {row['version_string']}")
        if row["model"] != "DS1515+" or "DSM 7.1" not in row["version_string"]:
            look.differs.append("this is another model or another DSM than the modules were written for")
    volumes = look.info("system", "volumes").get("volumes", [])
    look.said += [f"{each['path']} is {each['file_system']} ({each['status']})" for each in volumes]
    if volumes and not any(each["file_system"] == "btrfs" for each in volumes):
        look.differs.append("no volume can take snapshots and quotas: none is btrfs")


def shares(look: Look) -> None:
    asked = ["hidden", "recyclebin", "share_quota", "enable_share_cow"]
    answer = look.read(calls.SHARE_LIST, {"shareType": "all", "additional": asked})
    if answer is None:
        return
    rows = look.each(
        "a share",
        answer.get("shares"),
        name=text,
        vol_path=text,
        desc_=text,
        hidden=boolean,
        enable_recycle_bin=boolean,
    )
    look.said.append(counted(len(rows), "share"))
    limited = {str(row.get("name")): int(row.get("quota_value") or 0) for row in rows if row.get("quota_value")}
    for name, quota in limited.items():
        look.said.append(f"quota_value {quota} on {name}")
        if quota < 1024:
            look.differs.append(f"a quota of {quota} MiB is unlikely: DSM may count in GB")
    if not limited:
        look.unseen.append("the unit of a quota (set 1 GB on any share in DSM, run again: it should read 1024)")
    look.info("shares")


def nfs(look: Look) -> None:
    service = look.read(calls.NFS_GET)
    if service is not None:
        kinds = {
            "enable_nfs": boolean,
            "enable_nfs_v4": boolean,
            "enabled_minor_ver": whole,
            "support_minor_ver": whole,
        }
        if look.expect("FileServ.NFS", service, **kinds):
            state = "on" if service["enable_nfs"] in (True, 1) else "off"
            look.said.append(f"NFS is {state}, up to 4.{service['support_minor_ver']}")
    newer = look.read(NEWER_NFS)
    if newer is not None:
        look.said.append("version 3 answers as well")
    rules = 0
    for name in look.info("shares", "nfs").get("shares", {}):
        answer = look.read(calls.NFS_RULES_LOAD, {"share_name": name})
        for row in look.each(
            "an NFS rule",
            (answer or {}).get("rule"),
            client=text,
            privilege={"rw", "ro"},
            root_squash=_SQUASHES,
            insecure=boolean,
            crossmnt=boolean,
            security_flavor=named,
            **{"async": boolean},
        ):
            rules += 1
            look.expect("security_flavor", row.get("security_flavor"), **dict.fromkeys(_FLAVORS, boolean))
    if rules:
        look.said.append(counted(rules, "rule"))
    else:
        look.unseen.append("what a rule looks like (make one in DSM, run again)")


def accounts(look: Look) -> None:
    asked = {**_ALL, "type": "local", "additional": ["description", "email", "expired"]}
    users = look.read(calls.USER_LIST, asked)
    if users is not None:
        rows = look.each("a user", users.get("users"), name=text, description=text, email=text, expired=text)
        look.said.append(counted(len(rows), "user"))
    found = look.info("accounts").get("accounts", {})
    if found:
        look.said.append(counted(len(found["groups"]), "group"))
    policy = look.read(PASSWORD_POLICY)
    if policy is not None and look.expect("PasswordPolicy", policy, strong_password=named):
        strong = policy["strong_password"]
        look.expect("strong_password", strong, min_length=whole, min_length_enable=boolean, exclude_username=boolean)
        least = strong.get("min_length") if strong.get("min_length_enable") in (True, 1) else 0
        look.said.append(f"passwords of at least {least} characters")


def permissions(look: Look) -> None:
    names = list(look.info("shares", "permissions").get("shares", {}))
    rows = 0
    for name in names[:1]:
        for kind in ("local_user", "local_group"):
            asked = {**_ALL, "name": name, "user_group_type": kind, "action": "enum", "with_inherit": True}
            answer = look.read(calls.PERMISSION_LIST, asked)
            flags = dict.fromkeys(("is_readonly", "is_writable", "is_deny", "is_custom", "is_admin"), boolean)
            inherit = {"-", "rw", "ro", "na", "cu"}
            rows += len(look.each(f"a {kind}", (answer or {}).get("items"), name=text, inherit_=inherit, **flags))
    if rows:
        look.said.append(f"{rows} entries on the first of {counted(len(names), 'share')}")
    elif not look.differs:
        look.unseen.append("what an entry looks like (make a share in DSM, run again)")


def snapshots(look: Look) -> None:
    found = look.info("snapshots").get("snapshots", {})
    running = 0
    for name in found:
        schedule = look.read(calls.SNAPSHOT_SCHEDULE_GET, {"name": name})
        look.expect("a schedule", schedule, task_id_=whole, enable_snapshot_schedule_=boolean, schedule_=named)
        if schedule and schedule.get("schedule"):
            hours = dict.fromkeys(("hour", "min", "repeat_hour", "repeat_min", "last_work_hour"), whole)
            look.expect("a schedule's times", schedule["schedule"], week_name=text, **hours)
            running += 1
        retention = look.read(calls.RETENTION_GET, {"type": "Share", "name": name})
        kept = dict.fromkeys(("advHourly", "advDaily", "advWeekly", "advMonthly", "advYearly"), whole)
        look.expect("a retention", retention, tid=whole, policyType=whole, recently=whole, **kept)
    taken = sum(len(each["taken"]) for each in found.values())
    if found:
        look.said.append(
            f"{counted(len(found), 'share')} on btrfs, {counted(running, 'schedule')}, {counted(taken, 'snapshot')}"
        )
    if not running:
        look.unseen.append("what a schedule looks like (make one in Snapshot Replication, run again)")


def firewall(look: Look) -> None:
    look.info("firewall")
    switch = look.read(calls.FIREWALL_GET)
    adapters = look.read(calls.FIREWALL_ADAPTERS)
    if switch is None or not look.expect("Firewall", switch, enable_firewall=boolean, profile_name=text):
        return
    state = "on" if switch["enable_firewall"] in (True, 1) else "off"
    look.said.append(f"{state}, profile {switch['profile_name']}")
    if look.expect("Firewall.Adapter", adapters, adapter_names=many):
        look.said.append(f"adapters {listed(adapters['adapter_names'])}")
    profile = look.read(calls.FIREWALL_PROFILE_GET, {"name": switch["profile_name"] or "default"})
    if profile is None or not look.expect("a profile", profile, name=text):
        return
    rules = 0
    for name, section in profile.items():
        if isinstance(section, dict) and "policy" in section:
            look.expect(f"section {name}", section, policy={"none", "allow", "drop"}, rules=many)
            rules += len(look.each(f"a rule of {name}", section.get("rules"), **_RULE))
    if rules:
        look.said.append(counted(rules, "rule"))
    else:
        look.unseen.append("what a rule looks like (make one in DSM without applying it, run again)")


def certificates(look: Look) -> None:
    look.info("certificates")
    answer = look.read(calls.CERTIFICATE_LIST)
    if answer is None:
        return
    rows = look.each(
        "a certificate",
        answer.get("certificates"),
        id=text,
        desc=text,
        is_default=boolean,
        subject=named,
        valid_till=text,
        services=many,
    )
    look.said.append(counted(len(rows), "certificate"))
    services = [service for row in rows for service in row.get("services") or []]
    look.each("a service", services, service=text, subscriber=text, display_name=text)
    if not any(each.get("subscriber") == "system" and each.get("service") == "default" for each in services):
        look.differs.append("no certificate lists DSM's own page (subscriber system, service default)")


def settings(look: Look) -> None:
    general = look.read(calls.NETWORK_GET)
    kept = dict.fromkeys(
        ("dns_manual", "arp_ignore", "ipv4_first", "multi_gateway", "enable_ip_conflict_detect"), boolean
    )
    if general is not None:
        look.expect("Core.Network", general, server_name=text, gateway=text, dns_primary=text, **kept)
    ports = look.read(calls.ETHERNET_LIST)
    if ports is not None:
        rows = look.each("an interface", ports, ifname=text, ip=text, mask=text, use_dhcp=boolean, mtu=whole)
        look.said.append(f"interfaces {listed(row.get('ifname') for row in rows)}")
    there = look.read(calls.INTERFACES)
    if there is not None:
        look.each("an interface of DSM.Network", there.get("interfaces"), id=text, ip=many)
    clock = look.read(calls.TIME_GET)
    zones = look.read(calls.TIME_ZONES)
    if clock is not None and look.expect("NTP", clock, timezone=text, enable_ntp={"ntp", "manual"}, server=text):
        known = [row.get("value") for row in (zones or {}).get("zonedata") or []]
        if zones is not None and clock["timezone"] not in known:
            look.differs.append(f"the time zone {clock['timezone']} is not among the {len(known)} that DSM lists")
    found = look.info("settings").get("settings")
    if found:
        ssh = f"on at {found['ssh_port']}" if found["ssh"] else "off"
        look.said.append(f"zone {found['time_zone']}, SSH {ssh}, SFTP {'on' if found['sftp'] else 'off'}")


def tasks(look: Look) -> None:
    look.info("tasks")
    look.info("packages")
    scheduled = look.read(calls.TASK_LIST)
    if scheduled is not None:
        rows = look.each("a task", scheduled.get("tasks"), name=text, owner=text, type=text, enable=boolean, id_=whole)
        look.said.append(counted(len(rows), "scheduled task"))
    asked = {"additional": ["status", "startable"]}
    packages = look.read(calls.PACKAGE_LIST, asked)
    if packages is not None:
        rows = look.each("a package", packages.get("packages"), id=text, version=text, additional=named)
        for row in rows[:1]:
            look.expect("a package's additional", row["additional"], status=text)
        look.said.append(counted(len(rows), "package"))


CHECKS = (
    Check("APIs", "every API that the modules call is there, in the version they speak", apis),
    Check("session", "reads can go together; sessions end after a while; DSM tells which connection is ours", session),
    Check("machine", "a DS1515+ with DSM 7.1 and a volume on btrfs", machine),
    Check("shares", "`additional` fields lie beside the others; quotas are in MiB", shares),
    Check("NFS", "version 2 of the service; a rule has seven fields with known words", nfs),
    Check("accounts", "users, groups and members are listed whole; passwords have a least length", accounts),
    Check("permissions", "each share lists users and groups with five flags", permissions),
    Check("snapshots", "schedule and retention are readable, as on DSM 7.3", snapshots),
    Check("firewall", "a profile has sections of rules with ten keys, as on DSM 7.2", firewall),
    Check("certificates", "each lists its services; DSM's own page is one of them", certificates),
    Check("settings", "network, clock, SSH and SFTP come as whole objects", settings),
    Check("tasks", "version 3 lists tasks, version 2 lists packages", tasks),
)
