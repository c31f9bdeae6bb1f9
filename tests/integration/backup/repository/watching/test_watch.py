# SPDX-License-Identifier: GPL-3.0-or-later
"""Alarms: each hook gets one message when something begins and one when it is over, whatever the others do."""

from __future__ import annotations

import dataclasses
import json
import os
import smtplib
import stat
import subprocess
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tars_backup import cli, instants, processes, program_lock
from tars_backup.actions.status import status
from tars_backup.actions.watch import INTERVAL_S, LOCK, Watched, watch
from tars_backup.configuration import Hook
from tars_backup.errors import BackupError, LockedError
from tars_backup.state import State
from tars_backup.watching import hooks

from ..desktop import PASSWORD, Desktop
from .receivers import HttpReceiver, MailReceiver

pytestmark = pytest.mark.integration

SECRETS = {"mail": "the password of the mailbox", "ntfy": "topic-7f3a", "webhook": "token-91c2"}


class Household:
    """A desktop whose alarms go to three receivers, and a clock."""

    def __init__(self, desktop: Desktop, monkeypatch: pytest.MonkeyPatch, certificate: Path) -> None:
        self.desktop = desktop
        self.mail, self.ntfy, self.webhook = MailReceiver(certificate), HttpReceiver(), HttpReceiver()
        self.mail.login = ("tars", SECRETS["mail"])
        self.now = instants.now()
        monkeypatch.setattr(instants, "now", lambda: self.now)
        (desktop.folder / "backup_alarms.json").write_text(json.dumps(SECRETS))
        self.configure()

    def configure(self, **mail: Any) -> None:
        """Write the hooks, with other options of the mail."""
        options = {
            "kind": "mail",
            "to": ["owner@example.org", "other@example.org"],
            "sender": "tars@example.org",
            "server": "localhost",
            "port": self.mail.port,
            "encryption": "starttls",
            "user": "tars",
            **mail,
        }
        entries = [
            options,
            {"kind": "ntfy", "url": f"{self.ntfy.url}/{{secret}}"},
            {"kind": "webhook", "url": f"{self.webhook.url}/backups"},
        ]
        self.desktop.write_settings(alarms={"silence_h": 3, "hooks": entries})

    def tick(self, passed: timedelta = timedelta(seconds=INTERVAL_S)) -> Watched:
        """Let time pass, and call the watch as its timer does."""
        self.now += passed
        return watch(self.desktop.configuration)

    def ticks(self, hours: float) -> None:
        """Let time pass with the desktop on."""
        for _ in range(round(hours * 4)):
            self.tick(timedelta(minutes=15))

    def counts(self) -> tuple[int, int, int]:
        """Return how many messages arrived by mail, ntfy and webhook."""
        return len(self.mail.mails), len(self.ntfy.requests), len(self.webhook.requests)

    def stop(self) -> None:
        """Close the ports."""
        for receiver in (self.mail, self.ntfy, self.webhook):
            receiver.stop()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a certificate of localhost with its key, which signs itself."""
    path = tmp_path_factory.mktemp("mail") / "server.pem"
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    words += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", str(path)]
    certificate = subprocess.run(words, check=True, capture_output=True).stdout
    path.write_bytes(path.read_bytes() + certificate)
    return path


@pytest.fixture
def household(desktop: Desktop, monkeypatch: pytest.MonkeyPatch, certificate: Path) -> Iterator[Household]:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    household = Household(desktop, monkeypatch, certificate)
    yield household
    household.stop()


def test_silence_is_an_alarm_once_and_its_end_another(household: Household) -> None:
    """A lock that nobody removes, a timer that does not fire: within three hours and one interval someone knows."""
    household.desktop.run()
    household.ticks(2.75)
    assert household.counts() == (0, 0, 0)
    household.ticks(0.5)
    assert household.counts() == (1, 1, 1)
    household.ticks(5)
    assert household.counts() == (1, 1, 1), "the alarm was repeated"
    mail = household.mail.mails[0]
    assert (mail["Subject"], mail["To"]) == (
        "The backups of xps8950 need attention",
        "owner@example.org, other@example.org",
    )
    assert "The last good backup is from" in mail.get_content() and "Next step: Check that" in mail.get_content()
    assert household.mail.recipients == [["owner@example.org", "other@example.org"]]
    assert household.mail.encrypted == [True]
    notification = household.ntfy.requests[0]
    assert notification["path"] == f"/{SECRETS['ntfy']}" and "authorization" not in notification["headers"]
    assert (notification["headers"]["title"], notification["headers"]["priority"]) == (mail["Subject"], "high")
    call = household.webhook.requests[0]
    assert (call["path"], call["headers"]["authorization"]) == ("/backups", f"Bearer {SECRETS['webhook']}")
    document = household.webhook.documents()[0]
    assert (document["event"], document["host"]) == ("problem", "xps8950")
    assert [problem["kind"] for problem in document["problems"]] == ["silence"]

    household.desktop.run()
    household.tick()
    household.tick()
    assert household.counts() == (2, 2, 2)
    assert household.mail.mails[1]["Subject"] == "The backups of xps8950 are in order again"
    document = household.webhook.documents()[1]
    assert (document["event"], document["ended"], document["problems"]) == ("resolved", ["silence"], [])


def test_night_without_power_is_no_alarm(household: Household) -> None:
    """At the resume the timer gets its time; the missed hours were hours of sleep."""
    household.desktop.run()
    household.tick()
    household.tick(timedelta(hours=11))
    household.ticks(0.5)
    assert household.counts() == (0, 0, 0)
    household.desktop.run()
    household.ticks(2.5)
    assert household.counts() == (0, 0, 0)


def test_desktop_that_is_on_for_minutes_only_is_not_overlooked(household: Household) -> None:
    household.desktop.run()
    for _ in range(3):
        household.tick(timedelta(hours=8))
        household.ticks(0.5)
    assert household.counts() == (1, 1, 1)


def test_no_backup_at_all(household: Household) -> None:
    household.ticks(2.75)
    assert household.counts() == (0, 0, 0)
    household.ticks(0.5)
    assert "There is no good backup yet" in household.mail.mails[0].get_content()


def test_failed_run_is_reported_once(household: Household) -> None:
    household.desktop.run()
    (household.desktop.folder / "key").write_text("another key\n")
    for _ in range(3):
        with pytest.raises(BackupError):
            household.desktop.run()
        household.tick()
    assert household.counts() == (1, 1, 1)
    text = household.mail.mails[0].get_content()
    assert "the key does not open the repository" in text and str(household.desktop.folder) not in text
    (household.desktop.folder / "key").write_text(f"{PASSWORD}\n")
    household.desktop.run()
    household.tick()
    assert household.counts() == (2, 2, 2)


def test_hook_that_fails_is_tried_again_and_stops_nobody(household: Household) -> None:
    household.webhook.status, household.mail.code = 503, 451
    household.ticks(3.5)
    sent = household.counts()[1]
    assert (household.mail.mails, sent) == ([], 2), "ntfy: the silence, then the two hooks that failed"
    kinds = {problem["kind"] for problem in status(household.desktop.configuration).status["problems"]}
    assert {"silence", "alarm_mail", "alarm_webhook"} <= kinds
    reasons = household.tick().hooks
    assert reasons == {
        "mail": "the mail server answered with code 451",
        "ntfy": "",
        "webhook": "the server answered with status 503",
    }
    household.webhook.status, household.mail.code = 200, 250
    before = len(household.webhook.requests)
    household.tick()
    assert len(household.mail.mails) == 1 and len(household.webhook.requests) == before + 1
    household.tick()
    assert "Over: Alarms cannot be delivered by webhook" in household.mail.mails[1].get_content()
    household.tick()
    assert len(household.mail.mails) == 2


def test_problem_that_is_over_before_a_hook_works_again(household: Household) -> None:
    household.mail.code = 451
    household.ticks(3.25)
    household.desktop.run()
    household.mail.code = 250
    household.ticks(1)
    assert household.mail.mails == []


@pytest.mark.parametrize("kind", ["mail", "webhook"])
def test_hook_that_hangs(household: Household, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    isolated = processes.isolated

    def limited(function: Callable[[], Any], *, subject: object, **options: Any) -> Any:
        if str(subject).startswith("alarm by"):
            options["deadline_s"] = 2.0 if str(subject).endswith(kind) else 60.0
        return isolated(function, subject=subject, **options)

    monkeypatch.setattr(processes, "isolated", limited)
    household.mail.silent = kind == "mail"
    household.webhook.delay_s = 60 if kind == "webhook" else 0
    household.ticks(3.0)
    outcome = dict(household.tick(timedelta(minutes=15)).hooks)
    assert outcome.pop(kind) == "no answer within 2 s"
    assert set(outcome.values()) == {""}
    assert len(household.ntfy.requests) >= 1
    household.mail.silent = False


def test_servers_that_are_gone(household: Household) -> None:
    household.stop()
    household.ticks(3.0)
    outcome = household.tick(timedelta(minutes=15)).hooks
    assert outcome["webhook"] == "the server cannot be reached: Connection refused"
    assert outcome["mail"].startswith("ConnectionRefusedError")
    shown = json.dumps(State(household.desktop.configuration.state).read("alarms"))
    assert not [secret for secret in SECRETS.values() if secret in shown]


def test_redirect_gets_no_secret(household: Household) -> None:
    other = HttpReceiver()
    household.webhook.status, household.webhook.location = 302, f"{other.url}/stolen"
    household.ticks(3.25)
    assert household.webhook.requests and other.requests == []
    other.stop()


def test_mail_server_with_a_wrong_certificate_or_without_encryption(
    household: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt")
    household.ticks(3.25)
    assert household.mail.mails == []
    assert household.tick().hooks["mail"].startswith("SSLCertVerificationError")
    household.mail.context = None
    assert household.tick().hooks["mail"].startswith("SMTPNotSupportedError")
    assert household.mail.mails == []


def test_mail_without_a_server(household: Household, monkeypatch: pytest.MonkeyPatch) -> None:
    """The desktop's own sendmail gets the mail on its input."""
    program = household.desktop.folder / "sendmail"
    program.write_text(f'#!/bin/sh\necho "$@" >{program}.arguments\ncat >{program}.mail\n')
    program.chmod(0o755)
    monkeypatch.setattr(hooks, "SENDMAIL", str(program))
    household.configure(server="", user="")
    household.ticks(3.25)
    assert Path(f"{program}.arguments").read_text() == "-i -f tars@example.org -- owner@example.org other@example.org\n"
    assert "Subject: The backups of xps8950 need attention" in Path(f"{program}.mail").read_text()
    monkeypatch.setattr(hooks, "SENDMAIL", "/nonexistent/sendmail")
    household.desktop.run()
    assert household.tick().hooks["mail"] == "FileNotFoundError: No such file or directory"


def test_test_message(household: Household, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["watch", "--test", "--configuration", str(household.desktop.file)]
    assert cli.main(words) == 0
    assert household.counts() == (1, 1, 1)
    assert household.webhook.documents()[0]["event"] == "test"
    assert "alarm by mail: works" in capsys.readouterr().out
    household.webhook.status = 404
    assert cli.main(words) == 1
    assert "webhook: the server answered with status 404" in capsys.readouterr().err
    household.desktop.write_settings(alarms={})
    assert cli.main(words) == 1
    assert "found no alarm" in capsys.readouterr().err


def test_secrets_are_never_words_of_a_command(household: Household, monkeypatch: pytest.MonkeyPatch) -> None:
    """No process that runs meanwhile has a secret among its words."""
    household.mail.silent = True
    monkeypatch.setattr(hooks, "DEADLINE_S", 1.0)
    household.ticks(3.25)
    lines = subprocess.run(["ps", "-eo", "args"], check=True, capture_output=True, text=True).stdout
    assert not [secret for secret in SECRETS.values() if secret in lines]
    household.mail.silent = False


def test_two_watches_and_a_damaged_file_of_secrets(household: Household) -> None:
    with program_lock.held(household.desktop.configuration.state, "watch", LOCK), pytest.raises(LockedError):
        household.tick()
    # A run may be in progress for hours.
    with program_lock.held(household.desktop.configuration.state, "run"):
        assert household.tick().problems == ()
    household.desktop.configuration.alarm_secrets.write_text("{")
    with pytest.raises(BackupError, match="a JSON object"):
        household.tick()
    household.desktop.configuration.alarm_secrets.unlink()
    assert household.tick().problems == ()


def test_state_for_the_page_is_written_by_the_watch(household: Household) -> None:
    file = household.desktop.configuration.status / "status.json"
    before: datetime = household.now
    assert cli.main(["watch", "--configuration", str(household.desktop.file)]) == 0
    assert json.loads(file.read_text())["written_at"] == instants.to_text(before)
    assert stat.S_IMODE(os.stat(file).st_mode) == 0o644


def test_mail_without_encryption_and_login_and_with_a_refused_recipient() -> None:
    receiver = MailReceiver()
    receiver.refused = ("gone@example.org",)
    try:
        hook = Hook("mail", to=("a@example.org",), sender="t@example.org", server="localhost", port=receiver.port)
        plain = dataclasses.replace(hook, encryption="none")
        message = hooks.Message("test", "subject", "text", {})
        hooks._mail(plain, message, "")
        assert receiver.encrypted == [False]
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            hooks._mail(dataclasses.replace(plain, to=("a@example.org", "gone@example.org")), message, "")
    finally:
        receiver.stop()


def test_an_address_that_its_secret_makes_a_file_is_refused() -> None:
    with pytest.raises(ValueError, match="not an address of HTTP"):
        hooks._post(Hook("webhook", url="{secret}"), b"", {}, "file:///etc/passwd")
