# SPDX-License-Identifier: GPL-3.0-or-later
"""Common reasons for which Ansible cannot work on a machine, as a message with a next step.

Ansible reports them in the words of ssh and sudo, which name neither the account nor what to do.
"""

from __future__ import annotations

import dataclasses
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from tars_provision import next_step, ssh
from tars_provision.ansible.events import Step
from tars_provision.errors import message
from tars_provision.spec.model import Desktop, Site


@dataclass(frozen=True)
class Reason:
    """A reason that a pattern recognises in the output of ssh, sudo or a shell; `step` is a template, see `_values`."""

    pattern: str
    subject: str
    expected: str
    step: str


NOT_ROOT = "{target}: {user} cannot become root without a password on {host}"
NO_QUESTION = "sudo that asks for no password"
GRANT = (
    "echo '{user} ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/tars && chmod 0440 /etc/sudoers.d/tars && visudo --check"
)
OR_ROOT = "; or set {at}.user to root"

REASONS = (
    Reason(
        r"sudo:? (command )?not found",
        NOT_ROOT,
        NO_QUESTION,
        f"On {{host}}, as root, run `apt-get install --yes sudo && {GRANT}`{OR_ROOT}",
    ),
    Reason(
        r"sudo:.*(setuid|effective uid)",
        NOT_ROOT,
        "sudo with the rights of its package",
        f"On {{host}}, as root, run `apt-get install --yes --reinstall sudo`{OR_ROOT}",
    ),
    Reason(
        r"sudoers is (owned by|world writable|group writable)|sudoers.*(bad permissions|should be)",
        NOT_ROOT,
        "a file that root owns and nobody else can write",
        f"On {{host}}, as root, run `chown root:root /etc/sudoers && chmod 0440 /etc/sudoers`{OR_ROOT}",
    ),
    Reason(
        r"must have a tty",
        NOT_ROOT,
        "sudo that needs no terminal",
        f"On {{host}}, as root, run `echo 'Defaults:{{user}} !requiretty' > /etc/sudoers.d/tars-tty`{OR_ROOT}",
    ),
    Reason(
        r"missing sudo password|incorrect sudo password|sudo:.*(password is required|terminal is required|no tty)"
        r"|not in the sudoers|may not run sudo|not allowed to execute|error initializing audit plugin"
        r"|waiting for (privilege escalation prompt|become success)",
        NOT_ROOT,
        NO_QUESTION,
        f"On {{host}}, as root, run `{GRANT}`{OR_ROOT}",
    ),
    Reason(
        r"host identification has changed",
        "{target}",
        "the host key that is recorded on this computer",
        "If {host} was installed again, run {forget}, then compare the new host key and accept it with {login}",
    ),
    Reason(
        r"host key verification failed",
        "{target}",
        "the host key that is recorded on this computer",
        "Compare the host key and accept it with {login}",
    ),
    Reason(
        r"permission denied \(|too many authentication failures|no such identity",
        "{target}",
        "a login with a key",
        "Check {at}.user and {at}.private_key, and try {login}",
    ),
    Reason(
        r"account is currently not available",
        "{target}",
        "an account with a shell",
        "On {host}, as root, run `chsh --shell /bin/bash {user}`",
    ),
    Reason(
        r"connection (refused|timed out)|no route to host|could not resolve|network is unreachable|operation timed out",
        "{target}, port {port}",
        "an SSH server",
        "Check that {host} is on and that its address in the spec is right, and try {login}",
    ),
    Reason(
        r"/python3?:? (not found|no such file)|interpreter.*not found|python3?: (command )?not found",
        "{target}",
        "Python 3.9 or later",
        "On {host}, as root, run `apt-get install --yes python3`",
    ),
)
"""The first one that matches counts: sudo reports more than one line about some faults."""


def explain(step: Step, site: Site) -> Step:
    """Return a failed step with the reason for which Ansible did not get to work, if it is a known one."""
    host = site.hosts.get(step.host)
    if not isinstance(host, Desktop):
        return step
    for reason in REASONS:
        lines = [line for line in step.text.splitlines() if re.search(reason.pattern, line, re.IGNORECASE)]
        if lines:
            values = _values(step.host, host)
            text = message(
                reason.subject.format_map(values),
                found=lines[-1].strip().strip("@ "),
                expected=reason.expected,
                next_step=reason.step.format_map(values),
            )
            return dataclasses.replace(step, text=text)
    return step


def _values(name: str, host: Desktop) -> dict[str, str]:
    """Return the values of the templates; `login` and `forget` are commands on this computer."""
    connect = host.connect
    file = ["-f", str(Path(connect.known_hosts).expanduser())] if connect.known_hosts else []
    return {
        "host": name,
        "user": shlex.quote(connect.user),
        "port": str(connect.port),
        "target": f"{connect.user}@{connect.address or host.address}",
        "at": f"hosts.{name}.connect",
        "login": next_step.shell(*ssh.command(host)),
        "forget": next_step.shell("ssh-keygen", *file, "-R", ssh.key_name(host)),
    }
