# SPDX-License-Identifier: GPL-3.0-or-later
"""Why containers cannot use a machine's NVIDIA cards, by name, with the next step."""

from __future__ import annotations

from dataclasses import dataclass

from . import cards as nvidia_cards
from . import smi as nvidia_smi
from .facts import TOOLKIT, Facts
from .offers import branch

REFUSED = ("key was rejected", "required key not available")
"""Messages of modprobe when the kernel does not trust a module's signature."""


@dataclass(frozen=True)
class Finding:
    """A problem: its name, which is stable, what was found, and the fix. `reboot`: a reboot is enough."""

    name: str
    problem: str
    fix: str
    reboot: bool = False


def findings(facts: Facts, minimum: int) -> list[Finding]:
    """Return why containers cannot use the cards, the cause before its consequences; empty if they can.

    `minimum` is the lowest branch of the driver that is sufficient for any card.
    """
    driver = driver_finding(facts, minimum)
    if driver is not None and driver.name == "no card":
        return [driver]
    problems = [driver] if driver is not None else []
    if TOOLKIT not in facts.packages:
        problems.append(
            Finding(
                "toolkit missing", f"{TOOLKIT} is not installed", "run the role tars.home.nvidia, which installs it"
            )
        )
    elif driver is None and facts.spec is None:
        problems.append(
            Finding(
                "CDI missing",
                "no file in /etc/cdi or /var/run/cdi describes the cards to containers",
                "systemctl restart nvidia-cdi-refresh.service (tars-cdi-refresh.service with an old toolkit), or run "
                "the role tars.home.nvidia",
            )
        )
    if facts.spec is not None and facts.spec.missing:
        gone = ", ".join(facts.spec.missing[:3])
        more = f" and {len(facts.spec.missing) - 3} more" if len(facts.spec.missing) > 3 else ""
        problems.append(
            Finding(
                "CDI stale",
                f"{facts.spec.path} names {gone}{more}, which is not there: it describes another version of the driver",
                "run the role tars.home.nvidia once the driver answers; a file that nobody refreshes is best removed",
            )
        )
    return problems


def driver_finding(facts: Facts, minimum: int) -> Finding | None:
    """Return the problem of the cards or their driver, the first cause only; None without one."""
    if not facts.cards:
        return Finding(
            "no card",
            "no NVIDIA display controller (vendor 10de, class 03) is on the PCI bus",
            "check that the card sits in its slot and has power, and that the firmware's setup does not disable it",
        )
    needed = nvidia_cards.common(facts.cards, minimum)
    if facts.gpus:
        return _version_finding(facts, str(facts.gpus[0]["driver"]), needed)
    failure = nvidia_smi.failure(facts.smi or "")
    if failure == "lost" or "lost" in facts.log:
        return Finding(
            "card lost",
            f"the card does not answer on the bus any more (Xid 79); {nvidia_cards.described(facts.cards)}",
            "switch the machine off and on; if it happens again, check the card's power cables, heat, and firmware",
        )
    if failure == "mismatch" or (facts.loaded and "mismatch" in facts.log):
        return Finding(
            "version mismatch",
            f"driver {facts.loaded} is loaded, its libraries have another version: they were upgraded since",
            "reboot",
            reboot=True,
        )
    if facts.loaded is None:
        return _not_loaded(facts, needed)
    return _loaded_without_answer(facts, failure)


def _version_finding(facts: Facts, version: str, needed: nvidia_cards.Generation) -> Finding | None:
    """Return that a driver that answers is too old, if so."""
    number = branch(version)
    if number is not None and number >= needed.first:
        return None
    return Finding(
        "driver too old",
        f"driver {version} answers; Ollama needs {needed.first} or newer for {needed.name}",
        "run the role tars.home.nvidia; a driver that does not come from a package has to be removed first "
        "(nvidia-uninstall)",
    )


def _not_loaded(facts: Facts, needed: nvidia_cards.Generation) -> Finding:
    ours = any(not name.startswith(TOOLKIT) for name in facts.packages)
    holder = next((card.driver for card in facts.cards if card.driver not in (None, "nvidia")), None)
    if not ours and facts.smi is None:
        return Finding(
            "driver missing",
            f"NVIDIA's driver is not installed; {nvidia_cards.described(facts.cards)}",
            "run the role tars.home.nvidia, which installs it",
        )
    output = facts.modprobe.lower()
    if any(words in output for words in REFUSED) or "refused" in facts.log:
        return Finding(
            "signature refused",
            "the kernel does not trust the signature of NVIDIA's module"
            + (" (Secure Boot is on)" if facts.secure_boot else "")
            + (f": {facts.modprobe}" if facts.modprobe else ""),
            "mokutil --import the key that DKMS signs with (/var/lib/dkms/mok.pub, on Ubuntu "
            "/var/lib/shim-signed/mok/MOK.der), reboot, and choose Enroll MOK at the machine's own keyboard; or switch "
            "Secure Boot off in the firmware's setup",
        )
    if not facts.built:
        return _not_built(facts)
    if holder is not None:
        return Finding(
            f"{holder} holds the card",
            f"NVIDIA's driver is installed, but the card is bound to {holder}; {nvidia_cards.described(facts.cards)}",
            "reboot"
            if holder == "nouveau"
            else f"find out why {holder} is bound to the card (virtual machines?), and undo that",
            reboot=holder == "nouveau",
        )
    return Finding(
        "driver not loaded",
        f"the module is there and not loaded{': ' + facts.modprobe if facts.modprobe else ''}",
        "modprobe nvidia; journalctl --dmesg --grep=NVRM",
    )


def _not_built(facts: Facts) -> Finding:
    elsewhere = sorted({build.kernel for build in facts.builds if build.state == "installed" and build.kernel})
    if elsewhere and facts.kernel not in elsewhere:
        return Finding(
            "module not built",
            f"the driver has a module for {', '.join(elsewhere)}, and none for the kernel that runs, {facts.kernel}",
            f"reboot into {elsewhere[-1]}",
            reboot=True,
        )
    headers = "" if facts.headers else f", and its headers are missing (/lib/modules/{facts.kernel}/build)"
    return Finding(
        "module not built",
        f"no module of the driver is built for the kernel that runs, {facts.kernel}{headers}",
        f"apt-get install linux-headers-{facts.kernel}, then dkms autoinstall; where apt has no such package, upgrade "
        "the kernel and reboot. The output of DKMS: /var/lib/dkms/nvidia*/*/build/make.log",
    )


def _loaded_without_answer(facts: Facts, failure: str | None) -> Finding:
    if "needs open" in facts.log or "needs proprietary" in facts.log or "legacy" in facts.log:
        return Finding(
            "driver does not serve the card",
            f"driver {facts.loaded} is loaded and does not support {nvidia_cards.described(facts.cards)}",
            "remove nvidia_branch from the variables and run the role tars.home.nvidia, which chooses one that fits",
        )
    words = {"silent": "cannot communicate with it", "none": "finds no card"}.get(
        failure or "", facts.smi or "is not installed"
    )
    return Finding(
        "driver does not answer",
        f"driver {facts.loaded} is loaded, and nvidia-smi {words}; {nvidia_cards.described(facts.cards)}",
        "journalctl --dmesg --grep=NVRM; a reboot helps where the card hangs",
    )


def plain(finding: Finding) -> dict[str, str]:
    """Return a finding as plain data."""
    return {"name": finding.name, "found": finding.problem, "fix": finding.fix}
