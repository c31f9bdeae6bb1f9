# SPDX-License-Identifier: GPL-3.0-or-later
"""Common reasons for which Ansible cannot work on a machine, as a message with a next step.

Ansible reports them in the words of ssh and sudo, which name neither the account nor what to do.
"""

from __future__ import annotations

import dataclasses
import re

from tars_provision import next_step, ssh
from tars_provision.ansible.events import Step
from tars_provision.errors import message
from tars_provision.spec.model import Desktop, Site

NOT_ROOT = re.compile(
    r"missing sudo password|incorrect sudo password|sudo:.*(not found|password is required|terminal is required|no tty"
    r"|setuid|effective uid)|not in the sudoers|may not run sudo|not allowed to execute"
    r"|waiting for (privilege escalation prompt|become success)",
    re.IGNORECASE,
)
KEY_CHANGED = re.compile(r"host key verification failed|host identification has changed", re.IGNORECASE)
REFUSED = re.compile(r"permission denied \(|too many authentication failures|no such identity", re.IGNORECASE)
SILENT = re.compile(
    r"connection (refused|timed out)|no route to host|could not resolve|network is unreachable|operation timed out",
    re.IGNORECASE,
)
NO_PYTHON = re.compile(
    r"/python3?:? (not found|no such file)|interpreter.*not found|python3?: not found", re.IGNORECASE
)


def explain(step: Step, site: Site) -> Step:
    """Return a failed step with the reason for which Ansible did not get to work, if it is a known one."""
    host = site.hosts.get(step.host)
    if not isinstance(host, Desktop):
        return step
    connect, address = host.connect, host.connect.address or str(host.address)
    target = f"{connect.user}@{address}"
    login = next_step.shell(*ssh.command(host))
    at, line = f"hosts.{step.host}.connect", step.text.strip().splitlines()[-1] if step.text.strip() else "no message"
    if NOT_ROOT.search(step.text):
        text = message(
            f"{target}: {connect.user} cannot become root without a password on {step.host}",
            found=line,
            expected="sudo that asks for no password",
            next_step=f"On {step.host}, as root, install sudo and run "
            f"`echo '{connect.user} ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/tars`; or set {at}.user to root",
        )
    elif KEY_CHANGED.search(step.text):
        expected = "the host key that is recorded on this computer"
        step_text = f"Compare the host key and accept it with {login}"
        text = message(target, found=line, expected=expected, next_step=step_text)
    elif REFUSED.search(step.text):
        step_text = f"Check {at}.user and {at}.private_key, and try {login}"
        text = message(target, found=line, expected="a login with a key", next_step=step_text)
    elif SILENT.search(step.text):
        step_text = f"Check that {step.host} is on and that its address in the spec is right, and try {login}"
        text = message(f"{target}, port {connect.port}", found=line, expected="an SSH server", next_step=step_text)
    elif NO_PYTHON.search(step.text):
        step_text = f"On {step.host}, as root, run `apt-get install python3`"
        text = message(target, found=line, expected="Python 3.9 or later", next_step=step_text)
    else:
        return step
    return dataclasses.replace(step, text=text)
