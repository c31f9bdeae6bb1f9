#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: image_digests
short_description: Pull container images once and hold them to the digest met then
description:
  - Pulls the images that are missing or not recorded, and compares each with its recorded digest. A tag that was moved
    fails.
  - Digests that are not recorded yet are written to O(record) on the controller.
  - Each pull is a systemd unit C(tars-pull-IMAGE.service). It goes on if the connection breaks; the next run finds it.
attributes:
  check_mode:
    support: full
    description: Reports which images would be pulled.
  diff_mode:
    support: full
    description: Shows the images with their digests before and after.
  idempotent:
    support: full
    description: A second run changes nothing and asks no registry.
options:
  images:
    description: Images by name and exact version, such as V(postgres:17.6).
    type: list
    elements: str
    required: true
  record:
    description: YAML file on the controller with the digest of each image. Is created.
    type: path
    required: true
  recorded:
    description: What O(record) holds. Filled in by the action plugin.
    type: dict
    default: {}
  room:
    description: Free space that has to be there, in every run, before anything is pulled or recorded.
    type: dict
    suboptions:
      places:
        description: Folders whose file systems need it. One that is not there yet will lie where the next one above
          it does.
        type: list
        elements: path
        required: true
      mib: {description: Free space of each in MiB., type: int, required: true}
author:
  - The T.A.R.S. authors (!UNKNOWN)
"""

EXAMPLES = r"""
---
- name: Pull the images
  tars.home.image_digests:
    images: ["postgres:17.6", "redis:8.0.2"]
    record: "{{ inventory_dir }}/recorded/images.yml"
    room: {places: [/var/lib/docker], mib: 4096}
"""

RETURN = r"""
digests:
  description: The digest of each image that is on the machine.
  returned: success
  type: dict
  sample: {"postgres:17.6": "sha256:00bc86618629af00d2937fdc5a5d63db3ff8450acf52f0636ec813c7f4902929"}
pinned:
  description: Each image's name for use in a compose file, with the digest where it is known.
  returned: success
  type: dict
  sample: {"postgres:17.6": "postgres:17.6@sha256:00bc86618629af00d2937fdc5a5d63db3ff8450acf52f0636ec813c7f4902929"}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tars.home.plugins.module_utils.docker import images
from ansible_collections.tars.home.plugins.module_utils.system import jobs

ARGUMENTS = {
    "images": {"type": "list", "elements": "str", "required": True},
    "record": {"type": "path", "required": True},
    "recorded": {"type": "dict", "default": {}},
    "room": {
        "type": "dict",
        "options": {
            "places": {"type": "list", "elements": "path", "required": True},
            "mib": {"type": "int", "required": True},
        },
    },
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    names, recorded = list(dict.fromkeys(module.params["images"])), module.params["recorded"]

    def read() -> dict:
        if module.get_bin_path("docker") is None:
            return {}
        return images.present(names, module.run_command(images.query(names))[1])

    present = before = read()
    wanted = images.wanted(names, before, recorded)
    pending, units = [], []
    if wanted and not module.check_mode:
        pulls = [jobs.Job(images.unit(name), ("docker", "pull", name)) for name in wanted]
        try:
            for job in pulls:
                jobs.begin(module.run_command, job)
            running = jobs.attend(module.run_command, pulls)
        except jobs.JobError as error:
            module.fail_json(
                msg=f"{error}\nNext: check that the registry (or mirror) has this version, then run again."
            )
        units = [job.unit for job in running]
        pending = [images.progress(job.command[-1], jobs.tail(job, 1000)) for job in running]
        present = read()
        absent = [name for name in names if name not in present]
        if absent and not running:
            module.fail_json(
                msg=f"Pulled, yet no digest is known of {', '.join(absent)}. Next: docker image inspect {absent[0]}"
            )

    moved = images.contradictions(recorded, present)
    if moved:
        module.fail_json(
            msg="\n".join(moved)
            + f"\nNext: where the new image is meant, delete its line in {module.params['record']} and run again; "
            "where not, ask for the version you had by another tag, and remove the image here with docker image rm."
        )
    module.exit_json(pending=pending, units=units, **images.report(names, recorded, before, present))


if __name__ == "__main__":
    main()
