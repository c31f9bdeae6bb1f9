# SPDX-License-Identifier: GPL-3.0-or-later
"""The facts of a machine about its NVIDIA cards, their driver, and their description for containers (CDI)."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..resource.converge import Probe
from ..system.jobs import Run
from ..system.probing import Part, combined, parts
from ..system.process import PROGRAMS
from . import cards as nvidia_cards
from . import smi as nvidia_smi

LOADED = "/proc/driver/nvidia/version"
SPEC_FOLDERS = ("/etc/cdi", "/var/run/cdi")
"""Where Docker looks for descriptions of devices; the later wins (CDI specification)."""

KIND = "nvidia.com/gpu"
TOOLKIT = "nvidia-container-toolkit"
DRIVERS = ("nvidia-driver*", "nvidia-open*", "nvidia-kernel*-dkms", "cuda-drivers*", "linux-modules-nvidia-*")

LOG = (
    ("lost", r"fallen off the bus|Xid \(PCI:[^)]*\): 79\b"),
    (
        "refused",
        r"Loading of (?:unsigned )?module (?:with unavailable key )?is rejected|unsigned module loading is restricted",
    ),
    ("owned", r"obtained ownership of the NVIDIA device"),
    ("needs open", r"requires use of the NVIDIA open kernel modules"),
    ("needs proprietary", r"not supported by open nvidia\.ko"),
    ("legacy", r"supported through the NVIDIA \S+ Legacy drivers"),
    ("mismatch", r"API mismatch"),
)
"""Conditions in the kernel's log, by the messages of NVRM (the driver) and of the kernel's module loader. A line that
only reports that an unsigned module taints the kernel is not among them."""

SMI_TIMEOUT_S = 15
"""Seconds that nvidia-smi may take. A card that hangs can keep it for minutes."""

_NO_ANSWER, _NOT_INSTALLED = 124, 127
"""Exit status of timeout(1) for a program that took too long, and for one that does not exist."""

_SMI_SCRIPT = f"PATH={PROGRAMS}; exec timeout {SMI_TIMEOUT_S} {shlex.join(nvidia_smi.command('nvidia-smi'))} 2>&1"
_NAMED = r"""(^|[[:space:]{,"'-])(hostPath|path)["']?:[[:space:]]*["']?/[^[:space:]"',}]+"""
"""Pattern of the files and devices that a description names, in YAML or JSON."""

_SPEC_SCRIPT = r"""
kind=$1 named=$2 LC_ALL=C; shift 2
for folder; do
    for file in "$folder"/*; do
        case $file in *.yaml | *.json) grep -qs "$kind" "$file" || continue ;; *) continue ;; esac
        printf '\035%s\n' "$file"
        grep -Eo "$named" "$file" | sed 's|^[^/]*||' | while read -r path; do
            [ -e "$path" ] || echo "$path"
        done
    done
done
"""
"""Prints each description of the cards below the folders, and the files that it names but that do not exist."""


@dataclass(frozen=True)
class Build:
    """A kernel module of DKMS for one kernel; `kernel` is empty before it was built for any."""

    version: str
    kernel: str
    state: str


@dataclass(frozen=True)
class Spec:
    """A description of the cards for containers: its file, and the files that it names but that do not exist."""

    path: str
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class Facts:
    """The facts. Those that only explain a driver that does not answer are read in that case only.

    `packages` maps installed packages to versions, `loaded` is the version in the kernel, `gpus` nvidia-smi's list,
    `smi` its output without a list (None: it is not installed), `built` whether the running kernel has the module,
    `modprobe` the output of an attempt to load it.
    """

    kernel: str
    cards: tuple[nvidia_cards.Card, ...] = ()
    packages: Mapping[str, str] = field(default_factory=dict)
    loaded: str | None = None
    gpus: tuple[dict[str, Any], ...] = ()
    smi: str | None = None
    built: bool = True
    builds: tuple[Build, ...] = ()
    headers: bool = True
    secure_boot: bool | None = None
    log: tuple[str, ...] = ()
    modprobe: str = ""
    spec: Spec | None = None


def commands() -> list[list[str]]:
    """Return the commands whose outputs `parse` reads. They read all that a driver that answers leaves to know."""
    return [
        ["uname", "-r"],
        nvidia_cards.command(),
        package_query([*DRIVERS, TOOLKIT]),
        ["sh", "-c", _SMI_SCRIPT],
        ["cat", LOADED],
        ["sh", "-c", _SPEC_SCRIPT, "sh", KIND, _NAMED, *SPEC_FOLDERS],
    ]


def parse(results: Sequence[Part]) -> Facts:
    """Return the facts by the results of `commands`, without those that explain a driver that does not answer."""
    kernel, cards, packages, smi, loaded, spec = results
    if not cards.output:
        return Facts(kernel.output.strip())
    gpus = tuple(nvidia_smi.gpus(smi.output)) if smi.status == 0 else ()
    failures = {_NOT_INSTALLED: None, _NO_ANSWER: f"did not answer within {SMI_TIMEOUT_S} s"}
    return Facts(
        kernel.output.strip(),
        nvidia_cards.parse(cards.output),
        parse_packages(packages.output),
        parse_loaded(loaded.output),
        gpus,
        smi=None if gpus else failures.get(smi.status, smi.output.strip()),
        spec=parse_spec(spec.output),
    )


def probe() -> Probe[Facts]:
    """Return the command that reads the facts where the driver answers, or where there is no card."""

    def known(status: int, output: str) -> Facts | None:
        facts = parse(parts(output)) if status == 0 else None
        return facts if facts and complete(facts) else None

    return Probe(combined(*commands()), known)


def complete(facts: Facts) -> bool:
    """Return whether nothing is left to read: there is no card, or the driver answers."""
    return not facts.cards or bool(facts.gpus)


def read(run: Run) -> Facts:
    """Read the facts."""
    return explained(run, parse(parts(run(combined(*commands()))[1])))


def explained(run: Run, facts: Facts, modprobe: str = "") -> Facts:
    """Return the facts with those that explain why the driver does not answer, if it does not.

    `modprobe` is the output of a failed attempt to load it.
    """
    if complete(facts):
        return facts
    kernel = facts.kernel
    return replace(
        facts,
        built=bool(re.search(r"/nvidia(-current)?\.ko", _text(f"/lib/modules/{kernel}/modules.dep"))),
        builds=tuple(parse_dkms(run(["dkms", "status"])[1])) if shutil.which("dkms", path=PROGRAMS) else (),
        headers=os.path.isdir(f"/lib/modules/{kernel}/build"),
        secure_boot=parse_secure_boot(run(["mokutil", "--sb-state"])[1])
        if shutil.which("mokutil", path=PROGRAMS)
        else None,
        log=parse_log(run(["journalctl", "--dmesg", "--boot", "--no-pager", "--output=cat"])[1]),
        modprobe=modprobe,
    )


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def package_query(names: Sequence[str]) -> list[str]:
    """Return the command that reads the versions of packages, by name or pattern. It exits with 1 for unknown names."""
    return ["dpkg-query", "--show", "--showformat=${Package}\\t${db:Status-Status}\\t${Version}\\n", *names]


def parse_packages(answer: str) -> dict[str, str]:
    """Return the installed packages in the output of `package_query`, with their versions."""
    rows = [line.split("\t") for line in answer.splitlines()]
    return {fields[0]: fields[2] for fields in rows if len(fields) == 3 and fields[1] == "installed"}


def kernels(answer: str) -> list[str]:
    """Return the suffixes of the kernel's metapackages in that output for linux-image-*: amd64, generic-hwe-24.04."""
    names = [name[len("linux-image-") :] for name in parse_packages(answer)]
    return [name for name in names if not name[:1].isdigit() and not name.startswith("unsigned")]


def parse_loaded(text: str) -> str | None:
    """Return the version in /proc/driver/nvidia/version, which each flavour writes in its own form."""
    match = re.search(r"Kernel Module(?: for \S+)?\s+(\d+\.\d[\d.]*)", text)
    return match.group(1) if match else None


def parse_dkms(text: str) -> list[Build]:
    """Return the builds of the NVIDIA driver in `dkms status` of DKMS 2 and 3."""
    builds = []
    for line in text.splitlines():
        names, _, state = line.partition(": ")
        fields = [field.strip() for field in names.replace("/", ", ", 1).split(",")]
        if re.fullmatch(r"nvidia(-current|-open|-current-open|-srv)?", fields[0]) and len(fields) >= 2 and state:
            builds.append(Build(fields[1], fields[2] if len(fields) > 2 else "", state.split(" ")[0]))
    return builds


def parse_secure_boot(text: str) -> bool | None:
    """Return whether modules need a signature, by `mokutil --sb-state`; None if its output is unknown."""
    if (
        "validation is disabled" in text
        or "SecureBoot disabled" in text
        or "not supported" in text
        or "doesn't" in text
    ):
        return False
    return True if "SecureBoot enabled" in text else None


def parse_log(text: str) -> tuple[str, ...]:
    """Return the conditions of LOG that are in the kernel's log. A sentence of NVRM may take several lines."""
    flat = re.sub(r"\s+(?:NVRM:\s*)?", " ", re.sub(r"\n\s*NVRM:\s*", " ", text))
    return tuple(name for name, pattern in LOG if re.search(pattern, flat))


def parse_spec(output: str) -> Spec | None:
    """Return the description of the cards that Docker uses, by the output of its script; None without one."""
    path, _, missing = output.rpartition("\x1d")[2].partition("\n")
    return Spec(path, tuple(dict.fromkeys(missing.splitlines()))) if path else None


def find_spec(run: Run, folders: Sequence[str] = SPEC_FOLDERS) -> Spec | None:
    """Return the description of the cards that Docker uses, if one exists."""
    return parse_spec(run(["sh", "-c", _SPEC_SCRIPT, "sh", KIND, _NAMED, *folders])[1])
