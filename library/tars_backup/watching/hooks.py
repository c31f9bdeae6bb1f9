# SPDX-License-Identifier: GPL-3.0-or-later
"""Send a message to a person: by mail, to an ntfy topic, or to a webhook.

Each hook runs in a child process with a time limit, so that one that hangs or fails stops neither the others nor the
caller. Results name neither a secret nor an address, which can be one.
"""

from __future__ import annotations

import json
import smtplib
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Any

from .. import processes
from ..configuration import Hook
from ..errors import BackupError

DEADLINE_S = 30.0
"""Seconds for one hook."""

_ANSWER_S = 20.0
SENDMAIL = "/usr/sbin/sendmail"
PLACEHOLDER = "{secret}"
"""Where the secret stands in an address that contains it."""


@dataclass(frozen=True)
class Message:
    """What a person is sent; `event` is problem, resolved or test, and `detail` the same as data."""

    event: str
    subject: str
    text: str
    detail: Mapping[str, Any]


def send(hook: Hook, message: Message, secret: str) -> str:
    """Send a message; return an empty text, or why it could not be delivered."""
    try:
        return processes.isolated(
            lambda: _attempt(hook, message, secret), subject=f"alarm by {hook.kind}", deadline_s=DEADLINE_S
        )
    except BackupError as error:
        return error.found


def _attempt(hook: Hook, message: Message, secret: str) -> str:
    try:
        {"mail": _mail, "ntfy": _ntfy, "webhook": _webhook}[hook.kind](hook, message, secret)
    except urllib.error.HTTPError as error:
        return f"the server answered with status {error.code}"
    except urllib.error.URLError as error:
        return f"the server cannot be reached: {getattr(error.reason, 'strerror', None) or type(error.reason).__name__}"
    except smtplib.SMTPResponseException as error:
        return f"the mail server answered with code {error.smtp_code}"
    except (OSError, ValueError, smtplib.SMTPException, subprocess.SubprocessError) as error:
        return f"{type(error).__name__}: {getattr(error, 'strerror', None) or 'not delivered'}"
    return ""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follow no redirect: the secret is for the configured server alone."""

    def redirect_request(self, *arguments: Any, **options: Any) -> None:
        """Return nothing, which makes the redirect an error."""


def _post(hook: Hook, body: bytes, headers: Mapping[str, str], secret: str) -> None:
    address = hook.url.replace(PLACEHOLDER, secret)
    if not address.startswith(("https://", "http://")):
        raise ValueError("not an address of HTTP")
    sent = dict(headers)
    if secret and address == hook.url:
        sent["Authorization"] = f"Bearer {secret}"
    request = urllib.request.Request(address, data=body, headers=sent, method="POST")  # noqa: S310  checked above
    opener = urllib.request.build_opener(_NoRedirect)
    with opener.open(request, timeout=_ANSWER_S) as response:
        response.read(1)


def _webhook(hook: Hook, message: Message, secret: str) -> None:
    # `text` and `content` are what chat services take.
    text = f"{message.subject}\n{message.text}"
    document = {**message.detail, "event": message.event, "text": text, "content": text}
    _post(hook, json.dumps(document).encode(), {"Content-Type": "application/json"}, secret)


def _ntfy(hook: Hook, message: Message, secret: str) -> None:
    headers = {
        "Title": message.subject.encode("ascii", "replace").decode(),
        "Priority": "high" if message.event == "problem" else "default",
        "Tags": "warning" if message.event == "problem" else "white_check_mark",
    }
    _post(hook, message.text.encode(), headers, secret)


def _mail(hook: Hook, message: Message, secret: str) -> None:
    mail = EmailMessage()
    mail["Subject"], mail["From"], mail["To"] = message.subject, hook.sender, ", ".join(hook.to)
    mail["Date"], mail["Message-ID"] = formatdate(), make_msgid(domain="tars.home.arpa")
    # Away messages and mailing lists leave such a mail unanswered.
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(message.text)
    if not hook.server:
        command = [SENDMAIL, "-i", "-f", hook.sender, "--", *hook.to]
        subprocess.run(
            command,
            input=mail.as_bytes(),
            check=True,
            capture_output=True,
            timeout=_ANSWER_S,
            env=processes.environment(),
        )
        return
    context = ssl.create_default_context()
    tls = hook.encryption == "tls"
    connection = (
        smtplib.SMTP_SSL(hook.server, hook.port, timeout=_ANSWER_S, context=context)
        if tls
        else smtplib.SMTP(hook.server, hook.port, timeout=_ANSWER_S)
    )
    with connection as server:
        if hook.encryption == "starttls":
            server.starttls(context=context)
        if hook.user:
            server.login(hook.user, secret)
        refused = server.send_message(mail, hook.sender, hook.to)
    if refused:
        raise smtplib.SMTPRecipientsRefused(refused)
