#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: nvidia_driver
short_description: Have NVIDIA's driver hold the NVIDIA cards of a machine
description:
  - Looks for cards on the PCI bus. Without one nothing is done; O(required) makes that an error.
  - Takes a branch of the driver that apt offers and that serves the cards, keeps apt on it with a preference, keeps
    nouveau away from the cards, and loads the driver where nothing else holds them.
  - A driver that answers is kept, whoever installed it, unless it is below O(minimum).
  - The work with packages is the systemd unit C(tars-apt.service). It goes on if the connection breaks; the next run
    finds it.
  - Never reboots. Where only a reboot is missing, it says so in a warning and in RV(reboot_required).
attributes:
  check_mode:
    support: partial
    description: Reports what would be done.
    details:
      - What apt offers once a source is added is not foreseen.
  diff_mode:
    support: full
    description: Shows files and packages before and after.
  idempotent:
    support: full
    description: A second run changes nothing.
options:
  required:
    description: Whether a machine without a card, or with one that cannot be used for another reason than a missing
      reboot, is an error. Otherwise the latter is a warning.
    type: bool
    default: false
  branch:
    description: The branch to have, such as V(580). Not given, the one that is installed, the one that NVIDIA
      maintains longest, or the newest.
    type: int
  minimum:
    description: The lowest branch that will do. The generation of the cards may ask for more.
    type: int
    default: 550
  components:
    description: Components that the distribution's archives are to have, such as V(non-free). They are added in a file
      of this module's own.
    type: list
    elements: str
    default: []
  repositories:
    description: Flat repositories to have. One that is among apt's sources already is used as it is.
    type: list
    elements: dict
    default: []
    suboptions:
      name: {description: What to call it in the name of its key's file., type: str, required: true}
      uri: {description: Its address., type: str, required: true}
      key: {description: Where its key is fetched., type: str, required: true}
  packages:
    description: Further packages to have together with the driver.
    type: list
    elements: str
    default: [nvidia-container-toolkit]
author:
  - The T.A.R.S. authors (!UNKNOWN)
"""

EXAMPLES = r"""
---
- name: Use the NVIDIA card, if there is one
  tars.home.nvidia_driver:
    components: [contrib, non-free, non-free-firmware]
    repositories:
      - name: nvidia-container-toolkit
        uri: https://nvidia.github.io/libnvidia-container/stable/deb/amd64
        key: https://nvidia.github.io/libnvidia-container/gpgkey
  register: nvidia
"""

RETURN = r"""
cards:
  description: The NVIDIA cards on the PCI bus, each with C(slot), C(device) (its PCI number) and C(driver).
  returned: success
  type: list
  elements: dict
  sample: [{slot: "0000:01:00.0", device: "2484", driver: nvidia}]
generation:
  description: What the cards' chips belong to.
  returned: success
  type: str
  sample: Ampere
driver:
  description: The version of the driver that answers; empty while none does.
  returned: success
  type: str
  sample: 580.95.05
steps:
  description: What was, or in check mode would be, done.
  returned: success
  type: list
  elements: str
  sample: [install nvidia-driver, load nvidia]
reboot_required:
  description: Whether a reboot is all that is missing.
  returned: success
  type: bool
  sample: false
finding:
  description: Why the driver does not answer, with C(name), C(found) and C(fix); empty where it does.
  returned: success
  type: dict
  sample: {}
"""

import glob
import os
import shutil

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.urls import open_url
from ansible_collections.tars.home.plugins.module_utils.nvidia import apt_sources as nvidia_sources
from ansible_collections.tars.home.plugins.module_utils.nvidia import cards as nvidia_cards
from ansible_collections.tars.home.plugins.module_utils.nvidia import diagnosis as nvidia_findings
from ansible_collections.tars.home.plugins.module_utils.nvidia import driver as nvidia_machine
from ansible_collections.tars.home.plugins.module_utils.nvidia import offers as nvidia_offers
from ansible_collections.tars.home.plugins.module_utils.nvidia import plan as nvidia_plan
from ansible_collections.tars.home.plugins.module_utils.system import apt, jobs
from ansible_collections.tars.home.plugins.module_utils.system import files as file_set

FILES = (nvidia_sources.FILE, nvidia_plan.PIN_FILE, nvidia_plan.NOUVEAU_FILE)


class Machine:
    """The machine as this module sees and changes it."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.params = module.params
        self.run = module.run_command
        self.modprobe = ""

    def look(self) -> None:
        """Read everything anew."""
        self.facts = nvidia_machine.read(self.run, self.modprobe)
        self.needed = nvidia_cards.common(self.facts.cards, self.params["minimum"])
        rc, out, err = self.run(nvidia_sources.command())
        if rc != 0:
            self.module.fail_json(
                msg=f"apt cannot read its sources: {err.strip()}\nNext: set right what apt names, then run again. The "
                f"file of this module is {nvidia_sources.FILE}; it may be removed."
            )
        self.targets = nvidia_sources.parse(out)

    def now(self) -> nvidia_plan.Now:
        listed = [target for target in self.targets if nvidia_sources.ours(target)]
        keys = [repository.key for repository in self.repositories() if os.path.exists(repository.key)]
        return nvidia_plan.Now(
            files={**{path: _text(path) for path in FILES if os.path.exists(path)}, **dict.fromkeys(keys, "")},
            lists=all(glob.glob(f"{target.file}*") for target in listed),
            installed=self.installed,
            initrd=_initrd(self.facts.kernel),
            loaded=self.facts.loaded is not None,
            free=all(card.driver in (None, "nvidia") for card in self.facts.cards),
        )

    def repositories(self) -> list:
        return [
            nvidia_sources.Repository(item["name"], item["uri"], item["key"]) for item in self.params["repositories"]
        ]

    def wanted(self) -> nvidia_plan.Wanted:
        """What the machine is to have, as far as apt can tell by now."""
        further = self.run(nvidia_machine.package_query(self.params["packages"]))[1]
        self.installed = {**self.facts.packages, **nvidia_machine.parse_packages(further)}
        answers = bool(self.facts.gpus) and nvidia_findings.driver_finding(self.facts, self.params["minimum"]) is None
        by_package = any(not name.startswith(nvidia_machine.TOOLKIT) for name in self.facts.packages)
        number = nvidia_offers.branch(str(self.facts.gpus[0]["driver"])) if answers else None
        keep = answers and self.params["branch"] in (None, number)
        parts = ([] if keep else self.params["components"]), self.repositories()
        missing = [name for name in self.params["packages"] if name not in self.installed]
        if keep and not missing:
            parts = ([], [])
        sources = nvidia_sources.text(self.targets, *parts)
        keys = nvidia_sources.keys(self.targets, parts[1])
        if keep:
            # What answers is not exchanged, and our file stays as it is.
            sources = sources or _text(nvidia_sources.FILE)
            choice = nvidia_offers.Choice(number, "", ())
            return nvidia_plan.Wanted(sources, keys, choice, tuple(missing), adopted=not by_package)
        if nvidia_plan.plan(self.now(), nvidia_plan.Wanted(sources, keys)):
            return nvidia_plan.Wanted(sources, keys)
        return self.chosen(sources, keys)

    def chosen(self, sources: str, keys: dict) -> nvidia_plan.Wanted:
        """What to have of all that apt offers."""
        search = self.run(["apt-cache", "--names-only", "search", nvidia_offers.PATTERN])[1]
        names = nvidia_offers.parse_search(search)
        kernels = nvidia_machine.kernels(self.run(nvidia_machine.package_query(["linux-image-*"]))[1])
        headers = [f"linux-headers-{kernel}" for kernel in (self.facts.kernel, *kernels)]
        offers = nvidia_offers.parse_madison(self.run(["apt-cache", "madison", *names, *headers])[1])
        found = nvidia_offers.candidates(offers, kernels)
        choice = nvidia_offers.choose(found, self.needed, self.params["branch"], self.installed)
        if choice is None:
            self.refuse(found)
        others = list(self.params["packages"])
        if not any(name.startswith("linux-modules-") for name in choice.packages):
            # DKMS builds against the headers of the kernel that runs, and of those to come.
            others += [name for name in headers if name in offers]
        if os.path.isdir("/sys/firmware/efi"):
            others.append("mokutil")
        self.installed = nvidia_machine.parse_packages(
            self.run(nvidia_machine.package_query([*choice.packages, *others]))[1]
        )
        return nvidia_plan.Wanted(sources, keys, choice, tuple(others))

    def refuse(self, found: list) -> None:
        span = (
            f"{self.needed.first} or newer"
            if self.needed.last is None
            else f"{self.needed.first} to {self.needed.last}"
        )
        have = ", ".join(sorted({f"{one.branch} ({one.flavour})" for one in found})) or "none"
        wish = f", of which nvidia_branch wants {self.params['branch']}" if self.params["branch"] else ""
        self.module.fail_json(
            msg=f"{nvidia_cards.described(self.facts.cards)} needs a driver of branch {span}{wish}, in the flavour "
            f"{' or '.join(self.needed.flavours) or 'that no branch has any more'}; apt offers {have}. Next: take "
            "NVIDIA's own repository (nvidia_driver_source: nvidia), choose another branch, or set gpu: none."
        )

    def apply(self, step: nvidia_plan.Step) -> None:
        """Carry out one step. Long ones become a job; where that outlives this call, the call ends."""
        if step.kind == "fetch":
            self.fetch(step.subject, step.text)
        elif step.kind == "write":
            _write(step.subject, step.text.encode())
        elif step.kind == "remove":
            os.unlink(step.subject)
        elif step.kind == "refresh":
            self.job("tars-apt", nvidia_sources.refresh_command())
        elif step.kind == "install":
            self.job("tars-apt", apt.install_command(step.subject.split(), recommends=False))
        elif step.kind == "initramfs":
            if shutil.which("update-initramfs", path=nvidia_machine.PROGRAMS):
                self.job("tars-initramfs", ["update-initramfs", "-u", "-k", self.facts.kernel])
        elif step.kind == "load":
            rc, out, err = self.run(["modprobe", "nvidia"])
            self.modprobe = f"{out}{err}".strip() if rc else ""

    def fetch(self, path: str, url: str) -> None:
        try:
            key = open_url(url, timeout=30).read()
        except Exception as error:  # open_url raises what urllib, http.client and ssl raise
            self.module.fail_json(
                msg=f"The key {url} cannot be fetched: {error}. Next: see that the machine reaches it, then run again."
            )
        _write(path, key)

    def job(self, unit: str, command: list) -> None:
        job = jobs.Job(unit, tuple(command), apt.ENVIRONMENT)
        try:
            running = [job] if not jobs.begin(self.run, job) else jobs.attend(self.run, [job])
        except jobs.JobError as error:
            self.module.fail_json(msg=f"{error}\nNext: set right what it names, then run again.")
        if running:
            self.leave(pending=jobs.tail(job, 1) or [f"{unit} starts"], units=[unit])

    def leave(self, **more: object) -> None:
        """End the call."""
        self.module.exit_json(changed=self.changed, steps=self.steps, diff=self.diff, **more)


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def _write(path: str, content: bytes) -> None:
    file_set.write_file(path, content)


def _initrd(kernel: str) -> bool:
    """Whether the kernel's initial RAM disk was made after our file about nouveau, or there is none of the two."""
    try:
        return os.stat(f"/boot/initrd.img-{kernel}").st_mtime >= os.stat(nvidia_plan.NOUVEAU_FILE).st_mtime
    except FileNotFoundError:
        return True


def difference(now: nvidia_plan.Now, steps: list) -> list:
    """Before and after of the files and packages among the steps."""
    shown = []
    for step in steps:
        if step.kind in ("write", "remove"):
            shown.append(
                {
                    "before_header": step.subject,
                    "after_header": step.subject,
                    "before": now.files.get(step.subject, ""),
                    "after": step.text,
                }
            )
        elif step.kind == "install":
            shown.append({"before": "", "after": "".join(f"{name}\n" for name in step.subject.split())})
    return shown


def converge(machine: Machine) -> None:
    """Plan and carry out until nothing is left; what apt offers is known only once it has read its sources."""
    done: list = []
    while True:
        machine.look()
        wanted = machine.wanted()
        now = machine.now()
        steps = [step for step in nvidia_plan.plan(now, wanted) if step not in done]
        if wanted.choice is None and not machine.module.check_mode:
            # The last one only stands for what follows.
            steps = [step for step in steps if step.kind != "install"]
        machine.changed = machine.changed or any(step.kind != "load" for step in steps)
        machine.steps += [str(step) for step in steps]
        machine.diff += difference(now, steps)
        if machine.module.check_mode:
            machine.changed = bool(machine.steps)
            return
        for step in steps:
            machine.apply(step)
        done += steps
        if not steps or wanted.choice is not None:
            break
    before = machine.facts.loaded
    machine.look()
    machine.changed = machine.changed or machine.facts.loaded != before


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "required": {"type": "bool", "default": False},
            "branch": {"type": "int"},
            "minimum": {"type": "int", "default": 550},
            "components": {"type": "list", "elements": "str", "default": []},
            "repositories": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "name": {"type": "str", "required": True},
                    "uri": {"type": "str", "required": True},
                    "key": {"type": "str", "required": True, "no_log": False},
                },
            },
            "packages": {"type": "list", "elements": "str", "default": [nvidia_machine.TOOLKIT]},
        },
        supports_check_mode=True,
    )
    machine = Machine(module)
    machine.changed, machine.steps, machine.diff = False, [], []
    machine.look()
    if machine.facts.cards:
        converge(machine)
    facts = machine.facts
    finding = nvidia_findings.driver_finding(facts, module.params["minimum"])
    if finding and not (module.check_mode and facts.cards):
        text = f"{finding.name}: {finding.found}. Next: {finding.fix}"
        if module.params["required"] and not finding.reboot:
            module.fail_json(msg=text, finding=nvidia_findings.plain(finding))
        if facts.cards:
            again = ", then run this again" if finding.reboot else ""
            module.warn(f"The NVIDIA card is not used yet. {text}{again}. Until then the processor does the work.")
    machine.leave(
        cards=[{"slot": card.slot, "device": f"{card.device:04x}", "driver": card.driver} for card in facts.cards],
        generation=machine.needed.name,
        driver=str(facts.gpus[0]["driver"]) if facts.gpus else "",
        reboot_required=bool(finding and finding.reboot),
        finding=nvidia_findings.plain(finding) if finding else {},
    )


if __name__ == "__main__":
    main()
