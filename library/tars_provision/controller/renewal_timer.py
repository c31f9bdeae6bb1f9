# SPDX-License-Identifier: GPL-3.0-or-later
"""A daily systemd timer on this computer that renews the certificates which only the certificate authority can sign.

The authority's key is on this computer and nowhere else, so no machine can renew its certificate by itself. systemd
starts a missed run later (systemd.timer(5), Persistent=).
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tars_provision import next_step
from tars_provision.errors import ProvisionError, message
from tars_provision.files import write_atomic
from tars_provision.project import PROGRAM

NAME = "tars-renew"
_SYSTEMD = Path("/run/systemd/system")  # exists while systemd is process 1 (sd_booted(3))
_SERVICE = """\
# Written by `tars-provision certificate timer on`; `certificate timer off` removes it.
[Unit]
Description=Renew the certificates of T.A.R.S. that are in the last third of their validity
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
Environment="HOME=%h"
ExecStart="{program}" certificate renew --inventory "{inventory}"
"""
_TIMER = """\
# Written by `tars-provision certificate timer on`; `certificate timer off` removes it.
[Unit]
Description=Check every day whether a certificate of T.A.R.S. is due for renewal

[Timer]
OnCalendar=daily
RandomizedDelaySec=1h
Persistent=true

[Install]
WantedBy=timers.target
"""


class TimerError(ProvisionError):
    """The timer cannot be installed or removed on this computer."""


def units(inventory: Path, program: Path = PROGRAM) -> dict[str, str]:
    """Return the unit files by name; both paths are made absolute."""
    service = _SERVICE.format(
        program=_quoted(program.absolute()),
        # systemd replaces variables in arguments, but not in the path of the program (systemd.service(5)).
        inventory=_quoted(inventory.absolute()).replace("$", "$$"),
    )
    return {f"{NAME}.service": service, f"{NAME}.timer": _TIMER}


def _quoted(path: Path) -> str:
    """Return a path as the inside of a quoted word: systemd.syntax(7), Quoting, and systemd.unit(5), Specifiers."""
    return str(path).replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")


def turn_on(inventory: Path) -> Path:
    """Write the units and start the timer; return the timer's file. Raises TimerError."""
    if not _SYSTEMD.is_dir():
        actual, step = "a computer that was not booted with systemd", _alternative(inventory)
        raise TimerError(message(f"timer {NAME}", found=actual, expected="systemd", next_step=step))
    folder = _folder()
    for name, text in units(inventory).items():
        write_atomic(folder / name, text.encode())
    _systemctl("daemon-reload")
    _systemctl("enable", "--now", f"{NAME}.timer")
    if os.geteuid() != 0:
        # Without it the timer does not run while the account has no session.
        _run("loginctl", "enable-linger")
    return folder / f"{NAME}.timer"


def turn_off() -> bool:
    """Stop the timer and remove its units; return whether it existed. Raises TimerError.

    Where systemd does not run, the timer does not either, and only its files are removed.
    """
    folder = _folder()
    if not (folder / f"{NAME}.timer").exists():
        return False
    if _SYSTEMD.is_dir():
        _systemctl("disable", "--now", f"{NAME}.timer")
    for name in (f"{NAME}.timer", f"{NAME}.service", f"timers.target.wants/{NAME}.timer"):
        (folder / name).unlink(missing_ok=True)
    if _SYSTEMD.is_dir():
        _systemctl("daemon-reload")
    return True


def _folder() -> Path:
    """Return the folder for units of this account; root's are those of the computer."""
    return Path("/etc/systemd/system") if os.geteuid() == 0 else Path("~/.config/systemd/user").expanduser()


def _alternative(inventory: Path) -> str:
    renewal = next_step.command("certificate", "renew", "-i", inventory.absolute())
    return f"Schedule {renewal} once a month by other means"


def systemctl(*arguments: str) -> tuple[str, ...]:
    """Return a call of systemctl for the units of this account."""
    return ("systemctl", *(() if os.geteuid() == 0 else ("--user",)), *arguments)


def _systemctl(*arguments: str) -> None:
    _run(*systemctl(*arguments))


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        actual = done.stderr.strip() or f"exit code {done.returncode}"
        # The bus of an account exists while it is logged in; su and sudo do not log in.
        step = "" if os.geteuid() == 0 else "Log in as this account, not with su or sudo, and run the command again"
        raise TimerError(message(next_step.shell(*command), found=actual, expected="success", next_step=step))
