#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: apt_packages
short_description: Have Debian packages installed
description:
  - Installs the packages of the list that are missing, all in one run of C(apt-get), with fresh package lists.
  - Needs nothing on the machine but C(dpkg) and C(apt-get), so that check mode works on one just installed, and for
    packages of a source that check mode did not add. M(ansible.builtin.apt) needs C(python3-apt) and the source.
  - Never removes a package. One that stands in the way is an error, in apt's words.
  - The work is the systemd unit C(tars-apt.service). It goes on if the connection breaks; the next run finds it.
attributes:
  check_mode:
    support: full
    description: Reports which packages would be installed.
  diff_mode:
    support: full
    description: Shows the packages before and after.
  idempotent:
    support: full
    description: A second run changes nothing.
options:
  names:
    description: Packages to have. An installed one is left at its version.
    type: list
    elements: str
    required: true
  recommends:
    description: Whether to install what they recommend as well.
    type: bool
    default: false
author:
  - The T.A.R.S. authors (!UNKNOWN)
"""

EXAMPLES = r"""
---
- name: Install the NFS client
  tars.home.apt_packages:
    names: [nfs-common]
"""

RETURN = r"""
installed:
  description: The packages that were, or in check mode would be, installed.
  returned: always
  type: list
  elements: str
  sample: [nfs-common]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tars.home.plugins.module_utils.system import apt, jobs

ARGUMENTS = {
    "names": {"type": "list", "elements": "str", "required": True},
    "recommends": {"type": "bool", "default": False},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    names = module.params["names"]

    def missing() -> list:
        if not names:
            return []
        return apt.missing(names, module.run_command(apt.query_command(names))[1])

    wanted = missing()
    result = apt.report(names, wanted)
    if not wanted or module.check_mode:
        module.exit_json(**result)

    job = jobs.Job("tars-apt", tuple(apt.install_command(wanted, module.params["recommends"])), apt.ENVIRONMENT)
    try:
        if not jobs.begin(module.run_command, job):
            module.exit_json(pending=[jobs.EARLIER], units=[job.unit], **result)
        running = jobs.attend(module.run_command, [job])
    except jobs.JobError as error:
        module.fail_json(
            msg=f"Installing {', '.join(wanted)}: {error}\nNext: set right what apt-get names, then run again."
        )
    if running:
        module.exit_json(pending=jobs.tail(job, 1) or ["apt-get starts"], units=[job.unit], **result)
    still = missing()
    if still:
        module.fail_json(
            msg=f"apt-get ended well, but {', '.join(still)} is not installed. Its output is in {job.log}."
        )
    module.exit_json(**result)


if __name__ == "__main__":
    main()
