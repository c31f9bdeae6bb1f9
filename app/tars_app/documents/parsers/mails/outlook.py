# SPDX-License-Identifier: GPL-3.0-or-later
"""Mails of Outlook (MSG; MS-OXMSG), by olefile: each property of a mail is a stream of its own."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.parser import HeaderParser
from email.utils import format_datetime, formataddr
from io import BytesIO

import compressed_rtf
import olefile

from tars_app.documents.parsers.encoding import decode
from tars_app.documents.parsers.mails.mail import header_of
from tars_app.documents.parsers.mails.messages import Attachment, Mail, parsed_mail
from tars_app.documents.parsers.markup import decode_markup, text_of, tree_of
from tars_app.documents.parsers.model import Parsed, UnreadableError
from tars_app.documents.parsers.office import rich_text

# Numbers of properties (MS-OXPROPS).
_SUBJECT, _HEADERS, _SUBMITTED = 0x0037, 0x007D, 0x0039
_SENDER_NAME, _SENDER_ADDRESS, _SENDER_SMTP = 0x0C1A, 0x0C1F, 0x5D01
_TO, _CC, _BODY, _HTML, _RICH_TEXT = 0x0E04, 0x0E03, 0x1000, 0x1013, 0x1009
_DATA, _LONG_NAME, _SHORT_NAME, _DISPLAY_NAME = 0x3701, 0x3707, 0x3704, 0x3001
_UNICODE, _EIGHT_BIT, _BINARY, _TIME, _MAIL = "001F", "001E", "0102", 0x0040, "000D"
_ATTACHMENT = "__attach_version1.0_#"
_PROPERTIES = "__properties_version1.0"
_MOST_LEVELS = 5
_MOST_STREAM_BYTES = 256 * 1024 * 1024
_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_Path = list[str]


def parse(content: bytes) -> Parsed:
    """Return the mail and its attachments.

    Raises:
        UnreadableError: the file is damaged, not a mail, or has too much text.
    """
    try:
        with olefile.OleFileIO(BytesIO(content)) as ole:
            if not ole.exists(_PROPERTIES):
                raise UnreadableError("The file is not a mail of Outlook (MSG).")
            mail = _Reader(ole).mail([], 0)
    except (OSError, ValueError, OverflowError, struct.error, IndexError, RecursionError) as error:
        raise UnreadableError("The file is not a mail of Outlook (MSG), or it is damaged.") from error
    return parsed_mail(mail)


class _Reader:
    """Reads the properties of a mail, and of those within it."""

    def __init__(self, ole: olefile.OleFileIO) -> None:
        self._ole = ole

    def mail(self, path: _Path, level: int) -> Mail:
        """Return the mail in a storage; `path` is empty for that of the file."""
        headers = HeaderParser().parsestr(self._text(path, _HEADERS))
        return Mail(
            header_of(headers, "from") or self._sender(path),
            header_of(headers, "to") or self._text(path, _TO),
            header_of(headers, "cc") or self._text(path, _CC),
            header_of(headers, "date") or self._date(path),
            self._text(path, _SUBJECT),
            self._text(path, _BODY) or self._html(path) or self._rich_text(path),
            self._attachments(path, level),
        )

    def _stream(self, path: _Path, name: str) -> bytes:
        entry = [*path, name]
        if not self._ole.exists(entry) or self._ole.get_type(entry) != olefile.STGTY_STREAM:
            return b""
        if self._ole.get_size(entry) > _MOST_STREAM_BYTES:
            raise UnreadableError("The mail is damaged: a part of it is larger than its file can be.")
        return bytes(self._ole.openstream(entry).read())

    def _text(self, path: _Path, number: int) -> str:
        if content := self._stream(path, f"__substg1.0_{number:04X}{_UNICODE}"):
            return content.decode("utf-16-le", "replace").rstrip("\x00")
        content = self._stream(path, f"__substg1.0_{number:04X}{_EIGHT_BIT}")
        return decode(content).text if content else ""

    def _html(self, path: _Path) -> str:
        content = self._stream(path, f"__substg1.0_{_HTML:04X}{_BINARY}")
        text = decode_markup(content).text if content else self._text(path, _HTML)
        return text_of(tree_of(text)) if text.strip() else ""

    def _rich_text(self, path: _Path) -> str:
        content = self._stream(path, f"__substg1.0_{_RICH_TEXT:04X}{_BINARY}")
        if not content:
            return ""
        try:
            text = compressed_rtf.decompress(content)
        except Exception as error:  # the library has none of its own for a damaged text
            raise UnreadableError("The text of the mail is damaged: open the mail, and save it again.") from error
        return rich_text.parse(text).sections[0].text

    def _sender(self, path: _Path) -> str:
        name, address = self._text(path, _SENDER_NAME), self._text(path, _SENDER_SMTP)
        address = address or self._text(path, _SENDER_ADDRESS)
        return formataddr((name, address)) if "@" in address and address.isascii() else name

    def _date(self, path: _Path) -> str:
        """Return the time at which a mail was sent, as a header has it; empty where it is not recorded."""
        entries = self._stream(path, _PROPERTIES)[24 if path else 32 :]
        for start in range(0, len(entries) - 15, 16):
            kind, number, _, ticks = struct.unpack_from("<HHIQ", entries, start)
            if (kind, number) == (_TIME, _SUBMITTED):
                try:
                    return format_datetime(_EPOCH + timedelta(microseconds=ticks // 10))
                except OverflowError:
                    return ""
        return ""

    def _attachments(self, path: _Path, level: int) -> Sequence[Attachment]:
        storages = sorted(
            {entry[len(path)] for entry in self._ole.listdir(streams=True, storages=True) if _is_below(entry, path)}
        )
        attachments = []
        for storage in storages:
            place = [*path, storage]
            names = (self._text(place, number) for number in (_LONG_NAME, _SHORT_NAME, _DISPLAY_NAME))
            name = next((name for name in names if name), "attachment")
            inner = [*place, f"__substg1.0_{_DATA:04X}{_MAIL}"]
            if self._ole.exists([*inner, _PROPERTIES]) and level < _MOST_LEVELS:
                attachments.append(Attachment(name, self.mail(inner, level + 1)))
            elif content := self._stream(place, f"__substg1.0_{_DATA:04X}{_BINARY}"):
                attachments.append(Attachment(name.replace("\\", "/").rpartition("/")[2], content))
        return attachments


def _is_below(entry: _Path, path: _Path) -> bool:
    """Return whether an entry is an attachment of the mail at a path, or within one."""
    return len(entry) > len(path) and entry[: len(path)] == path and entry[len(path)].startswith(_ATTACHMENT)
