# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a program on the desktop over ssh, with the connection settings of the spec."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tars_provision import next_step, ssh
from tars_provision.ansible.events import Step
from tars_provision.ansible.reasons import explain
from tars_provision.desktop import remote
from tars_provision.errors import ProvisionError, message
from tars_provision.inventory import answering
from tars_provision.spec.model import Site

OPTIONS = ("-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-o", "ServerAliveInterval=15")
"""No questions, and no endless wait for a machine that is off."""


class DesktopError(ProvisionError):
    """The desktop cannot be reached, or does not do what it is asked for."""


def command(site: Site, arguments: Mapping[str, Any]) -> list[str]:
    """Return the call of ssh that runs :mod:`tars_provision.desktop.remote` as root."""
    host = site.desktop_host
    words = ["python3", "-c", Path(remote.__file__).read_text(), json.dumps(arguments)]
    if host.connect.user != "root":
        words = ["sudo", "-n", *words]
    login, *rest = ssh.command(host, answering(site).get(site.desktop, ""))
    return [login, *OPTIONS, *rest, shlex.join(words)]


def call(site: Site, **arguments: Any) -> dict[str, Any]:
    """Return the JSON object that the program prints. Raises DesktopError."""
    done = subprocess.run(command(site, arguments), stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        raise failure(site, done.stderr)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def contract(site: Site, inventory: Path, answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return the contract of the services in an answer. Raises DesktopError if the desktop has none."""
    if answer["contract"] is None:
        step = f"{next_step.command('site', '-i', inventory)} writes it"
        expected = "the contract of the services, version 1"
        path = f"{site.desktop}: {remote.CONTRACT}"
        raise DesktopError(message(path, found=answer["problem"], expected=expected, next_step=step))
    present: dict[str, Any] = answer["contract"]
    return present


def failure(site: Site, output: str) -> DesktopError:
    """Return the error for a call that failed, by the output of ssh, sudo or the program."""
    step = Step(site.desktop, "", output)
    explained = explain(step, site)
    if explained != step:
        return DesktopError(explained.text)
    last = output.strip().splitlines()[-1] if output.strip() else "no output"
    return DesktopError(message(site.desktop, found=last, expected="an answer over ssh"))
