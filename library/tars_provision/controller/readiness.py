# SPDX-License-Identifier: GPL-3.0-or-later
"""Readiness checks: whether the controller and a site are ready for a run."""

from __future__ import annotations

import importlib.metadata
import platform
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tars_provision import next_step
from tars_provision.ansible import environment, events, reasons
from tars_provision.ansible.run import run_playbook
from tars_provision.controller import setup, trust, vault, web_api
from tars_provision.errors import ProvisionError, message
from tars_provision.project import SPEC, collection
from tars_provision.spec.load import load
from tars_provision.spec.model import Site

LOGIN_PLAYBOOK = Path(__file__).parents[1] / "ansible" / "login.yml"


@dataclass(frozen=True)
class CheckResult:
    """Result of one check: what was found, and the next step if it failed (`fix`), else empty."""

    name: str
    ok: bool
    found: str
    fix: str = ""


class _CompleteError(ProvisionError):
    """A failed check whose text contains the next step."""


def site_checks(folder: Path) -> Iterator[CheckResult]:
    """Check the controller, the site's spec and secrets, and whether its machines answer. Nothing is changed."""
    supported = (3, 11) <= sys.version_info[:2] <= (3, 13)
    install = "" if supported else "install Python 3.11, 3.12 or 3.13"
    yield CheckResult("Python", supported, platform.python_version(), install)
    yield _check("Ansible", _ansible)
    try:
        site = load(folder / SPEC)
    except ProvisionError as error:
        yield CheckResult("spec", False, str(error), "edit the spec; docs/spec.md explains every key")
        return
    yield CheckResult("spec", True, f"{folder / SPEC} has no mistakes")
    init = next_step.command("init", "-i", folder)
    yield _check("vault", lambda: _vault(folder), f"{init} creates what is missing")
    yield _check("NAS", lambda: _nas(site, folder), f"{init} records its certificate on first contact")
    yield _check("desktop", lambda: _login(site, folder), "see `hosts` in the spec")


def _check(name: str, probe: Callable[[], str], fix: str = "") -> CheckResult:
    try:
        return CheckResult(name, True, probe())
    except (_CompleteError, vault.VaultError, trust.TrustError, web_api.WebApiError) as error:
        return CheckResult(name, False, str(error))
    except ProvisionError as error:
        return CheckResult(name, False, str(error), fix)


def _ansible() -> str:
    """Return the version of Ansible, once the collection is there in the version that belongs to it."""
    collection()
    version = f"ansible-core {importlib.metadata.version('ansible-core')}"
    ignored = environment.ignored()
    return f"{version}; ignored from the environment: {', '.join(ignored)}" if ignored else version


def _vault(folder: Path) -> str:
    path, missing = vault.secrets_file(folder), setup.missing_secrets(folder)
    if missing:
        raise ProvisionError(message(path, found="no value", expected=", ".join(missing)))
    return f"{path} can be opened and is complete"


def _nas(site: Site, folder: Path) -> str:
    """Check the certificate of the NAS, and that DSM answers; its login is checked by a run."""
    address, presented = setup.contact(site)
    recorded = trust.recorded(folder).get(site.nas)
    if presented == recorded or setup.signed_by_authority(site, folder):
        proof = (
            "the recorded certificate" if presented == recorded else "a certificate that the site's authority signed"
        )
        version = web_api.login_version(address, site.nas_host.dsm.port)
        return f"DSM answers at {address} (login API up to version {version}) with {proof}; the login was not tried"
    expected = f"the recorded one ({recorded or 'none yet'})"
    raise ProvisionError(message(site.nas, found=f"the certificate {presented}", expected=expected))


class _Silent:
    """Shows nothing of a run."""

    def event(self, event: events.Event, tally: events.Tally) -> None:
        """Show nothing."""

    def tick(self, tally: events.Tally) -> None:
        """Show nothing."""


def _require_for_ansible(folder: Path) -> None:
    """Raise ProvisionError if Ansible could not start: without the collection, or with a vault that it cannot open."""
    try:
        collection()
        setup.missing_secrets(folder)
        if not vault.vault_password_file().exists():
            raise ProvisionError(f"{vault.vault_password_file()} does not exist yet")
    except ProvisionError as error:
        raise _CompleteError("not checked, because Ansible cannot start: see the failed checks above") from error


def _login(site: Site, folder: Path) -> str:
    """Log in and become root through Ansible, exactly as a run does."""
    _require_for_ansible(folder)
    result = run_playbook(LOGIN_PLAYBOOK, folder, _Silent(), keep=["stdout"])
    address = site.desktop_host.address
    if result.exit_code == 0 and result.results:
        return f"{site.desktop} answers over ssh, with root's rights ({result.results[0][1]['stdout']})"
    failures = [reasons.explain(step, site) for step in result.failures]
    if failures and failures != result.failures:  # an explanation is a whole message
        raise _CompleteError("\n".join(step.text for step in failures))
    actual = "\n".join(step.text for step in failures) or "\n".join(result.output).strip() or result.status
    raise ProvisionError(message(f"{site.desktop} ({address})", found=actual, expected="a login with root's rights"))
