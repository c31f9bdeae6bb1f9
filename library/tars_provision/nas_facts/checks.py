# SPDX-License-Identifier: GPL-3.0-or-later
"""The twelve checks: what the modules assume of DSM, and how to see whether it is true on a NAS.

Each makes the calls of the modules, through their own readers, and a few more. None writes; `recorder` ensures that.
docs/tested-against.md lists the source of each assumption.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

from tars_provision.nas_facts.bridge import Call, calls
from tars_provision.nas_facts.observation import Kinds, Observation, boolean, counted, listed, many, named, text, whole

SECURITY_SETTINGS = Call("SYNO.Core.Security.DSM", "get", 1)
NEWER_NFS = Call("SYNO.Core.FileServ.NFS", "get", 3)
PASSWORD_POLICY = Call("SYNO.Core.User.PasswordPolicy", "get", 1)
CALLS = (SECURITY_SETTINGS, NEWER_NFS, PASSWORD_POLICY)
"""Calls of these checks that the collection does not make."""

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
    """An assumption, in a line, and the function that checks it."""

    name: str
    assumed: str
    see: Callable[[Observation], None]


def apis(nas: Observation) -> None:
    """Check that every API which the modules call exists in their version."""
    newest: dict[str, int] = {}
    for call in calls.REGISTRY.values():
        newest[call.api] = max(call.version, newest.get(call.api, 0))
    del newest[calls.API_INFO.api]  # the question itself
    available = nas.read(calls.API_INFO, {"query": ",".join(sorted(newest))}) or {}
    for api, version in sorted(newest.items()):
        if api not in available:
            nas.differs.append(f"{api} is absent")
        elif nas.expect(api, available[api], minVersion=whole, maxVersion=whole, path=text):
            least, most = available[api]["minVersion"], available[api]["maxVersion"]
            if not least <= version <= most:
                nas.differs.append(f"{api} is available in {least} to {most}; the modules speak {version}")
    nas.seen.append(f"{len(available)} of {len(newest)} APIs that the modules call")


def session(nas: Observation) -> None:
    """Check compound requests, the length of sessions, and the mark of the own connection."""
    part = dataclasses.asdict(calls.SYSTEM_INFO)
    asked = {"stop_when_error": False, "mode": "sequential", "compound": [part]}
    several = nas.read(calls.COMPOUND, asked)
    if several is not None and nas.expect("Entry.Request", several, result=many):
        nas.expect_rows("a part of a compound request", several["result"], success=boolean, data_=named)
        nas.seen.append("several reads go in one request")
    settings = nas.read(SECURITY_SETTINGS)
    if settings is not None and nas.expect("Security.DSM", settings, timeout=whole, skip_ip_checking_=boolean):
        bound = "not bound" if settings.get("skip_ip_checking") in (True, 1) else "bound"
        nas.seen.append(f"sessions end after {settings['timeout']} min and are {bound} to an address")
    answer = nas.read(calls.CONNECTIONS)
    if answer is None:
        return
    fields = {"who": text, "is_current_connected": boolean, "from": text}
    rows = nas.expect_rows("a connection", answer.get("items"), **fields)
    own = [str(row["from"]) for row in rows if row.get("is_current_connected") in (True, 1)]
    nas.seen.append(f"{counted(len(rows), 'connection')}, ours from {listed(own)}")
    if not own:
        nas.differs.append("no connection is marked as this one (is_current_connected)")
    elif nas.own_address and nas.own_address not in own:
        nas.differs.append(f"DSM sees this machine as {listed(own)}, not as {nas.own_address}")


def machine(nas: Observation) -> None:
    """Check model, DSM version and the file systems of the volumes."""
    row = nas.read(calls.SYSTEM_INFO)
    if row is not None and nas.expect("DSM.Info", row, model=text, serial=text, version=whole, version_string=text):
        nas.seen.append(f"{row['model']}, {row['version_string']}")
        if row["model"] != "DS1515+" or "DSM 7.1" not in row["version_string"]:
            nas.differs.append("this is another model or another DSM than the modules were written for")
    volumes = nas.info("system", "volumes").get("volumes", [])
    nas.seen += [f"{volume['path']} is {volume['file_system']} ({volume['status']})" for volume in volumes]
    if volumes and not any(volume["file_system"] == "btrfs" for volume in volumes):
        nas.differs.append("no volume can take snapshots and quotas: none is btrfs")


def shares(nas: Observation) -> None:
    """Check the fields of shares and the unit of quotas."""
    asked = ["hidden", "recyclebin", "share_quota", "enable_share_cow"]
    answer = nas.read(calls.SHARE_LIST, {"shareType": "all", "additional": asked})
    if answer is None:
        return
    rows = nas.expect_rows(
        "a share",
        answer.get("shares"),
        name=text,
        vol_path=text,
        desc_=text,
        hidden=boolean,
        enable_recycle_bin=boolean,
    )
    nas.seen.append(counted(len(rows), "share"))
    limited = {str(row.get("name")): int(row.get("quota_value") or 0) for row in rows if row.get("quota_value")}
    for name, quota in limited.items():
        nas.seen.append(f"quota_value {quota} on {name}")
        if quota < 1024:
            nas.differs.append(f"a quota of {quota} MiB is unlikely: DSM may count in GB")
    if not limited:
        nas.unseen.append("the unit of a quota (set 1 GB on any share in DSM, run again: it should read 1024)")
    nas.info("shares")


def nfs(nas: Observation) -> None:
    """Check the NFS service and the fields of its rules."""
    service = nas.read(calls.NFS_GET)
    if service is not None:
        kinds = {
            "enable_nfs": boolean,
            "enable_nfs_v4": boolean,
            "enabled_minor_ver": whole,
            "support_minor_ver": whole,
        }
        if nas.expect("FileServ.NFS", service, **kinds):
            state = "on" if service["enable_nfs"] in (True, 1) else "off"
            nas.seen.append(f"NFS is {state}, up to 4.{service['support_minor_ver']}")
    newer = nas.read(NEWER_NFS)
    if newer is not None:
        nas.seen.append("version 3 answers as well")
    rules = 0
    for name in nas.info("shares", "nfs").get("shares", {}):
        answer = nas.read(calls.NFS_RULES_LOAD, {"share_name": name})
        for row in nas.expect_rows(
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
            nas.expect("security_flavor", row.get("security_flavor"), **dict.fromkeys(_FLAVORS, boolean))
    if rules:
        nas.seen.append(counted(rules, "rule"))
    else:
        nas.unseen.append("what a rule contains (make one in DSM, run again)")


def accounts(nas: Observation) -> None:
    """Check users, groups and the password policy."""
    asked = {**_ALL, "type": "local", "additional": ["description", "email", "expired"]}
    users = nas.read(calls.USER_LIST, asked)
    if users is not None:
        rows = nas.expect_rows("a user", users.get("users"), name=text, description=text, email=text, expired=text)
        nas.seen.append(counted(len(rows), "user"))
    local = nas.info("accounts").get("accounts", {})
    if local:
        nas.seen.append(counted(len(local["groups"]), "group"))
    policy = nas.read(PASSWORD_POLICY)
    if policy is not None and nas.expect("PasswordPolicy", policy, strong_password=named):
        strong = policy["strong_password"]
        nas.expect("strong_password", strong, min_length=whole, min_length_enable=boolean, exclude_username=boolean)
        least = strong.get("min_length") if strong.get("min_length_enable") in (True, 1) else 0
        nas.seen.append(f"passwords of at least {least} characters")


def permissions(nas: Observation) -> None:
    """Check the permissions of users and groups on a share."""
    names = list(nas.info("shares", "permissions").get("shares", {}))
    rows = 0
    for name in names[:1]:
        for kind in ("local_user", "local_group"):
            asked = {**_ALL, "name": name, "user_group_type": kind, "action": "enum", "with_inherit": True}
            answer = nas.read(calls.PERMISSION_LIST, asked)
            flags = dict.fromkeys(("is_readonly", "is_writable", "is_deny", "is_custom", "is_admin"), boolean)
            inherit = {"-", "rw", "ro", "na", "cu"}
            rows += len(nas.expect_rows(f"a {kind}", (answer or {}).get("items"), name=text, inherit_=inherit, **flags))
    if rows:
        nas.seen.append(f"{rows} entries on the first of {counted(len(names), 'share')}")
    elif not nas.differs:
        nas.unseen.append("what an entry contains (make a share in DSM, run again)")


def snapshots(nas: Observation) -> None:
    """Check schedules and retention of snapshots."""
    by_share = nas.info("snapshots").get("snapshots", {})
    running = 0
    for name in by_share:
        schedule = nas.read(calls.SNAPSHOT_SCHEDULE_GET, {"name": name})
        nas.expect("a schedule", schedule, task_id_=whole, enable_snapshot_schedule_=boolean, schedule_=named)
        if schedule and schedule.get("schedule"):
            hours = dict.fromkeys(("hour", "min", "repeat_hour", "repeat_min", "last_work_hour"), whole)
            nas.expect("a schedule's times", schedule["schedule"], week_name=text, **hours)
            running += 1
        retention = nas.read(calls.RETENTION_GET, {"type": "Share", "name": name})
        kept = dict.fromkeys(("advHourly", "advDaily", "advWeekly", "advMonthly", "advYearly"), whole)
        nas.expect("a retention", retention, tid=whole, policyType=whole, recently=whole, **kept)
    taken = sum(len(entry["taken"]) for entry in by_share.values())
    if by_share:
        nas.seen.append(
            f"{counted(len(by_share), 'share')} on btrfs, {counted(running, 'schedule')}, {counted(taken, 'snapshot')}"
        )
    if not running:
        nas.unseen.append("what a schedule contains (make one in Snapshot Replication, run again)")


def firewall(nas: Observation) -> None:
    """Check the firewall's profile, adapters and rules."""
    nas.info("firewall")
    switch = nas.read(calls.FIREWALL_GET)
    adapters = nas.read(calls.FIREWALL_ADAPTERS)
    if switch is None or not nas.expect("Firewall", switch, enable_firewall=boolean, profile_name=text):
        return
    state = "on" if switch["enable_firewall"] in (True, 1) else "off"
    nas.seen.append(f"{state}, profile {switch['profile_name']}")
    if nas.expect("Firewall.Adapter", adapters, adapter_names=many):
        nas.seen.append(f"adapters {listed(adapters['adapter_names'])}")
    profile = nas.read(calls.FIREWALL_PROFILE_GET, {"name": switch["profile_name"] or "default"})
    if profile is None or not nas.expect("a profile", profile, name=text):
        return
    rules = 0
    for name, section in profile.items():
        if isinstance(section, dict) and "policy" in section:
            nas.expect(f"section {name}", section, policy={"none", "allow", "drop"}, rules=many)
            rules += len(nas.expect_rows(f"a rule of {name}", section.get("rules"), **_RULE))
    if rules:
        nas.seen.append(counted(rules, "rule"))
    else:
        nas.unseen.append("what a rule contains (make one in DSM without applying it, run again)")


def certificates(nas: Observation) -> None:
    """Check certificates and the services that use them."""
    nas.info("certificates")
    answer = nas.read(calls.CERTIFICATE_LIST)
    if answer is None:
        return
    rows = nas.expect_rows(
        "a certificate",
        answer.get("certificates"),
        id=text,
        desc=text,
        is_default=boolean,
        subject=named,
        valid_till=text,
        services=many,
    )
    nas.seen.append(counted(len(rows), "certificate"))
    services = [service for row in rows for service in row.get("services") or []]
    nas.expect_rows("a service", services, service=text, subscriber=text, display_name=text)
    if not any((row.get("subscriber"), row.get("service")) == ("system", "default") for row in services):
        nas.differs.append("no certificate lists DSM's own page (subscriber system, service default)")


def settings(nas: Observation) -> None:
    """Check network, clock, SSH and SFTP."""
    general = nas.read(calls.NETWORK_GET)
    kept = dict.fromkeys(
        ("dns_manual", "arp_ignore", "ipv4_first", "multi_gateway", "enable_ip_conflict_detect"), boolean
    )
    if general is not None:
        nas.expect("Core.Network", general, server_name=text, gateway=text, dns_primary=text, **kept)
    ports = nas.read(calls.ETHERNET_LIST)
    if ports is not None:
        rows = nas.expect_rows("an interface", ports, ifname=text, ip=text, mask=text, use_dhcp=boolean, mtu=whole)
        nas.seen.append(f"interfaces {listed(row.get('ifname') for row in rows)}")
    interfaces = nas.read(calls.INTERFACES)
    if interfaces is not None:
        nas.expect_rows("an interface of DSM.Network", interfaces.get("interfaces"), id=text, ip=many)
    clock = nas.read(calls.TIME_GET)
    zones = nas.read(calls.TIME_ZONES)
    if clock is not None and nas.expect("NTP", clock, timezone=text, enable_ntp={"ntp", "manual"}, server=text):
        known = [row.get("value") for row in (zones or {}).get("zonedata") or []]
        if zones is not None and clock["timezone"] not in known:
            nas.differs.append(f"the time zone {clock['timezone']} is not among the {len(known)} that DSM lists")
    current = nas.info("settings").get("settings")
    if current:
        ssh = f"on at {current['ssh_port']}" if current["ssh"] else "off"
        nas.seen.append(f"zone {current['time_zone']}, SSH {ssh}, SFTP {'on' if current['sftp'] else 'off'}")


def tasks(nas: Observation) -> None:
    """Check scheduled tasks and packages."""
    nas.info("tasks")
    nas.info("packages")
    scheduled = nas.read(calls.TASK_LIST)
    if scheduled is not None:
        fields = {"name": text, "owner": text, "type": text, "enable": boolean, "id_": whole}
        rows = nas.expect_rows("a task", scheduled.get("tasks"), **fields)
        nas.seen.append(counted(len(rows), "scheduled task"))
    asked = {"additional": ["status", "startable"]}
    packages = nas.read(calls.PACKAGE_LIST, asked)
    if packages is not None:
        rows = nas.expect_rows("a package", packages.get("packages"), id=text, version=text, additional=named)
        for row in rows[:1]:
            nas.expect("a package's additional", row["additional"], status=text)
        nas.seen.append(counted(len(rows), "package"))


CHECKS = (
    Check("APIs", "every API that the modules call is there, in the version they speak", apis),
    Check("session", "reads can go together; sessions end after a while; DSM marks our own connection", session),
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
