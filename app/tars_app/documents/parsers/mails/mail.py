# SPDX-License-Identifier: GPL-3.0-or-later
"""Mails (EML; RFC 5322 and MIME), by the standard library."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from email import message_from_bytes
from email.errors import HeaderParseError, MessageError
from email.header import decode_header, make_header
from email.message import Message

from tars_app.documents.parsers.encoding import decode
from tars_app.documents.parsers.mails.messages import Attachment, Mail, parsed_mail
from tars_app.documents.parsers.markup import decode_markup, text_of, tree_of
from tars_app.documents.parsers.model import Parsed, UnreadableError

_SUFFIXES = {
    "application/pdf": ".pdf",
    "image/heic": ".heic",
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/tiff": ".tif",
    "message/rfc822": ".eml",
    "text/calendar": ".ics",
    "text/csv": ".csv",
    "text/html": ".html",
    "text/plain": ".txt",
}
_NEEDED = ("from", "to", "date", "subject", "received", "message-id", "mime-version", "return-path")


def parse(content: bytes) -> Parsed:
    """Return the mail and its attachments.

    Raises:
        UnreadableError: it is not a mail, or it has too much text.
    """
    return parsed_mail(read_mail(content))


def read_mail(content: bytes) -> Mail:
    """Return a mail; its text is the plain one where it has both a plain and an HTML text.

    Raises:
        UnreadableError: it has none of the headers that a mail has, or is nested too deeply.
    """
    try:
        message = message_from_bytes(content)
        if not any(name in message for name in _NEEDED):
            raise UnreadableError("The file is not a mail: it has no sender, date or subject.")
        return _mail(message)
    except (RecursionError, MessageError) as error:
        raise UnreadableError("The mail is damaged: its parts are nested too deeply, or cut off.") from error


def _mail(message: Message) -> Mail:
    parts = _Parts()
    _collect(message, parts)
    sender, recipients, copies, date, subject = (
        header_of(message, name) for name in ("from", "to", "cc", "date", "subject")
    )
    text = "\n\n".join(text.strip() for text in parts.texts if text.strip())
    return Mail(sender, recipients, copies, date, subject, text, parts.attachments)


def header_of(message: Message, name: str) -> str:
    """Return a header without its encodings; empty where it is missing."""
    values = [value for key, value in message.raw_items() if key.lower() == name]
    return _decoded(str(values[0])) if values else ""


def _decoded(value: str) -> str:
    """Return a value without encoded words; bytes that are not ASCII, which no standard allows, are decoded too."""
    value = decode(value.encode("utf-8", "surrogateescape")).text if not value.isascii() else value
    with suppress(HeaderParseError, LookupError, ValueError):  # a damaged encoding is shown as it stands
        value = str(make_header(decode_header(value)))
    return " ".join(value.split())


@dataclass
class _Parts:
    texts: list[str] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)


def _collect(part: Message, parts: _Parts) -> None:
    """Add the texts and attachments of a part, and of those within it."""
    kind = part.get_content_type()
    if kind == "message/rfc822" and part.is_multipart():
        inner = part.get_payload(0)
        if isinstance(inner, Message):
            mail = _mail(inner)
            parts.attachments.append(Attachment(_name(part) or mail.subject or "message", mail))
    elif kind == "multipart/alternative" and part.is_multipart():
        _collect_alternatives(part, parts)
    elif part.is_multipart():
        for inner in part.get_payload():
            if isinstance(inner, Message):
                _collect(inner, parts)
    elif kind in ("text/plain", "text/html") and part.get_content_disposition() != "attachment" and not _name(part):
        parts.texts.append(_text(part, kind))
    elif not _is_in_text(part):
        content = _content(part)
        if content.strip():
            parts.attachments.append(Attachment(_name(part) or f"part{_SUFFIXES.get(kind, '')}", content))


def _is_in_text(part: Message) -> bool:
    """Return whether a part is a picture of the text itself, as a logo. Outlook gives attachments an id too."""
    is_attached = part.get_content_disposition() == "attachment"
    return part.get_content_maintype() == "image" and "content-id" in part and not is_attached


def _collect_alternatives(part: Message, parts: _Parts) -> None:
    """Add the plain text, else the last one that has text, and the attachments of all."""
    variants = []
    for inner in part.get_payload():
        if isinstance(inner, Message):
            variant = _Parts()
            _collect(inner, variant)
            parts.attachments += variant.attachments
            if any(text.strip() for text in variant.texts):
                variants.append((inner.get_content_type() == "text/plain", variant.texts))
    if variants:
        parts.texts += next((texts for is_plain, texts in variants if is_plain), variants[-1][1])


def _name(part: Message) -> str:
    name = _decoded(part.get_filename() or "").replace("\\", "/").rpartition("/")[2]
    return name.strip(" .")


def _content(part: Message) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _text(part: Message, kind: str) -> str:
    content = _content(part)
    text: str | None = None
    if charset := part.get_content_charset():
        with suppress(LookupError, ValueError):  # unknown, or not what the text is in
            text = content.decode(charset)
    if kind == "text/plain":
        return decode(content).text if text is None else text
    if not content.strip():
        return ""
    return text_of(tree_of(decode_markup(content).text if text is None else text))
