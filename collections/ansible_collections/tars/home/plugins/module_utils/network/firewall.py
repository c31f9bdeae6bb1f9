# SPDX-License-Identifier: GPL-3.0-or-later
"""The firewall of a machine: the table in force, and the files and the unit that load it at boot."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Sequence
from dataclasses import dataclass

from ..resource.converge import Pending, Probe, Resource
from ..system import files
from ..system.probing import combined, file_text, parts
from ..system.process import run
from . import interfaces
from .firewall_rules import EMPTY, FirewallError, Service, admits, on_link, render
from .rollback import Rollback, on_disk, ssh_connection

RULES = "/etc/tars/firewall.nft"
SERVICE = "tars-firewall.service"
UNIT = f"/etc/systemd/system/{SERVICE}"
NFT = "/usr/sbin/nft"

UNIT_TEXT = f"""\
# Written by tars.home.host_firewall, changes are lost.
[Unit]
Description=Firewall of this machine (nftables table inet tars)
DefaultDependencies=no
Wants=network-pre.target
Before=network-pre.target shutdown.target
Conflicts=shutdown.target
After=nftables.service
ConditionPathExists={RULES}

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart={NFT} -f {RULES}
ExecReload={NFT} -f {RULES}
ExecStop={NFT} "table inet tars; delete table inet tars"

[Install]
WantedBy=sysinit.target
"""

DROP_IN = "/etc/systemd/system/nftables.service.d/tars.conf"

DROP_IN_TEXT = f"""\
# Written by tars.home.host_firewall, changes are lost.
# That service flushes all tables whenever it is started, reloaded or stopped.
[Service]
ExecStartPost={NFT} -f {RULES}
ExecReload={NFT} -f {RULES}
ExecStopPost={NFT} -f {RULES}
"""

FILES = {"rules": RULES, "unit": UNIT, "drop_in": DROP_IN}

WORDS = {"table": "table", **FILES, "enabled": "loaded at boot", "active": SERVICE}
"""The names in results of the fields of a state."""


LISTED = ("--stateless", "--terse", "list", "table", "inet", "tars")
"""Arguments of nft that list the table, without what traffic has added to its counters and sets."""


@dataclass(frozen=True)
class State:
    """The table as nft lists it, the texts of the files (empty if absent), and the state of the unit."""

    table: str = ""
    rules: str = ""
    unit: str = ""
    drop_in: str = ""
    enabled: bool = False
    active: bool = False


@dataclass(frozen=True)
class Firewall:
    """The current state and the desired one, which depends on the machine: on the networks of its link, and on how its
    nft lists the rules.
    """

    current: State
    desired: State
    link: str = ""


@dataclass(frozen=True)
class Change:
    """A field of the state that differs."""

    field: str
    firewall: Firewall

    def __str__(self) -> str:
        return WORDS[self.field]


@dataclass(frozen=True)
class Policy:
    """All that may reach a machine. None: there is no firewall of ours."""

    services: Sequence[Service] | None
    interface: str | None = None

    def text(self, link: str) -> str:
        """Return the rules file by the output of `ip -json -6 route show` for the interface; empty without firewall."""
        return "" if self.services is None else EMPTY + render(self.services, self.interface, on_link(link))


def resource(policy: Policy, deadline_s: int = 60, token: str = "") -> Resource[Firewall, Change]:
    """Return the firewall as a resource. A new table is in force for `deadline_s` seconds, until it is confirmed.

    `token` names the change for the rollback and the confirmation.
    """
    return Resource(
        read=lambda: read(policy),
        plan=plan,
        predict=predict,
        write=lambda changes: write(policy, changes, deadline_s, token),
        show=lambda firewall: {},
        refused="nft and systemctl reported success, but the firewall differs.",
        advice="Next: nft list table inet tars",
        probe=probe(policy),
        diff=diff,
    )


def plan(firewall: Firewall) -> list[Change]:
    """Return the fields that differ."""
    current, desired = firewall.current, firewall.desired
    names = [field.name for field in dataclasses.fields(State)]
    return [Change(name, firewall) for name in names if getattr(current, name) != getattr(desired, name)]


def predict(firewall: Firewall, changes: Sequence[Change]) -> Firewall:
    """Return the firewall after the changes."""
    fields = {change.field: getattr(firewall.desired, change.field) for change in changes}
    return dataclasses.replace(firewall, current=dataclasses.replace(firewall.current, **fields))


def diff(before: Firewall, after: Firewall) -> list[dict[str, str]]:
    """Return Ansible's diff of the table and the files."""
    return [
        {
            "before_header": WORDS[name],
            "after_header": WORDS[name],
            "before": getattr(before.current, name),
            "after": getattr(after.current, name),
        }
        for name in ("table", *FILES)
        if getattr(before.current, name) != getattr(after.current, name)
    ]


def missing() -> bool:
    """Return whether this machine has no nftables."""
    return shutil.which(NFT) is None


def probe(policy: Policy) -> Probe[Firewall]:
    """Return the command that reads the firewall, and lists the rules on disk as the kernel would after loading them.

    The table in force is the desired one if the rules on disk are, and it equals that list. So no second command is
    needed for the machine to list the desired rules.
    """
    in_a_namespace = f"{NFT} -f {RULES} && {NFT} {' '.join(LISTED)}"
    command = combined(
        ["ip", "-json", "-6", "route", "show", "dev", policy.interface] if policy.interface else ["true"],
        [NFT, *LISTED],
        *(["cat", path] for path in FILES.values()),
        ["systemctl", "show", "--property=UnitFileState,ActiveState", SERVICE],
        ["unshare", "--net", "sh", "-c", in_a_namespace] if policy.services is not None else ["true"],
    )
    return Probe(command, lambda status, output: parse(policy, output))


def parse(policy: Policy, output: str) -> Firewall | None:
    """Return the firewall by the output of the probe; None where the rules on disk are not the desired ones."""
    results = parts(output)
    if len(results) != 7 or results[0].status or results[5].status or results[6].status:
        return None
    link, table, *texts, unit, listed = results
    state = _state(file_text(table), [file_text(part) for part in texts], unit.output)
    text = policy.text(link.output)
    if state.rules != text:
        return None
    return Firewall(state, _desired(policy, text, listed.output), link.output)


def read(policy: Policy) -> Firewall:
    """Return the firewall of this machine.

    nft lists rules in its own words, so the desired ones are loaded into an empty network namespace and listed there,
    which also lets the kernel check them.

    Raises:
        InterfaceError: the machine does not have the policy's interface.
        ProcessError: nft or systemctl failed, or the kernel refuses the rules.
    """
    link = _link(policy)
    table = ""
    if not missing() and "table inet tars" in run([NFT, "list", "tables"]).splitlines():
        table = run([NFT, *LISTED])
    unit = run(["systemctl", "show", "--property=UnitFileState,ActiveState", SERVICE])
    text = policy.text(link)
    listed = text.removeprefix(EMPTY)
    if text and not missing():
        listed = run(["unshare", "--net", "/bin/sh", "-c", f"{NFT} -f - && {NFT} {' '.join(LISTED)}"], text)
    current = _state(table, [files.text(path) for path in FILES.values()], unit)
    return Firewall(current, _desired(policy, text, listed), link)


def _link(policy: Policy) -> str:
    if not policy.interface:
        return ""
    interfaces.require(policy.interface)
    return run(["ip", "-json", "-6", "route", "show", "dev", policy.interface])


def _state(table: str, texts: Sequence[str], unit: str) -> State:
    lines = unit.split("\n")
    rules, unit_text, drop_in = texts
    return State(
        table, rules, unit_text, drop_in, enabled="UnitFileState=enabled" in lines, active="ActiveState=active" in lines
    )


def _desired(policy: Policy, text: str, listed: str) -> State:
    if policy.services is None:
        return State()
    return State(listed, text, UNIT_TEXT, DROP_IN_TEXT, True, True)


def refuse_to_shut_out(policy: Policy) -> None:
    """Raise FirewallError where the rules would refuse the ssh connection that this process was started over."""
    connection = ssh_connection()
    if connection is None or policy.services is None:
        return
    address, _, _, port = connection.split()
    if not admits(policy.services, policy.interface, on_link(_link(policy)), address, int(port)):
        admitted = [f"{item.name} ({', '.join(item.sources)})" for item in policy.services if int(port) in item.ports]
        raise FirewallError(
            f"The rules would shut this controller ({address}) out of port {port}, which they open to "
            f"{'; '.join(admitted) or 'no source'}. Nothing was changed. Next: add {address} to the sources."
        )


def write(policy: Policy, changes: Sequence[Change], deadline_s: int, token: str) -> Pending | None:
    """Make the changes. Pending where a new table is in force, until it is confirmed."""
    firewall = changes[0].firewall
    if policy.services is None:
        remove(firewall.current)
        return None
    if "table" not in [change.field for change in changes]:
        persist(firewall.desired)
        return None
    load(Rollback("firewall"), firewall.current, firewall.desired, deadline_s, token)
    return Pending({"armed": True, "deadline_s": deadline_s})


def require_nft() -> None:
    """Raise FirewallError if this machine has no nftables."""
    if missing():
        raise FirewallError("nft is not installed on this machine. Next: install nftables.")


def load(rollback: Rollback, current: State, desired: State, deadline_s: int, token: str) -> None:
    """Load the desired table for so many seconds, unless it is confirmed. Nothing is written to disk."""
    before = f"nft -f - <<'END' || nft '{EMPTY.replace(chr(10), ';')}'\n{EMPTY}{current.table}END"
    # Where the rules on disk were right before, and others in force, they do not prove a confirmation.
    kept = "false" if current.rules == desired.rules else on_disk(RULES, desired.rules)
    rollback.arm(before, deadline_s, token, kept)
    with rollback.guarded(token):
        run([NFT, "-f", "-"], desired.rules)


def confirm(policy: Policy, token: str) -> None:
    """Keep the change of this token: write the rules to disk, and disarm the rollback.

    Raises:
        RollbackError: the change is undone already, or this is the connection that it came over.
        FirewallError: the firewall differs although everything was written.
    """
    desired = read(policy).desired
    Rollback("firewall").confirm(token, lambda: persist(desired))
    left = plan(read(policy))
    if left:
        raise FirewallError(
            f"After the change the firewall still differs in {', '.join(map(str, left))}. "
            "Next: nft list table inet tars"
        )


def persist(desired: State) -> None:
    """Write the rules to disk, so that they are loaded at every boot from the moment their file exists."""
    files.write_file(UNIT, desired.unit)
    run(["systemctl", "enable", "--quiet", SERVICE])
    files.write_file(RULES, desired.rules)
    files.write_file(DROP_IN, desired.drop_in)
    run(["systemctl", "daemon-reload"])
    run(["systemctl", "start", SERVICE])


def remove(current: State) -> None:
    """Remove the table, the unit and the files. That refuses no connection, so it needs no rollback."""
    if current.unit:
        run(["systemctl", "disable", "--quiet", "--now", SERVICE])
    if current.table:
        run([NFT, EMPTY.replace("\n", ";")])
    for path in FILES.values():
        files.remove(path)
    run(["systemctl", "daemon-reload"])
