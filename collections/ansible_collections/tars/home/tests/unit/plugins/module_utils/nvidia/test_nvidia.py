# SPDX-License-Identifier: GPL-3.0-or-later
"""NVIDIA's cards, drivers and tools, by what they are known to say.

No machine with such a card was at hand: the texts have the shapes that public documentation and issue threads show.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.tars.home.plugins.module_utils.nvidia import apt_sources as nvidia_sources
from ansible_collections.tars.home.plugins.module_utils.nvidia import cards as nvidia_cards
from ansible_collections.tars.home.plugins.module_utils.nvidia import diagnosis as nvidia_findings
from ansible_collections.tars.home.plugins.module_utils.nvidia import facts as nvidia_facts
from ansible_collections.tars.home.plugins.module_utils.nvidia import offers as nvidia_offers
from ansible_collections.tars.home.plugins.module_utils.nvidia import smi as nvidia_smi
from ansible_collections.tars.home.plugins.module_utils.nvidia.cards import Card
from ansible_collections.tars.home.plugins.module_utils.nvidia.facts import Build, Facts, Spec
from ansible_collections.tars.home.plugins.module_utils.nvidia.offers import Choice
from ansible_collections.tars.home.plugins.module_utils.system.apt_sources import parse
from ansible_collections.tars.home.plugins.module_utils.system.probing import Part
from ansible_collections.tars.home.plugins.module_utils.system.process import attempt


@pytest.mark.parametrize(
    ("number", "name"),
    [
        # The numbers of pci.ids: GF110, GK104, GM107, GM204, GM204M, GP104, GV100, TU102, TU116, GA100, GA104, GA107,
        # GH100, AD102, AD107, GB202, GB203, GB100.
        (0x1080, "older than Maxwell"),
        (0x1180, "older than Maxwell"),
        (0x1380, "Maxwell or Pascal"),
        (0x13C2, "Maxwell or Pascal"),
        (0x1618, "Maxwell or Pascal"),
        (0x1B80, "Maxwell or Pascal"),
        (0x1DB4, "Volta"),
        (0x1E04, "Turing"),
        (0x2187, "Turing"),
        (0x20B1, "Ampere"),
        (0x2484, "Ampere"),
        (0x25A0, "Ampere"),
        (0x2331, "Hopper"),
        (0x2684, "Ada"),
        (0x28E0, "Ada"),
        (0x2B85, "Blackwell or newer"),
        (0x2C02, "Blackwell or newer"),
        (0x2901, "Blackwell or newer"),
    ],
)
def test_generation_of_a_chip(number: int, name: str) -> None:
    assert nvidia_cards.generation(number).name == name


def bus(folder: Path, slot: str, vendor: str, kind: str, device: str, driver: str = "") -> None:
    place = folder / slot
    place.mkdir()
    for name, text in (("vendor", vendor), ("class", kind), ("device", device)):
        (place / name).write_text(f"{text}\n")
    if driver:
        (place / "driver").symlink_to(f"../../../../bus/pci/drivers/{driver}")


def test_cards_are_display_controllers_of_nvidia(tmp_path: Path) -> None:
    bus(tmp_path, "0000:00:02.0", "0x8086", "0x030000", "0x4680", "i915")
    bus(tmp_path, "0000:01:00.0", "0x10de", "0x030000", "0x2484", "nouveau")
    bus(tmp_path, "0000:01:00.1", "0x10de", "0x040300", "0x228b", "snd_hda_intel")
    bus(tmp_path, "0000:02:00.0", "0x10de", "0x030200", "0x2331")
    bus(tmp_path, "0000:03:00.0", "0x10DE", "0x030000", "0x2684")
    assert cards(tmp_path) == (
        Card("0000:01:00.0", 0x2484, "nouveau"),
        Card("0000:02:00.0", 0x2331, None),
        Card("0000:03:00.0", 0x2684, None),
    )
    assert cards(tmp_path / "none") == ()


def cards(folder: Path) -> tuple[Card, ...]:
    return nvidia_cards.parse(attempt(nvidia_cards.command(str(folder))).output)


def test_cards_of_two_generations_need_what_serves_both() -> None:
    both = nvidia_cards.common([Card("a", 0x1B80), Card("b", 0x2484)], 550)
    assert (both.first, both.last, both.flavours) == (570, 580, ("proprietary",))
    assert nvidia_cards.common([Card("a", 0x1B80), Card("b", 0x2B85)], 550).flavours == ()
    assert nvidia_cards.common([Card("b", 0x2484)], 590).first == 590


def test_nvidia_smi_lists_cards() -> None:
    csv = "NVIDIA GeForce RTX 3060, 550.163.01, 170.00, 12288\nNVIDIA T1000, 550.163.01, [N/A], 4096\n"
    assert nvidia_smi.gpus(csv) == [
        {"name": "NVIDIA GeForce RTX 3060", "driver": "550.163.01", "power_limit_w": 170.0, "memory_mib": 12288.0},
        {"name": "NVIDIA T1000", "driver": "550.163.01", "power_limit_w": None, "memory_mib": 4096.0},
    ]


@pytest.mark.parametrize(
    ("output", "name"),
    [
        ("Failed to initialize NVML: Driver/library version mismatch\nNVML library version: 570.124\n", "mismatch"),
        ("Failed to initialize NVML: Driver/Library version mismatch\n", "mismatch"),
        (
            "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that the latest "
            "NVIDIA driver is installed and running.\n\n",
            "silent",
        ),
        (
            "Unable to determine the device handle for GPU 0000:02:00.0: GPU is lost.  Reboot the system to recover "
            "this GPU\n",
            "lost",
        ),
        ("Unable to determine the device handle for GPU 000:BA:80.0: Unknown Error\n", "lost"),
        ("No devices were found\n", "none"),
        ("GPU 0: NVIDIA GeForce RTX 3070 (UUID: GPU-1)\n", None),
    ],
)
def test_nvidia_smi_fails_by_name(output: str, name: str | None) -> None:
    assert nvidia_smi.failure(output) == name
    assert nvidia_smi.gpus(output) == []


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.90.07  Fri May 31 09:35:42 UTC 2024\nGCC …", "550.90.07"),
        (
            "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.158.01  Release Build  (dvs-builder@U22)  "
            "Mon Jun  2 13:13:04 UTC 2025\n",
            "570.158.01",
        ),
        ("", None),
    ],
)
def test_loaded_version(text: str, version: str | None) -> None:
    assert nvidia_facts.parse_loaded(text) == version


def test_dkms_status() -> None:
    text = (
        "nvidia/535.86.05, 6.5.0-060500rc5-generic, x86_64: installed\n"
        "nvidia-current/550.163.01, 6.12.48+deb13-amd64, x86_64: installed (WARNING! Diff between built and installed "
        "module!)\n"
        "nvidia, 396.45, 4.17.11-200.fc28.x86_64, x86_64: installed (original_module exists)\n"
        "nvidia/470.256.02: added\n"
        "i915-sriov-dkms/2025.03.26, 6.11.11-2-pve, x86_64: installed\n"
        "Error! Could not locate dkms.conf file.\n"
    )
    assert nvidia_facts.parse_dkms(text) == [
        Build("535.86.05", "6.5.0-060500rc5-generic", "installed"),
        Build("550.163.01", "6.12.48+deb13-amd64", "installed"),
        Build("396.45", "4.17.11-200.fc28.x86_64", "installed"),
        Build("470.256.02", "", "added"),
    ]


@pytest.mark.parametrize(
    ("text", "on"),
    [
        ("SecureBoot enabled\n", True),
        ("SecureBoot disabled\n", False),
        ("SecureBoot disabled\nPlatform is in Setup Mode\n", False),
        ("SecureBoot enabled\nSecureBoot validation is disabled in shim\n", False),
        ("EFI variables are not supported on this system\n", False),
        ("This system doesn't support Secure Boot\n", False),
        ("Failed to read SecureBoot\n", None),
    ],
)
def test_secure_boot(text: str, on: bool | None) -> None:
    assert nvidia_facts.parse_secure_boot(text) is on


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("NVRM: Xid (PCI:0000:01:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus.", ("lost",)),
        ("NVRM: Xid (PCI:0000:01:00): 13, Graphics Exception: ESR 0x404490=0x80000001", ()),
        (
            "NVRM: The NVIDIA GPU 0000:b3:00.0\n               NVRM: (PCI ID: 10de:26b5) installed in this system has\n"
            "               NVRM: fallen off the bus and is not responding to commands.",
            ("lost",),
        ),
        (
            "NVRM: The NVIDIA probe routine was not called for 1 device(s).\nNVRM: This can occur when another driver "
            "was loaded and \nNVRM: obtained ownership of the NVIDIA device(s).",
            ("owned",),
        ),
        ("Loading of unsigned module is rejected", ("refused",)),
        ("Loading of module with unavailable key is rejected", ("refused",)),
        ("Lockdown: modprobe: unsigned module loading is restricted; see man kernel_lockdown.7", ("refused",)),
        ("nvidia: module verification failed: signature and/or required key missing - tainting kernel", ()),
        (
            "NVRM: API mismatch: the client has the version 550.163.01, but\nNVRM: this kernel module has the version "
            "550.144.03.  Please",
            ("mismatch",),
        ),
        (
            "NVRM: The NVIDIA GPU 0000:af:00.0 (PCI ID: 10de:1db5)\n               NVRM: installed in this system is "
            "not supported by open\n               NVRM: nvidia.ko because it does not include the required GPU",
            ("needs proprietary",),
        ),
    ],
)
def test_kernel_log(text: str, names: tuple[str, ...]) -> None:
    assert nvidia_facts.parse_log(f"usb 1-1: new device\n{text}\n") == names


SPEC = """\
---
cdiVersion: 0.5.0
containerEdits:
  deviceNodes:
  - path: /dev/nvidia-uvm
  hooks:
  - args: [nvidia-cdi-hook, update-ldcache, --folder, /usr/lib/x86_64-linux-gnu]
    hookName: createContainer
    path: /usr/bin/nvidia-cdi-hook
  mounts:
  - containerPath: /usr/bin/nvidia-smi
    hostPath: /usr/lib/nvidia/current/nvidia-smi
    options: [ro, nosuid, nodev, bind]
devices:
- containerEdits:
    deviceNodes:
    - hostPath: /dev/nvidia0
      path: /dev/nvidia0
  name: all
kind: nvidia.com/gpu
"""


def spec(*folders: Path) -> Spec | None:
    return nvidia_facts.find_spec(attempt, [str(folder) for folder in folders])


def test_a_description_names_what_the_machine_must_have(tmp_path: Path) -> None:
    first, later = tmp_path / "etc", tmp_path / "run"
    first.mkdir()
    later.mkdir()
    assert spec(first, later, tmp_path / "none") is None
    path = first / "nvidia.yaml"
    path.write_text(SPEC)
    names = ("/dev/nvidia-uvm", "/usr/bin/nvidia-cdi-hook", "/usr/lib/nvidia/current/nvidia-smi", "/dev/nvidia0")
    assert spec(first, later) == Spec(str(path), names)
    path.write_text(SPEC.replace("/dev/nvidia-uvm", "/dev/null").replace("/dev/nvidia0", "/dev/zero"))
    assert spec(first, later) == Spec(str(path), names[1:3])
    # The later folder wins, and files about other devices count for nothing.
    other = later / "cards.json"
    other.write_text(
        '{"kind":"nvidia.com/gpu","mounts":[{"hostPath":"/no/a","containerPath":"/b"}],"x":{"path": "/no/c"}}'
    )
    (later / "other.yaml").write_text("kind: amd.com/gpu\n")
    (later / "readme").write_text("nvidia.com/gpu\n")
    assert spec(first, later) == Spec(str(other), ("/no/a", "/no/c"))


def test_the_probe_reads_this_machine_as_the_module_does() -> None:
    probe, seen = nvidia_facts.probe(), nvidia_facts.read(attempt)
    done = attempt(probe.command)
    assert seen.kernel == os.uname().release
    assert probe.parse(done.status, done.output) == (seen if nvidia_facts.complete(seen) else None)


def results(smi: Part, cards: str = "0x030000 0x2484 0000:01:00.0 nvidia\n") -> list[Part]:
    packages = "nvidia-driver\tinstalled\t580.95.05-1\n"
    return [Part(0, "6.12\n"), Part(0, cards), Part(1, packages), smi, Part(1, ""), Part(0, "")]


@pytest.mark.parametrize(
    ("smi", "text", "complete"),
    [
        (Part(0, "NVIDIA GeForce RTX 3070, 580.95.05, 220.00, 8192\n"), None, True),
        (Part(9, "NVIDIA-SMI has failed\n"), "NVIDIA-SMI has failed", False),
        (Part(127, "timeout: failed to run command\n"), None, False),
        (Part(124, ""), "did not answer within 15 s", False),
    ],
    ids=["answers", "fails", "not installed", "hangs"],
)
def test_one_command_reads_what_a_driver_that_answers_leaves_to_know(
    smi: Part, text: str | None, complete: bool
) -> None:
    seen = nvidia_facts.parse(results(smi))
    assert (seen.smi, nvidia_facts.complete(seen), bool(seen.gpus)) == (text, complete, complete)
    assert seen.packages == {"nvidia-driver": "580.95.05-1"}


def test_kernels_that_are_to_have_modules() -> None:
    answer = (
        "linux-image-6.12.48+deb13-amd64\tinstalled\t6.12.48-1\nlinux-image-amd64\tinstalled\t6.12.48-1\n"
        "linux-image-generic-hwe-24.04\tinstalled\t6.17\nlinux-image-unsigned-6.17.0-1\tinstalled\t6.17\n"
        "linux-image-rt-amd64\tconfig-files\t6.12\n"
    )
    assert nvidia_facts.kernels(answer) == ["amd64", "generic-hwe-24.04"]


AMPERE, PASCAL, VOLTA, BLACKWELL = (
    nvidia_cards.common([Card("0000:01:00.0", number)], 550) for number in (0x2484, 0x1B80, 0x1DB4, 0x2B85)
)
DEBIAN13 = {
    "nvidia-driver": ["550.163.01-2"],
    "nvidia-open-kernel-dkms": ["550.163.01-2"],
}
NVIDIAS = {
    "nvidia-driver": ["615.71.09-1", "580.95.05-1"],
    "nvidia-open": ["615.71.09-1", "580.95.05-1"],
    "cuda-drivers": ["615.71.09-1", "580.95.05-1"],
}
UBUNTU = {
    "nvidia-driver-535-server": ["535.274.02-0ubuntu0.24.04.2"],
    "nvidia-driver-580": ["580.95.05-0ubuntu0.24.04.2"],
    "nvidia-driver-580-server": ["580.95.05-0ubuntu0.24.04.2"],
    "nvidia-driver-580-server-open": ["580.95.05-0ubuntu0.24.04.2"],
    "nvidia-driver-610-server-open": ["610.57.04-0ubuntu0.24.04.1"],
    "linux-modules-nvidia-580-server-open-generic": ["6.8.0-90.91"],
    "linux-modules-nvidia-580-server-generic": ["6.8.0-90.91"],
}
DEBIANS = ("nvidia-driver", "nvidia-kernel-dkms", "nvidia-smi", "libcuda1", "nvidia-persistenced")
SIGNED = ("nvidia-driver-580-server-open", "linux-modules-nvidia-580-server-open-generic")


@pytest.mark.parametrize(
    ("offers", "needed", "branch", "installed", "wanted"),
    [
        (DEBIAN13, AMPERE, None, {}, Choice(550, "proprietary", DEBIANS)),
        (DEBIAN13, VOLTA, None, {}, Choice(550, "proprietary", DEBIANS)),
        # Debian's branch is below what Ollama asks for these.
        (DEBIAN13, PASCAL, None, {}, None),
        (DEBIAN13, BLACKWELL, None, {}, None),
        (DEBIAN13, AMPERE, 580, {}, None),
        (NVIDIAS, AMPERE, None, {}, Choice(580, "open", ("nvidia-open",))),
        (NVIDIAS, PASCAL, None, {}, Choice(580, "proprietary", ("cuda-drivers",))),
        (NVIDIAS, BLACKWELL, None, {}, Choice(580, "open", ("nvidia-open",))),
        (NVIDIAS, AMPERE, 615, {}, Choice(615, "open", ("nvidia-open",))),
        (NVIDIAS, PASCAL, 615, {}, None),
        # What is installed stays, also when it is not what would be taken today.
        (NVIDIAS, AMPERE, None, {"nvidia-open": "615.71.09-1"}, Choice(615, "open", ("nvidia-open",))),
        (UBUNTU, AMPERE, None, {}, Choice(580, "open", SIGNED)),
        (UBUNTU, PASCAL, None, {}, Choice(580, "proprietary", tuple(name.replace("-open", "") for name in SIGNED))),
        (
            UBUNTU,
            AMPERE,
            None,
            {"nvidia-driver-535-server": "535.274.02-0ubuntu0.24.04.2"},
            Choice(580, "open", SIGNED),
        ),
        (
            {**UBUNTU, **NVIDIAS},
            AMPERE,
            None,
            dict.fromkeys(SIGNED, "580.95.05-0ubuntu0.24.04.2"),
            Choice(580, "open", SIGNED),
        ),
    ],
)
def test_choice_of_a_driver(offers: Any, needed: Any, branch: Any, installed: Any, wanted: Choice | None) -> None:
    choices = nvidia_offers.candidates(offers, ["generic"])
    assert nvidia_offers.choose(choices, needed, branch, installed) == wanted


def test_apt_answers() -> None:
    search = "nvidia-driver - NVIDIA metapackage\nnvidia-driver-565 - Transitional package for nvidia-driver-580\n"
    assert nvidia_offers.parse_search(search) == ["nvidia-driver"]
    madison = (
        "nvidia-driver | 550.163.01-2 | http://mirror.example/debian trixie/non-free amd64 Packages\n"
        "nvidia-driver | 550.163.01-2 | http://mirror.example/debian trixie/non-free Sources\n"
        "   nvidia-smi | 550.163.01-2 | http://mirror.example/debian trixie/non-free amd64 Packages\n"
    )
    assert nvidia_offers.parse_madison(madison) == {"nvidia-driver": ["550.163.01-2"], "nvidia-smi": ["550.163.01-2"]}
    assert [nvidia_offers.branch(version) for version in ("3:580.95.05-1", "1.20.0-1", "6.8.0-90.91", "")] == [
        580,
        None,
        None,
        None,
    ]


def targets(*rows: str) -> list[nvidia_sources.Target]:
    return nvidia_sources.parse("".join(f"{row}\n" for row in rows))


ARCHIVE = "/etc/apt/sources.list:1\thttp://mirror.example/debian/\ttrixie\tmain\tDebian\t/var/lib/a\t$(SIGNED_BY)"
TOOLKIT = nvidia_sources.Repository("toolkit", "https://nvidia.example/deb/amd64/", "https://nvidia.example/gpgkey")


def test_missing_components_and_repositories_go_into_one_file() -> None:
    text = nvidia_sources.text(targets(ARCHIVE), [], ["contrib", "non-free"], [TOOLKIT])
    assert "URIs: http://mirror.example/debian/\nSuites: trixie\nComponents: contrib non-free\n" in text
    assert "URIs: https://nvidia.example/deb/amd64/\nSuites: /\nSigned-By: /etc/apt/keyrings/tars-toolkit.asc\n" in text
    row = ARCHIVE.replace("main", "non-free").split("\t", 1)[1]
    own = f"{nvidia_sources.FILE}:2\t{row}"
    # The content of the own file does not make it superfluous.
    sources = parse(nvidia_sources.FILE, text)
    assert len(sources) == 2
    assert nvidia_sources.text(targets(ARCHIVE, own), sources, ["contrib", "non-free"], [TOOLKIT]) == text


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/etc/apt/sources.list.d/x.list", "deb [signed-by=/usr/share/k.gpg] https://nvidia.example/deb/amd64 /\n"),
        ("/etc/apt/sources.list.d/x.list", "deb http://nvidia.example/deb/amd64/ /\n"),
        ("/etc/apt/sources.list", "deb http://deb.example trixie main\ndeb https://NVIDIA.example:443/deb/amd64 ./\n"),
        ("/etc/apt/sources.list.d/x.sources", "Types: deb\nURIs: https://nvidia.example/deb/amd64\nSuites: /\n"),
    ],
    ids=["one line", "http", "sources.list", "deb822"],
)
def test_entries_of_the_owner_are_used_as_they_are(path: str, text: str) -> None:
    """Also before apt has downloaded their lists: then apt does not list them as targets."""
    archive = targets(ARCHIVE.replace("main", "non-free"))
    assert nvidia_sources.text(archive, parse(path, text), ["non-free"], [TOOLKIT]) == ""
    assert nvidia_sources.keys(parse(path, text), [TOOLKIT]) == {}


@pytest.mark.parametrize(
    "text", ["# deb https://nvidia.example/deb/amd64 /\n", "deb-src https://nvidia.example/deb/amd64 /\n"]
)
def test_a_disabled_entry_is_not_an_entry(text: str) -> None:
    sources = parse("/etc/apt/sources.list.d/x.list", text)
    assert nvidia_sources.keys(sources, [TOOLKIT]) == {TOOLKIT.key: TOOLKIT.key_url}


def test_another_archive_gets_no_components() -> None:
    assert nvidia_sources.text(targets(ARCHIVE.replace("Debian", "another")), [], ["non-free"], []) == ""


CARD = Card("0000:01:00.0", 0x2484, "nvidia")
GPU = {"name": "NVIDIA GeForce RTX 3070", "driver": "580.95.05", "power_limit_w": 220.0, "memory_mib": 8192.0}
HAVE = {"nvidia-driver": "580.95.05-1", "nvidia-container-toolkit": "1.20.0-1"}
SILENT = "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver."


def facts(**more: Any) -> Facts:
    base: dict[str, Any] = {"kernel": "6.12.48+deb13-amd64", "cards": (CARD,), "packages": HAVE}
    return Facts(**{**base, **more})


GOOD = {"loaded": "580.95.05", "gpus": (GPU,), "spec": Spec("/var/run/cdi/nvidia.yaml")}
FREE = Card("0000:01:00.0", 0x2484, None)


@pytest.mark.parametrize(
    ("seen", "names", "reboot"),
    [
        (facts(**GOOD), [], False),
        (Facts("6.12"), ["no card"], False),
        (facts(cards=(FREE,), packages={}), ["driver missing", "toolkit missing"], False),
        (facts(cards=(Card("0000:01:00.0", 0x2484, "nouveau"),), smi=SILENT), ["nouveau holds the card"], True),
        (facts(cards=(Card("0000:01:00.0", 0x2484, "vfio-pci"),), smi=SILENT), ["vfio-pci holds the card"], False),
        (
            facts(cards=(FREE,), smi=SILENT, secure_boot=True, modprobe="ERROR: Key was rejected by service"),
            ["signature refused"],
            False,
        ),
        (facts(cards=(FREE,), smi=SILENT, log=("refused",)), ["signature refused"], False),
        (facts(cards=(FREE,), smi=SILENT, built=False, headers=False), ["module not built"], False),
        (
            facts(
                cards=(FREE,), smi=SILENT, built=False, builds=(Build("580.95.05", "6.12.57+deb13-amd64", "installed"),)
            ),
            ["module not built"],
            True,
        ),
        (
            facts(loaded="580.82.07", smi="Failed to initialize NVML: Driver/library version mismatch"),
            ["version mismatch"],
            True,
        ),
        (facts(loaded="580.95.05", smi="No devices were found", log=("lost",)), ["card lost"], False),
        (facts(loaded="580.95.05", smi="No devices were found"), ["driver does not answer"], False),
        (facts(loaded="580.95.05", smi=SILENT, log=("needs open",)), ["driver does not serve the card"], False),
        (facts(cards=(FREE,), smi=SILENT), ["driver not loaded"], False),
        (facts(**{**GOOD, "gpus": ({**GPU, "driver": "535.274.02"},)}), ["driver too old"], False),
        (facts(**{**GOOD, "packages": {"nvidia-driver": "580.95.05-1"}}), ["toolkit missing"], False),
        (facts(**{**GOOD, "spec": None}), ["CDI missing"], False),
        (facts(**{**GOOD, "spec": Spec("/etc/cdi/nvidia.yaml", ("/usr/lib/libcuda.so.550",))}), ["CDI stale"], False),
    ],
)
def test_findings(seen: Facts, names: list[str], reboot: bool) -> None:
    findings = nvidia_findings.findings(seen, 550)
    assert [finding.name for finding in findings] == names
    assert any(finding.reboot for finding in findings) is reboot
    assert all(finding.problem and finding.fix for finding in findings)


def test_an_old_card_needs_more_than_ollamas_floor() -> None:
    seen = facts(
        **{**GOOD, "cards": (Card("0000:01:00.0", 0x1B80, "nvidia"),), "gpus": ({**GPU, "driver": "550.163.01"},)}
    )
    assert "570 or newer" in nvidia_findings.findings(seen, 550)[0].problem
