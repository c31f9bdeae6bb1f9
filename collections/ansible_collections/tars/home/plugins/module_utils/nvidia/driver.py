# SPDX-License-Identifier: GPL-3.0-or-later
"""What a machine tells about its NVIDIA cards, their driver, and how containers reach them."""

from __future__ import annotations

import glob
import os
import re
import shutil
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple

from . import cards as nvidia_cards
from . import smi as nvidia_smi

LOADED = "/proc/driver/nvidia/version"
SPEC_FOLDERS = ("/etc/cdi", "/var/run/cdi")
"""Where Docker looks for descriptions of devices; the later wins (CDI specification)."""

KIND = "nvidia.com/gpu"
TOOLKIT = "nvidia-container-toolkit"
DRIVERS = ("nvidia-driver*", "nvidia-open*", "nvidia-kernel*-dkms", "cuda-drivers*", "linux-modules-nvidia-*")
PROGRAMS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

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
"""What the kernel's log says of the cards, in the words of NVRM (the driver) and of the kernel's module loader. A line
that only says that an unsigned module taints the kernel is not among them."""

Run = Callable[[List[str]], Tuple[int, str, str]]
"""Runs a command: arguments to (exit status, stdout, stderr). `AnsibleModule.run_command` is one."""


@dataclass(frozen=True)
class Build:
    """A kernel module that DKMS knows of, for one kernel; `kernel` is empty while it was built for none."""

    version: str
    kernel: str
    state: str


@dataclass(frozen=True)
class Spec:
    """A description of the cards for containers: its file, and what it names that is not on the machine."""

    path: str
    missing: Tuple[str, ...] = ()


@dataclass(frozen=True)
class Facts:
    """Everything that was seen. What only explains a driver that does not answer is read in that case alone.

    `packages` maps what is installed to versions, `loaded` is the version in the kernel, `gpus` what nvidia-smi lists,
    `smi` what it said instead (None: it is not there), `built` whether the kernel that runs has the module, `modprobe`
    what an attempt to load it said.
    """

    kernel: str
    cards: Tuple[nvidia_cards.Card, ...] = ()
    packages: Mapping[str, str] = field(default_factory=dict)
    loaded: Optional[str] = None
    gpus: Tuple[Dict[str, Any], ...] = ()
    smi: Optional[str] = None
    built: bool = True
    builds: Tuple[Build, ...] = ()
    headers: bool = True
    secure_boot: Optional[bool] = None
    log: Tuple[str, ...] = ()
    modprobe: str = ""
    spec: Optional[Spec] = None


def read(run: Run, modprobe: str = "") -> Facts:
    """Look at the machine. `modprobe` is what an attempt to load the driver said."""
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


def package_query(names: List[str]) -> List[str]:
    """Asks dpkg for the versions of packages, by name or pattern. Exits 1 for what it does not know."""
    return ["dpkg-query", "--show", "--showformat=${Package}\\t${db:Status-Status}\\t${Version}\\n", *names]


def parse_packages(answer: str) -> Dict[str, str]:
    """The installed packages of that answer, with their versions."""
    rows = [line.split("\t") for line in answer.splitlines()]
    return {fields[0]: fields[2] for fields in rows if len(fields) == 3 and fields[1] == "installed"}


def kernels(answer: str) -> List[str]:
    """The kernel's metapackages in that answer for linux-image-*: what follows, such as amd64 or generic-hwe-24.04."""
    names = [name[len("linux-image-") :] for name in parse_packages(answer)]
    return [name for name in names if not name[:1].isdigit() and not name.startswith("unsigned")]


def parse_loaded(text: str) -> Optional[str]:
    """The version in /proc/driver/nvidia/version, which both flavours write in words of their own."""
    found = re.search(r"Kernel Module(?: for \S+)?\s+(\d+\.\d[\d.]*)", text)
    return found.group(1) if found else None


def parse_dkms(text: str) -> List[Build]:
    """The builds of the NVIDIA driver in `dkms status`, as DKMS 2 and 3 write them."""
    builds = []
    for line in text.splitlines():
        names, _, state = line.partition(": ")
        fields = [field.strip() for field in names.replace("/", ", ", 1).split(",")]
        if re.fullmatch(r"nvidia(-current|-open|-current-open|-srv)?", fields[0]) and len(fields) >= 2 and state:
            builds.append(Build(fields[1], fields[2] if len(fields) > 2 else "", state.split(" ")[0]))
    return builds


def parse_secure_boot(text: str) -> Optional[bool]:
    """Whether modules need a signature, by `mokutil --sb-state`; None where it does not say."""
    if (
        "validation is disabled" in text
        or "SecureBoot disabled" in text
        or "not supported" in text
        or "doesn't" in text
    ):
        return False
    return True if "SecureBoot enabled" in text else None


def parse_log(text: str) -> Tuple[str, ...]:
    """Which conditions of LOG the kernel's log tells of. A sentence of NVRM's may take several lines."""
    flat = re.sub(r"\s+(?:NVRM:\s*)?", " ", re.sub(r"\n\s*NVRM:\s*", " ", text))
    return tuple(name for name, pattern in LOG if re.search(pattern, flat))


def find_spec() -> Optional[Spec]:
    """The description of the cards that Docker goes by, if there is one."""
    found = None
    for folder in SPEC_FOLDERS:
        for path in sorted(glob.glob(f"{folder}/*.yaml") + glob.glob(f"{folder}/*.json")):
            text = _text(path)
            if KIND in text:
                found = Spec(path, tuple(name for name in parse_spec(text) if not os.path.exists(name)))
    return found


def parse_spec(text: str) -> List[str]:
    """The files and devices of the machine that a description names, in YAML or JSON, each once."""
    found = re.findall(r"""(?:^|[\s{,"'-])(?:hostPath|path)["']?:\s*["']?(/[^\s"',}]+)""", text)
    return list(dict.fromkeys(found))
