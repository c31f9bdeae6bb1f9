# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-ins for an NVIDIA card, its driver and the container toolkit, which the lab's computer does not have.

The card is a folder mounted over /sys/bus/pci/devices, with a boot script that does what the kernel does. The packages
contain programs with the output and the errors of the originals (the error texts are from public issue threads). The
version and the description of every package name it a stand-in. apt, dpkg, modprobe, systemd and Docker with its device
injection by CDI are real.
"""

from pathlib import Path

from tars_lab.apt_repository import Package
from tars_lab.commands import LabError
from tars_lab.layout import Lab, Machine
from tars_lab.machine import execute

_FILES = Path(__file__).parent / "files"
_PLACE = "usr/local/lib/tars-lab-card"
_LIBRARIES = "usr/lib/x86_64-linux-gnu"
_CARD_UNIT = f"""\
[Unit]
Description=Stand-in for an NVIDIA card
DefaultDependencies=no
After=local-fs.target
Before=sysinit.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/{_PLACE}/power-on

[Install]
WantedBy=sysinit.target
"""
_REFRESH_SERVICE = """\
[Unit]
Description=Refresh NVIDIA CDI specification file (stand-in)
ConditionPathExists=/usr/bin/nvidia-smi
ConditionPathExists=/usr/bin/nvidia-ctk

[Service]
Type=oneshot
RemainAfterExit=yes
Environment=NVIDIA_CTK_CDI_OUTPUT_FILE_PATH=/var/run/cdi/nvidia.yaml
ExecCondition=/usr/bin/grep -qE '/(nvidia|nvidia-current)\\.ko' /lib/modules/%v/modules.dep
ExecStart=/usr/bin/nvidia-ctk cdi generate

[Install]
WantedBy=multi-user.target
"""
_REFRESH_PATH = """\
[Unit]
Description=Trigger CDI refresh on NVIDIA driver install / upgrade events (stand-in)

[Path]
PathChanged=/lib/modules/%v/modules.dep

[Install]
WantedBy=multi-user.target
"""
_ENABLE = """\
#!/bin/sh
set -e
systemctl daemon-reload
for kind in path service; do
  # Without a driver the unit fails, but the package is installed nevertheless.
  systemctl enable --now "nvidia-cdi-refresh.$kind" || echo "nvidia-cdi-refresh.$kind could not be started yet" >&2
done
"""


def plug(lab: Lab, machine: Machine) -> None:
    """Add the card to a running machine, at once and at every boot. Raises LabError."""
    rootfs = lab.rootfs(machine.name)
    for name, place in (("power-on", _PLACE), ("update-initramfs", "usr/sbin")):
        target = rootfs / place / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(_text(name))
        target.chmod(0o755)
    (rootfs / "etc/systemd/system/tars-lab-card.service").write_text(_CARD_UNIT)
    script = "systemctl daemon-reload && systemctl enable --now tars-lab-card.service && update-initramfs -u"
    done = execute(lab, machine, ["sh", "-c", script])
    if done.returncode:
        raise LabError(f"machine {machine.name}: the stand-in of the card cannot be added: {done.stderr.strip()}")


def driver(version: str, kernel: str) -> list[Package]:
    """Return stand-ins for Debian's packages of a driver version such as 550.163.01, and for the kernel headers."""
    packaged = f"{version}-1+standin"
    same = {"Depends": f"nvidia-kernel-dkms (= {packaged}), libnvidia-ml1 (= {packaged})"}
    build = {"postinst": "#!/bin/sh\nset -e\n/usr/lib/nvidia-standin/build\n"}
    module = {
        "usr/lib/nvidia-standin/load": _text("load").replace("@VERSION@", version),
        "usr/lib/nvidia-standin/build": _text("build"),
        # kmod runs this command instead of loading a module, which the lab cannot do.
        "usr/lib/modprobe.d/nvidia-standin.conf": "install nvidia /usr/lib/nvidia-standin/load\n",
    }
    headers = {f"lib/modules/{kernel}/build/Makefile": "# no headers: a stand-in\n"}
    rebuild = {
        "postinst": "#!/bin/sh\nset -e\n[ ! -x /usr/lib/nvidia-standin/build ] || /usr/lib/nvidia-standin/build\n"
    }
    return [
        Package("nvidia-driver", packaged, fields=same),
        Package("nvidia-kernel-dkms", packaged, module, {"Depends": "kmod"}, build),
        Package("nvidia-smi", packaged, {"usr/bin/nvidia-smi": _text("nvidia-smi")}, {"Depends": "libnvidia-ml1"}),
        Package("libnvidia-ml1", packaged, {f"{_LIBRARIES}/libnvidia-ml.so.{version}": "stand-in\n"}),
        Package("libcuda1", packaged, {f"{_LIBRARIES}/libcuda.so.{version}": "stand-in\n"}),
        Package("nvidia-persistenced", packaged),
        Package(f"linux-headers-{kernel}", "1+standin", headers, {}, rebuild),
    ]


def toolkit(version: str) -> list[Package]:
    """Return stand-ins for the container toolkit; from 1.18 on with the units that update the CDI specification."""
    files = {"usr/bin/nvidia-ctk": _text("nvidia-ctk")}
    scripts = {}
    if tuple(int(number) for number in version.split(".")) >= (1, 18):
        files["usr/lib/systemd/system/nvidia-cdi-refresh.service"] = _REFRESH_SERVICE
        files["usr/lib/systemd/system/nvidia-cdi-refresh.path"] = _REFRESH_PATH
        scripts["postinst"] = _ENABLE
    packaged = f"{version}-1+standin"
    return [
        Package("nvidia-container-toolkit-base", packaged, files, {}, scripts),
        Package(
            "nvidia-container-toolkit",
            packaged,
            fields={"Depends": f"nvidia-container-toolkit-base (= {packaged})"},
        ),
    ]


def _text(name: str) -> str:
    return (_FILES / name).read_text()
