# SPDX-License-Identifier: GPL-3.0-or-later
"""The firewall as it is on a machine: the table in force, the file and the unit that bring it back at boot."""

from __future__ import annotations

import dataclasses
import os
import shutil
from dataclasses import dataclass

from ..system import files as file_set
from .firewall_rules import EMPTY
from .rollback import Rollback, on_disk, run

RULES = "/etc/tars/firewall.nft"
SERVICE = "tars-firewall.service"
UNIT = f"/etc/systemd/system/{SERVICE}"

UNIT_TEXT = f"""\
# Written by tars.home.host_firewall, changes are lost.
[Unit]
Description=Who may reach this machine (nftables table inet tars)
DefaultDependencies=no
Wants=network-pre.target
Before=network-pre.target shutdown.target
Conflicts=shutdown.target
After=nftables.service
ConditionPathExists={RULES}

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/nft -f {RULES}
ExecReload=/usr/sbin/nft -f {RULES}
ExecStop=/usr/sbin/nft "table inet tars; delete table inet tars"

[Install]
WantedBy=sysinit.target
"""

DROP_IN = "/etc/systemd/system/nftables.service.d/tars.conf"

DROP_IN_TEXT = f"""\
# Written by tars.home.host_firewall, changes are lost.
# That service flushes all tables whenever it is started, reloaded or stopped.
[Service]
ExecStartPost=/usr/sbin/nft -f {RULES}
ExecReload=/usr/sbin/nft -f {RULES}
ExecStopPost=/usr/sbin/nft -f {RULES}
"""

FILES = {"rules": RULES, "unit": UNIT, "drop_in": DROP_IN}

WORDS = {"table": "table", **FILES, "enabled": "loaded at boot", "active": SERVICE}
"""What the fields of a state are called in results."""


LISTED = ("--stateless", "--terse", "list", "table", "inet", "tars")
"""The table in nft's words, without what traffic has put into its counters and sets."""


@dataclass(frozen=True)
class State:
    """The table as nft lists it, the texts of the files (each empty where there is none), and systemd's word."""

    table: str = ""
    rules: str = ""
    unit: str = ""
    drop_in: str = ""
    enabled: bool = False
    active: bool = False


def plan(current: State, desired: State) -> tuple[str, ...]:
    """The names of the fields that have to change."""
    names = [field.name for field in dataclasses.fields(State)]
    return tuple(name for name in names if getattr(current, name) != getattr(desired, name))


def missing() -> bool:
    """Whether this machine has no nftables."""
    return shutil.which("nft") is None


def read() -> State:
    """The present state. Raises RollbackError where nft or systemctl fail."""
    table = ""
    if not missing() and "table inet tars" in run(["nft", "list", "tables"]).splitlines():
        table = run(["nft", *LISTED])
    lines = run(["systemctl", "show", "--property=UnitFileState,ActiveState", SERVICE]).splitlines()
    texts = {name: _text(path) for name, path in FILES.items()}
    return State(table, **texts, enabled="UnitFileState=enabled" in lines, active="ActiveState=active" in lines)


def wanted(rules: str) -> State:
    """The state with these rules. Raises RollbackError for rules that the kernel does not take.

    nft lists rules in its own words, so the wanted ones are loaded into an empty network namespace and listed there,
    which also lets the kernel judge them.
    """
    text = EMPTY + rules
    script = f"nft -f - && nft {' '.join(LISTED)}"
    table = rules if missing() else run(["unshare", "--net", "/bin/sh", "-c", script], text)
    return State(table, text, UNIT_TEXT, DROP_IN_TEXT, True, True)


def load(rollback: Rollback, current: State, desired: State, seconds: int, token: str) -> None:
    """Put the wanted table into force for so many seconds, unless it is confirmed. Nothing is written to disk."""
    before = f"nft -f - <<'END' || nft '{EMPTY.replace(chr(10), ';')}'\n{EMPTY}{current.table}END"
    # Where the rules on disk were right before, and others in force, they tell nothing about a confirmation.
    kept = "false" if current.rules == desired.rules else on_disk(RULES, desired.rules)
    rollback.arm(before, seconds, token, kept)
    with rollback.guarded(token):
        run(["nft", "-f", "-"], desired.rules)


def persist(desired: State) -> None:
    """Have the wanted rules loaded at every boot, and from the moment on at which their file is there."""
    _write("unit", desired)
    run(["systemctl", "enable", "--quiet", SERVICE])
    _write("rules", desired)
    _write("drop_in", desired)
    run(["systemctl", "daemon-reload"])
    run(["systemctl", "start", SERVICE])


def _write(name: str, desired: State) -> None:
    file_set.write_file(FILES[name], getattr(desired, name))


def remove(current: State) -> None:
    """Take everything away. That refuses nobody, so it needs no rollback."""
    if current.unit:
        run(["systemctl", "disable", "--quiet", "--now", SERVICE])
    if current.table:
        run(["nft", EMPTY.replace("\n", ";")])
    for path in FILES.values():
        if os.path.exists(path):
            os.unlink(path)
    run(["systemctl", "daemon-reload"])


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return ""
