# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of the backups on the story's desktop: page, metrics, checks, and an alarm to a real receiver."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from ..conftest import tars
from ..integration.backup.repository.watching.receivers import HttpReceiver
from .conftest import AUTHORITY, eventually, host, playbook
from .test_story import get

pytestmark = [pytest.mark.e2e, pytest.mark.lab, pytest.mark.usefixtures("provisioned")]

GATEWAY = "10.77.0.1"
KEY = "/opt/tars/secrets/backup_key"


@pytest.fixture(scope="module", autouse=True)
def client(provisioned: None) -> None:
    """Let the client trust the site's authority."""
    assert host("client").run(f"cat > /root/tars-ca.pem <<'END'\n{AUTHORITY.read_text()}\nEND").rc == 0


@pytest.fixture
def receiver() -> Iterator[HttpReceiver]:
    receiver = HttpReceiver(GATEWAY)
    yield receiver
    receiver.stop()


def metrics() -> dict[str, float]:
    """Return the values of /metrics about backups, without labels."""
    script = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8000/metrics').read().decode())"
    # caddy does not pass it on to the household's network.
    text = host("xps8950").check_output(f"docker exec tars-app-1 python3 -c {shlex.quote(script)}")
    families = text_string_to_metric_families(text)
    return {s.name: s.value for family in families for s in family.samples if s.name.startswith("tars_backup")}


def check_of_the_doctor() -> dict[str, Any]:
    """Return the doctor's check of the backups."""
    checks = json.loads(tars("doctor", "--json", check=False).stdout)["checks"]
    check: dict[str, Any] = next(check for check in checks if check["name"] == "backups")
    return check


def configure(hooks: list[dict[str, str]]) -> None:
    """Apply the role backup with these hooks."""
    alarms = {"silence_h": 3, "drill_days": 45, "sheet_days": 180, "free_percent": 10, "hooks": hooks}
    variables = json.dumps({"backup_alarms": alarms})
    run = playbook("site", "--limit", "xps8950", "--tags", "backup", "--extra-vars", variables)
    assert run.code == 0, run.output


def test_page_metrics_and_checks_agree() -> None:
    assert json.loads(tars("backup", "run", "--json").stdout)["ok"]
    shown = get("/api/backups")
    assert (shown["state"], shown["problems"]) == ("known", []) and shown["saved"] and shown["kept"] >= 1
    values = metrics()
    assert (values["tars_backup_status_known"], values["tars_backup_last_run_success"]) == (1, 1)
    assert values["tars_backup_kept"] == shown["kept"]
    on_share = json.loads(host("xps8950").check_output("cat /srv/tars/backup/last-good.json"))
    assert on_share["last_good"] == shown["saved"]
    state = json.loads(tars("status", "--json").stdout)["backups"]
    assert state["ok"] and state["summary"].startswith("saved ")
    assert check_of_the_doctor()["ok"]
    assert "nothing" not in tars("backup", "status").stdout


def test_the_application_cannot_change_the_state() -> None:
    done = host("xps8950").run("docker exec --user 0 tars-app-1 touch /backup-status/x")
    assert done.rc != 0 and "Read-only file system" in done.stderr
    # The folder holds nothing else, and the rest of the backups is not in the container.
    assert host("xps8950").check_output("docker exec tars-app-1 ls -A /backup-status") == "status.json"


def test_failed_backup_reaches_the_webhook_at_once_and_its_end_too(receiver: HttpReceiver) -> None:
    desktop = host("xps8950")
    configure([{"kind": "webhook", "url": f"{receiver.url}/home"}])
    try:
        tested = tars("backup", "test-alarms")
        assert "alarm by webhook: works" in tested.stdout and receiver.documents()[0]["event"] == "test"
        desktop.check_output(f"cp -p {KEY} {KEY}.kept && chmod 600 {KEY} && echo another > {KEY}")
        assert desktop.run("systemctl start tars-backup.service").rc != 0
        eventually(lambda: len(receiver.requests) == 2)
        alarm = receiver.documents()[1]
        assert alarm["event"] == "problem" and [problem["kind"] for problem in alarm["problems"]] == ["run"]
        assert "the key does not open the repository" in alarm["text"] and "another" not in alarm["text"].split()

        eventually(lambda: get("/api/backups")["problems"])
        assert get("/api/backups")["problems"][0]["urgent"] and metrics()["tars_backup_last_run_success"] == 0
        assert tars("status", check=False).returncode == 1
        assert not check_of_the_doctor()["ok"]
        pending = tars("backup", "status", check=False)
        assert pending.returncode == 1 and "ATTENTION: Backups fail since" in pending.stdout, pending.stdout
    finally:
        desktop.check_output(f"test ! -e {KEY}.kept || mv {KEY}.kept {KEY}")
    desktop.check_output("systemctl start tars-backup.service && systemctl start tars-backup-watch.service")
    eventually(lambda: len(receiver.requests) == 3)
    assert (receiver.documents()[2]["event"], receiver.documents()[2]["ended"]) == ("resolved", ["run"])
    eventually(lambda: get("/api/backups")["problems"] == [])


def test_the_set_up_without_alarms_is_put_back() -> None:
    configure([])
    verified = playbook("verify", "--limit", "xps8950")
    assert verified.code == 0, verified.output
    shown = host("xps8950").check_output(f"stat --format=%a {shlex.quote('/opt/tars/secrets/backup_alarms.json')}")
    assert shown == "400"
