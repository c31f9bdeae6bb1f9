# SPDX-License-Identifier: GPL-3.0-or-later
"""The dsm_* modules against the lab's NAS, observed from another machine of the lab with libnfs."""

from __future__ import annotations

import datetime
import hashlib
import json
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from tars_lab import machine
from tars_lab.layout import Lab, Machine
from tars_provision.controller import vault

pytestmark = pytest.mark.lab

SHARE = "module-check"
Run = Callable[..., dict[str, Any]]


def single(lab: Lab, kind: str) -> Machine:
    return next(entry for entry in lab.machines if entry.kind == kind)


def shell(lab: Lab, kind: str, command: str) -> CompletedProcess[str]:
    return machine.execute(lab, single(lab, kind), ["sh", "-c", command])


@pytest.fixture(scope="module")
def run(lab: Lab, module: Run, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """A module run with the connection to the lab's NAS; afterwards the NAS is as it was."""
    nas = single(lab, "ds1515plus")
    certificate = (lab.rootfs(nas.name) / "etc/dsm-twin/cert.pem").read_text()
    connection = {
        "host": nas.address,
        "account": nas.dsm_account,
        "password": vault.ensure(Path(lab.inventory))["dsm_password"],
        "fingerprint": hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate)).hexdigest(),
        "session_file": str(tmp_path_factory.mktemp("run") / "session.json"),
    }

    def run(name: str, **options: Any) -> dict[str, Any]:
        result = module(name, {**connection, **options})
        assert not result.get("failed"), result
        return result

    before = run("dsm_info", gather=["nfs"])["nfs"]
    yield run
    run("dsm_share", shares=[{"name": SHARE, "state": "absent", "delete_data": True}])
    run("dsm_nfs", enabled=before["enabled"])
    assert run("dsm_session", state="absent")["ended"]


def test_what_the_modules_say_is_what_another_machine_meets(lab: Lab, run: Run) -> None:
    def exported_to(*clients: str) -> dict[str, Any]:
        rules = [{"client": client, "access": "rw", "squash": "all_to_admin"} for client in clients]
        return run("dsm_nfs", enabled=True, nfsv4_minor=1, exports=[{"share": SHARE, "rules": rules}])

    def listed() -> bool:
        nas = single(lab, "ds1515plus").address
        return shell(lab, "client", f"nfs-ls 'nfs://{nas}/volume1/{SHARE}?version=4'").returncode == 0

    assert run("dsm_share", shares=[{"name": SHARE, "volume": "/volume1"}])["changed"]
    exported_to(single(lab, "xps8950").address)
    assert not listed()
    assert exported_to(single(lab, "client").address)["changed"]
    assert listed()
    assert not exported_to(single(lab, "client").address)["changed"]

    shell(lab, "ds1515plus", "dsm-twin-fault add drop_after_write --on SYNO.Core.FileServ.NFS.SharePrivilege.save")
    assert exported_to()["changed"]
    assert not listed()


def test_a_scheduled_task_is_a_timer_that_runs_it_as_its_owner(lab: Lab, run: Run) -> None:
    run("dsm_share", shares=[{"name": SHARE, "volume": "/volume1"}])
    run("dsm_account", users=[{"name": "module-runner", "password": "correct horse battery"}])
    task = {
        "name": "module check",
        "owner": "module-runner",
        "script": f"id -un > /volume1/{SHARE}/who",
        "schedule": {"frequency": "weekly", "weekdays": [0], "hour": 3, "every_hours": 8},
    }
    assert run("dsm_task", tasks=[task])["changed"]
    assert not run("dsm_task", tasks=[task])["changed"]
    names = shell(lab, "ds1515plus", "systemctl list-timers --no-legend --output=json 'dsm-task-*'")
    (timer,) = json.loads(names.stdout)
    when = datetime.datetime.fromtimestamp(timer["next"] / 1e6, datetime.UTC)
    offset = int(shell(lab, "ds1515plus", "date +%z").stdout)
    due = when + datetime.timedelta(hours=offset // 100)
    assert (due.isoweekday(), due.hour in (3, 11, 19), due.minute) == (7, True, 0)
    # The machine's own way to do what its timer will.
    assert shell(lab, "ds1515plus", f"systemctl start {timer['activates']}").returncode == 0
    owner = shell(lab, "ds1515plus", f"cat /volume1/{SHARE}/who; stat -c %U /volume1/{SHARE}/who").stdout.split()
    assert owner == ["module-runner", "module-runner"]

    run("dsm_task", tasks=[{**task, "enabled": False}])
    assert json.loads(shell(lab, "ds1515plus", "systemctl list-timers --output=json 'dsm-task-*'").stdout) == []
    run("dsm_task", tasks=[{"name": "module check", "state": "absent"}])
    assert (
        "dsm-task" not in shell(lab, "ds1515plus", "systemctl list-unit-files 'dsm-task-*'; ls /run/dsm-tasks").stdout
    )
    run("dsm_account", users=[{"name": "module-runner", "state": "absent"}])
