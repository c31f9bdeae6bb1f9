# SPDX-License-Identifier: GPL-3.0-or-later
"""A timer on this computer that renews what only the household's authority can sign.

The authority's key is here and nowhere else, so no machine can do it for itself. systemd's timers catch up on what
they slept through (systemd.timer(5), Persistent=).
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tars_provision.errors import Failure
from tars_provision.files import write_atomic
from tars_provision.project import PROGRAM

NAME = "tars-renew"
_SYSTEMD = Path("/run/systemd/system")  # there while systemd is process 1 (sd_booted(3))
_WITHOUT = f"without it, have what this computer has instead run `{PROGRAM} renew` once a month"
_SERVICE = """\
# Written by `tars-provision renew --timer on`; `renew --timer off` removes it.
[Unit]
Description=Renew the certificates of T.A.R.S. that are in the last third of their life
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
Environment="HOME=%h"
ExecStart="{program}" renew --inventory "{inventory}"
"""
_TIMER = """\
# Written by `tars-provision renew --timer on`; `renew --timer off` removes it.
[Unit]
Description=Look every day whether a certificate of T.A.R.S. is to be renewed

[Timer]
OnCalendar=daily
RandomizedDelaySec=1h
Persistent=true

[Install]
WantedBy=timers.target
"""


class TimerError(Failure):
    """The timer cannot be set up or taken away here."""


def units(inventory: Path, program: Path = PROGRAM) -> dict[str, str]:
    """Return the unit files by name; both paths are made absolute."""
    # systemd expands what begins with a percent sign (systemd.unit(5), Specifiers).
    paths = {"program": program.absolute(), "inventory": inventory.absolute()}
    escaped = {name: str(path).replace("%", "%%") for name, path in paths.items()}
    return {f"{NAME}.service": _SERVICE.format(**escaped), f"{NAME}.timer": _TIMER}


def turn_on(inventory: Path) -> Path:
    """Write the units and start the timer; return the timer's file. Raises TimerError."""
    folder = _folder()
    for name, text in units(inventory).items():
        write_atomic(folder / name, text.encode())
    _systemctl("daemon-reload")
    _systemctl("enable", "--now", f"{NAME}.timer")
    if os.geteuid() != 0:
        # Without it the timer sleeps while nobody is logged in.
        _run("loginctl", "enable-linger")
    return folder / f"{NAME}.timer"


def turn_off() -> bool:
    """Stop the timer and remove its units; return whether there was one. Raises TimerError."""
    folder = _folder()
    if not (folder / f"{NAME}.timer").exists():
        return False
    _systemctl("disable", "--now", f"{NAME}.timer")
    for kind in ("timer", "service"):
        (folder / f"{NAME}.{kind}").unlink(missing_ok=True)
    _systemctl("daemon-reload")
    return True


def _folder() -> Path:
    """Return where units of this account lie: root's are the computer's. Raises TimerError where nobody reads them."""
    if not _SYSTEMD.is_dir():
        raise TimerError(f"timer {NAME}: wanted systemd, which this computer was not started with; {_WITHOUT}.")
    return Path("/etc/systemd/system") if os.geteuid() == 0 else Path("~/.config/systemd/user").expanduser()


def _systemctl(*arguments: str) -> None:
    _run("systemctl", *([] if os.geteuid() == 0 else ["--user"]), *arguments)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise TimerError(f"timer {NAME}: {' '.join(command)} said: {done.stderr.strip()}; {_WITHOUT}.")
