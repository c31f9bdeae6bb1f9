# SPDX-License-Identifier: GPL-3.0-or-later
"""The facts of a machine about its NVIDIA cards, their driver, and their description for containers (CDI)."""

from __future__ import annotations

import glob
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..system.jobs import Run
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


def read(run: Run, modprobe: str = "") -> Facts:
    """Read the facts. `modprobe` is the output of an attempt to load the driver."""
    cards = tuple(nvidia_cards.read())
    kernel = os.uname().release
    if not cards:
        return Facts(kernel)
    packages = parse_packages(run(package_query([*DRIVERS, TOOLKIT]))[1])
    program = shutil.which("nvidia-smi", path=PROGRAMS)
    rc, out, err = run(nvidia_smi.command(program)) if program else (0, "", "")
    gpus = tuple(nvidia_smi.gpus(out)) if rc == 0 else ()
    loaded = parse_loaded(_text(LOADED))
    spec = find_spec()
    if gpus:
        return Facts(kernel, cards, packages, loaded, gpus, spec=spec)
    return Facts(
        kernel,
        cards,
        packages,
        loaded,
        smi=f"{out}{err}".strip() if program else None,
        built=bool(re.search(r"/nvidia(-current)?\.ko", _text(f"/lib/modules/{kernel}/modules.dep"))),
        builds=tuple(parse_dkms(run(["dkms", "status"])[1])) if shutil.which("dkms", path=PROGRAMS) else (),
        headers=os.path.isdir(f"/lib/modules/{kernel}/build"),
        secure_boot=parse_secure_boot(run(["mokutil", "--sb-state"])[1])
        if shutil.which("mokutil", path=PROGRAMS)
        else None,
        log=parse_log(run(["journalctl", "--dmesg", "--boot", "--no-pager", "--output=cat"])[1]),
        modprobe=modprobe,
        spec=spec,
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


def find_spec() -> Spec | None:
    """Return the description of the cards that Docker uses, if one exists."""
    spec = None
    for folder in SPEC_FOLDERS:
        for path in sorted(glob.glob(f"{folder}/*.yaml") + glob.glob(f"{folder}/*.json")):
            text = _text(path)
            if KIND in text:
                spec = Spec(path, tuple(name for name in parse_spec(text) if not os.path.exists(name)))
    return spec


def parse_spec(text: str) -> list[str]:
    """Return the files and devices that a description names, in YAML or JSON, each once."""
    paths = re.findall(r"""(?:^|[\s{,"'-])(?:hostPath|path)["']?:\s*["']?(/[^\s"',}]+)""", text)
    return list(dict.fromkeys(paths))
