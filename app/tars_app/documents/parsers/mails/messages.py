# SPDX-License-Identifier: GPL-3.0-or-later
"""A mail as sections: its text, and its attachments, each read by the parser of its own suffix."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from functools import partial

from tars_app.documents.parsers import registry
from tars_app.documents.parsers.encoding import plain
from tars_app.documents.parsers.layout import check_length
from tars_app.documents.parsers.model import Parsed, Section, UnreadableError, pages_without_text

MOST_LEVELS = 3
MOST_ATTACHMENTS = 200
"""Of one file, with those of attached mails. Further ones are left out, with a note."""
MOST_SCANNED = 300
"""Pages of attachments of one file whose text is recognised: for each of them the file is read again."""
_LEAST_PICTURE_BYTES = 2048
"""Smaller ones are signs and logos."""
_LONGEST_SUBJECT = 80
_NAMED = 5
"""Names of attachments in a note."""


@dataclass(frozen=True)
class Attachment:
    """A file, or another mail, that is attached to a mail."""

    name: str
    content: bytes | Mail


@dataclass(frozen=True)
class Mail:
    """The headers of a mail that people see, its text, and its attachments."""

    sender: str
    recipients: str
    copies: str
    date: str
    subject: str
    text: str
    attachments: Sequence[Attachment] = ()

    @property
    def header(self) -> str:
        """Subject and sender, one a line."""
        return "\n".join(line for line in (_line("Subject", self.subject), _line("From", self.sender)) if line)

    @property
    def full_text(self) -> str:
        """The headers and the text."""
        fields = (
            ("From", self.sender),
            ("To", self.recipients),
            ("Cc", self.copies),
            ("Date", self.date),
            ("Subject", self.subject),
        )
        head = "\n".join(line for name, value in fields if (line := _line(name, value)))
        return f"{head}\n\n{plain(self.text).strip()}".strip()

    @property
    def day(self) -> str | None:
        """The day of its date, where the sender was."""
        try:
            return parsedate_to_datetime(self.date).date().isoformat()
        except (ValueError, TypeError, IndexError, OverflowError):
            return None


@dataclass
class _Budget:
    """How deep the mail stands that is being read, and how many attachments and scanned pages are left to its file."""

    level: int = 0
    attachments: int = MOST_ATTACHMENTS
    scanned: int = MOST_SCANNED


_budget: ContextVar[_Budget | None] = ContextVar("budget", default=None)


@contextmanager
def _one_level_deeper() -> Iterator[_Budget]:
    """Yield the budget of the file."""
    budget = _budget.get() or _Budget()
    token = _budget.set(budget)
    budget.level += 1
    try:
        yield budget
    finally:
        budget.level -= 1
        _budget.reset(token)


@dataclass
class _Collected:
    sections: list[Section] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    characters: int = 0
    places: list[Section] = field(default_factory=list)
    files: dict[int, Callable[[], tuple[str, bytes, int]]] = field(default_factory=dict)
    last: int = 0
    """The number of the last section or page."""

    def add(self, text: str, label: str, header: str, continues: bool = False) -> None:
        self.characters += len(text)
        check_length(self.characters)
        self.last += 0 if continues else 1
        self.sections.append(Section(self.last, text, label, header))

    def add_scanned(self, file: Callable[[], tuple[str, bytes, int]], label: str, header: str) -> None:
        """Append a page of an attachment whose text has to be recognised."""
        self.last += 1
        self.places.append(Section(self.last, "", label, header))
        self.files[self.last] = file

    def parsed(self, day: str | None = None) -> Parsed:
        """Return all that was collected, and the day of a mail."""
        return Parsed(
            self.sections,
            day,
            "mail header" if day else "",
            [*self.notes, *_unread_note(self)],
            [place.number for place in self.places],
            self.last if self.places else 0,
            self.places,
            self.files,
        )


def parsed_mail(mail: Mail) -> Parsed:
    """Return the sections of one mail. Raises UnreadableError where it has too much text."""
    collected = _Collected()
    with _one_level_deeper() as budget:
        collected.add(mail.full_text, "message", mail.header)
        _add_attachments(collected, mail, "", budget)
    if collected.last == 1:
        collected.sections = [Section(0, mail.full_text, "", mail.header)]
    return collected.parsed(mail.day)


def parsed_folder(mails: Iterator[Mail]) -> Parsed:
    """Return the sections of many mails. Raises UnreadableError where they have too much text."""
    collected = _Collected()
    with _one_level_deeper() as budget:
        for number, mail in enumerate(mails, 1):
            subject = f": {mail.subject[:_LONGEST_SUBJECT]}" if mail.subject else ""
            collected.add(mail.full_text, f"message {number}{subject}", mail.header)
            _add_attachments(collected, mail, f"message {number}, ", budget)
    return collected.parsed()


def _add_attachments(collected: _Collected, mail: Mail, prefix: str, budget: _Budget) -> None:
    for attachment in mail.attachments:
        if budget.attachments <= 0 or not _is_read(attachment, budget.level):
            collected.unread.append(attachment.name)
            continue
        budget.attachments -= 1
        try:
            parsed = _parse(attachment)
        except UnreadableError as error:
            collected.notes.append(f"The attachment {attachment.name} was not read: {error}")
            continue
        except Exception as error:  # noqa: BLE001  a damaged attachment does not make its mail unreadable
            collected.notes.append(f"The attachment {attachment.name} is damaged ({type(error).__name__}).")
            continue
        before: int | None = None
        for section in parsed.sections:
            if not section.text.strip():  # as of a scanned page
                continue
            place = f", {section.label}" if section.label else ""
            header = "\n".join(line for line in (mail.header, section.header) if line)
            label = f"{prefix}attachment {attachment.name}{place}"
            collected.add(section.text, label, header, continues=section.number == before)
            before = section.number
        without_text = _add_scanned(collected, attachment, parsed, mail.header, prefix, budget)
        collected.notes += [f"{attachment.name}: {note}" for note in [*without_text, *parsed.notes]]


def _add_scanned(
    collected: _Collected, attachment: Attachment, parsed: Parsed, header: str, prefix: str, budget: _Budget
) -> list[str]:
    """Add the scanned pages of an attachment; return a note about those that are too many."""
    places = {place.number: place for place in parsed.places}
    first_left = len(parsed.scanned)
    for index, number in enumerate(parsed.scanned):
        file = parsed.files.get(number)
        if file is None and isinstance(attachment.content, bytes):
            if budget.scanned <= 0:
                first_left = index
                break
            budget.scanned -= 1
            file = partial(_page_of, attachment.name, attachment.content, number)
        if file is None:
            continue
        inner = places.get(number, Section(number, "", _page_label(parsed, number)))
        label = ", ".join(filter(None, (f"{prefix}attachment {attachment.name}", inner.label)))
        collected.add_scanned(file, label, "\n".join(filter(None, (header, inner.header))))
    left = parsed.scanned[first_left:]
    return [pages_without_text(left, parsed.pages)] if left else []


def _page_of(name: str, content: bytes, number: int) -> tuple[str, bytes, int]:
    return name, content, number


def _page_label(parsed: Parsed, number: int) -> str:
    return f"page {number}, recognised" if parsed.pages > 1 else "recognised"


def _is_read(attachment: Attachment, level: int) -> bool:
    if isinstance(attachment.content, Mail):
        return level < MOST_LEVELS
    form = registry.find_format(attachment.name)
    if form is None or (form.is_picture and len(attachment.content) < _LEAST_PICTURE_BYTES):
        return False
    return level < MOST_LEVELS or form.place != "message"


def _parse(attachment: Attachment) -> Parsed:
    if isinstance(attachment.content, Mail):
        return parsed_mail(attachment.content)
    return registry.parse(attachment.name, attachment.content)


def _unread_note(collected: _Collected) -> list[str]:
    names = collected.unread
    if not names:
        return []
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    first_with = {words: name for name in reversed(names) if (words := registry.advice(name))}
    advice = [f"{name}: {words}" for words, name in reversed(first_with.items())]
    return [f"Attachments that are not read: {', '.join(names[:_NAMED])}{more}.", *advice]


def _line(name: str, value: str) -> str:
    value = " ".join(plain(value).split())
    return f"{name}: {value}" if value else ""
