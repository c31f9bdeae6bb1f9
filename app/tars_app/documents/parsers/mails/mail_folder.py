# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders of mails in one file (MBOX; RFC 4155)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tars_app.documents.parsers.mails.mail import read_mail
from tars_app.documents.parsers.mails.messages import Mail, parsed_folder
from tars_app.documents.parsers.model import Parsed, UnreadableError

MOST_MESSAGES = 50_000
_BEGIN = re.compile(rb"(?:\A|(?<=\n\n)|(?<=\n\r\n))From [^\n]*\n(?=[!-9;-~]+:|>From )")
_QUOTED = re.compile(rb"^>(?=>*From )", re.MULTILINE)


def parse(content: bytes) -> Parsed:
    """Return the mails in the order of the file, and their attachments.

    Raises:
        UnreadableError: it is not a folder of mails, or has too many.
    """
    starts = [match.span() for match in _BEGIN.finditer(content)]
    if not starts or starts[0][0] != 0:
        raise UnreadableError("The file is not a folder of mails (MBOX): it does not begin with a mail.")
    if len(starts) > MOST_MESSAGES:
        raise UnreadableError(f"The folder has {len(starts)} mails; more than {MOST_MESSAGES} are not read.")
    return parsed_folder(_mails(content, starts))


def _mails(content: bytes, starts: list[tuple[int, int]]) -> Iterator[Mail]:
    ends = [begin for begin, _ in starts[1:]] + [len(content)]
    for (_, begin), end in zip(starts, ends, strict=True):
        try:
            yield read_mail(_QUOTED.sub(b"", content[begin:end]))
        except UnreadableError as error:
            yield Mail("", "", "", "", "", f"[{error}]")
