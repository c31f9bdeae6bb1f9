# SPDX-License-Identifier: GPL-3.0-or-later
"""Mails, folders of mails and mails of Outlook, compared with what other libraries read."""

from __future__ import annotations

import mailbox
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest
from oxmsg import Message

from tars_app.documents.parsers import process
from tars_app.documents.parsers.mails import messages
from tars_app.documents.parsers.model import UnreadableError

from ....letters import page, written
from ..parsers.pdfs import draw, lines
from .citations import parse, quotations
from .office_files import docx, paragraph
from .outlook_file import attachment, compound_file, mail


def message(subject: str = "Your bill") -> EmailMessage:
    written = EmailMessage()
    written["From"], written["To"] = "Jürgen Doe <j@example.org>", "Jane Doe <jane@example.org>"
    written["Date"], written["Subject"] = "Fri, 01 Mar 2024 23:30:00 -0500", subject
    written.set_content("Hello,\n\nplease pay 900 € by 3 May.\n")
    return written


def test_a_plain_mail_has_one_section() -> None:
    parsed = parse("a.eml", message().as_bytes())
    (section,) = parsed.sections
    assert (section.number, section.label) == (0, "")
    assert section.header == "Subject: Your bill\nFrom: Jürgen Doe <j@example.org>"
    assert section.text == (
        "From: Jürgen Doe <j@example.org>\nTo: Jane Doe <jane@example.org>\nDate: Fri, 01 Mar 2024 23:30:00 -0500\n"
        "Subject: Your bill\n\nHello,\n\nplease pay 900 € by 3 May."
    )
    assert (parsed.date, parsed.dated_by) == ("2024-03-01", "mail header")


def test_quotations_of_a_mail_occur_where_the_standard_library_reads_them() -> None:
    content = message().as_bytes()
    read = message_from_bytes(content, policy=policy.default)
    body = read.get_body()
    assert body is not None
    whole = "\n".join(f"{name}: {read[name]}" for name in ("From", "To", "Date", "Subject")) + "\n" + body.get_content()
    quoted = quotations(parse("a.eml", content).sections[0])
    assert "please pay 900 € by 3 May." in quoted
    assert all(quote in whole for quote in quoted)


def test_the_plain_text_is_preferred_and_html_is_read_where_it_is_alone() -> None:
    both = message()
    both.add_alternative("<p>The same in <b>HTML</b></p>", subtype="html")
    assert "HTML" not in parse("a.eml", both.as_bytes()).sections[0].text
    alone = EmailMessage()
    alone["Subject"] = "News"
    alone.set_content("<html><body><p>The rent is <b>900 €</b>.</p></body></html>", subtype="html")
    assert parse("a.eml", alone.as_bytes()).sections[0].text == "Subject: News\n\nThe rent is 900 €."


def test_attachments_are_read_by_their_own_parsers() -> None:
    written = message()
    written.add_attachment(b"Item,Amount\nRent,900\n", maintype="text", subtype="csv", filename="costs.csv")
    word = docx(paragraph("The contract."))
    written.add_attachment(word, maintype="application", subtype="octet-stream", filename="Vertrag für Jane.docx")
    bill = draw(lines("The first page."), lines("900 EUR are due."))
    written.add_attachment(bill, maintype="application", subtype="pdf", filename="bill.pdf")
    written.add_attachment(b"x", maintype="application", subtype="zip", filename="archive.zip")
    written.add_attachment(b"PK", maintype="application", subtype="octet-stream", filename="broken.docx")
    inner = message("Forwarded")
    inner.add_attachment(b"a,b\n", maintype="text", subtype="csv", filename="inner.csv")
    written.add_attachment(inner)
    parsed = parse("a.eml", written.as_bytes())
    assert [(section.number, section.label) for section in parsed.sections] == [
        (1, "message"),
        (2, "attachment costs.csv, table"),
        (3, "attachment Vertrag für Jane.docx"),
        (4, "attachment bill.pdf, page 1"),
        (5, "attachment bill.pdf, page 2"),
        (6, "attachment Forwarded, message"),
        (7, "attachment Forwarded, attachment inner.csv, table"),
    ]
    assert parsed.sections[1].header.endswith("j@example.org>\nItem\tAmount")
    assert parsed.sections[2].text == "The contract."
    assert any(note.startswith("The attachment broken.docx was not read: The file is not") for note in parsed.notes)
    assert "Attachments that are not read: archive.zip." in parsed.notes
    # The standard library reads the same attachments.
    read = message_from_bytes(written.as_bytes(), policy=policy.default)
    names = [entry.get_filename() for entry in read.iter_attachments()]
    assert names == ["costs.csv", "Vertrag für Jane.docx", "bill.pdf", "archive.zip", "broken.docx", None]


def test_attachments_that_are_not_read_are_named_with_what_to_do() -> None:
    written = message()
    for name in ("winmail.dat", "Brief.DOC", "old.doc", "talk.ppt", "film.mkv"):
        written.add_attachment(b"\x78\x9f\x3e\x22", maintype="application", subtype="ms-tnef", filename=name)
    parsed = parse("a.eml", written.as_bytes())
    assert [section.text.split("\n")[0] for section in parsed.sections] == ["From: Jürgen Doe <j@example.org>"]
    named, tnef, word, slides = parsed.notes
    assert named == "Attachments that are not read: winmail.dat, Brief.DOC, old.doc, talk.ppt, film.mkv."
    assert tnef.startswith("winmail.dat: Outlook has packed the attachments of a mail into it (TNEF): open the mail")
    assert word == "Brief.DOC: Save it as DOCX, with Word or LibreOffice."
    assert slides == "talk.ppt: Save it as PPTX, with PowerPoint or LibreOffice."


def scan(text: str, form: str = "PNG") -> bytes:
    return written(page(text, points=14).crop((0, 0, 1654, 500)), form)


def test_pictures_and_scanned_pages_that_are_attached_are_recognised() -> None:
    inner = message("Forwarded")
    inner.add_attachment(scan("The cellar is dry."), maintype="image", subtype="png", filename="cellar.png")
    outer = message()
    outer.add_attachment(scan("The rent is 910 EUR."), maintype="image", subtype="png", filename="rent.png", cid="<a>")
    outer.add_attachment(b"Item,Amount\nRent,910\n", maintype="text", subtype="csv", filename="costs.csv")
    outer.add_attachment(scan("The deposit is due.", "PDF"), maintype="application", subtype="pdf", filename="scan.pdf")
    outer.add_attachment(scan("x")[:2000], maintype="image", subtype="png", filename="logo.png")
    outer.add_attachment(inner)
    content = outer.as_bytes()
    parsed = parse("a.eml", content)
    labels = [(section.number, section.label) for section in [*parsed.sections, *parsed.places]]
    assert labels == [
        (1, "message"),
        (3, "attachment costs.csv, table"),
        (5, "attachment Forwarded, message"),
        (2, "attachment rent.png, recognised"),
        (4, "attachment scan.pdf, recognised"),
        (6, "attachment Forwarded, attachment cellar.png, recognised"),
    ]
    assert (parsed.scanned, parsed.pages) == ([2, 4, 6], 6)
    assert parsed.places[0].header == "Subject: Your bill\nFrom: Jürgen Doe <j@example.org>"
    assert parsed.places[2].header.endswith("Subject: Forwarded\nFrom: Jürgen Doe <j@example.org>")
    assert parsed.notes == ["Attachments that are not read: logo.png."]
    texts = [process.recognize("a.eml", content, number).text for number in parsed.scanned]
    assert texts == ["The rent is 910 EUR.", "The deposit is due.", "The cellar is dry."]
    with pytest.raises(UnreadableError, match="The attachment or picture is not in the file"):
        process.recognize("a.eml", content, 3)


def test_pictures_of_the_text_itself_are_left_out() -> None:
    outer = message()
    outer.add_attachment(
        scan("logo"), maintype="image", subtype="png", filename="logo.png", cid="<a>", disposition="inline"
    )
    parsed = parse("a.eml", outer.as_bytes())
    assert (parsed.scanned, parsed.places, parsed.notes) == ([], [], [])
    assert [section.number for section in parsed.sections] == [0]


def test_a_damaged_picture_is_named_and_so_are_scanned_pages_beyond_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    outer = message()
    for name in ("a.png", "b.png"):
        outer.add_attachment(scan("The rent."), maintype="image", subtype="png", filename=name)
    outer.add_attachment(b"\x89PNG" + bytes(5000), maintype="image", subtype="png", filename="broken.png")
    few = {"level": 0, "attachments": 200, "scanned": 1}
    monkeypatch.setattr(messages._Budget, "__init__", lambda self: self.__dict__.update(few))
    parsed = parse("a.eml", outer.as_bytes())
    assert [place.label for place in parsed.places] == ["attachment a.png, recognised"]
    assert parsed.notes[0] == "b.png: 1 of 1 pages has no text: 1."
    assert parsed.notes[1].startswith("The attachment broken.png was not read: The picture is damaged")


def test_attachments_are_bounded_in_number_and_depth(monkeypatch: pytest.MonkeyPatch) -> None:
    nested = message("Level 0")
    for level in range(1, 6):
        outer = message(f"Level {level}")
        outer.add_attachment(nested)
        nested = outer
    parsed = parse("a.eml", nested.as_bytes())
    assert [section.label.count("attachment") for section in parsed.sections] == [0, 1, 2]
    assert any("Level 2" in note and "not read" in note for note in parsed.notes)
    monkeypatch.setattr(messages, "MOST_ATTACHMENTS", 2)
    many = message()
    for number in range(9):
        many.add_attachment(b"a,b\n", maintype="text", subtype="csv", filename=f"{number}.csv")
    monkeypatch.setattr(messages._Budget, "__init__", lambda self: self.__dict__.update(level=0, attachments=2))
    parsed = parse("a.eml", many.as_bytes())
    assert len(parsed.sections) == 3
    assert parsed.notes == ["Attachments that are not read: 2.csv, 3.csv, 4.csv, 5.csv, 6.csv and 2 more."]


@pytest.mark.parametrize(
    ("raw", "subject"),
    [
        ("Grüße".encode(), "Grüße"),
        ("Grüße".encode("cp1252"), "Grüße"),
        (b"=?utf-8?q?Gr=C3=BC=C3=9Fe?=", "Grüße"),
        (b"=?nonsense?q?abc?=", "=?nonsense?q?abc?="),
        (b"one\r\n two", "one two"),
    ],
)
def test_headers_as_mail_programs_write_them(raw: bytes, subject: str) -> None:
    content = b"From: a@example.org\r\nSubject: " + raw + b"\r\n\r\nText\r\n"
    assert parse("a.eml", content).sections[0].text.split("\n")[1] == f"Subject: {subject}"


def test_a_text_that_is_not_in_the_encoding_that_it_states() -> None:
    content = b"Subject: x\nContent-Type: text/plain; charset=us-ascii\n\nGr\xc3\xbc\xc3\x9fe"
    assert parse("a.eml", content).sections[0].text.endswith("Grüße")


def folder() -> bytes:
    begin = b"From jane@example.org Fri Mar  1 12:00:00 2024\n"
    second = message("Second").as_bytes().replace(b"Hello", b">From here on: hello\n\nFrom now, hello")
    return begin + message("First").as_bytes() + b"\n" + begin + second + b"\n"


def test_the_mails_of_a_folder(tmp_path: Path) -> None:
    parsed = parse("a.mbox", folder())
    assert [(section.number, section.label) for section in parsed.sections] == [
        (1, "message 1: First"),
        (2, "message 2: Second"),
    ]
    assert "\n\nFrom here on: hello" in parsed.sections[1].text
    path = tmp_path / "a.mbox"
    path.write_bytes(folder().replace(b"From now, hello", b"Later, hello"))
    read = list(mailbox.mbox(path))
    assert [entry["subject"] for entry in read] == ["First", "Second"]
    body = read[0].get_payload(decode=True)
    assert isinstance(body, bytes)
    quoted = [quote for quote in quotations(parsed.sections[0]) if ": " not in quote]
    assert quoted and all(quote in body.decode() for quote in quoted)


def outlook() -> bytes:
    costs = b"Item,Amount\n" + b"Rent,900\n" * 600
    inner = mail("Inner", "The inner text.", attachment("note.csv", b"a,b\n"), inner=True)
    sent = datetime(2024, 3, 1, 12, tzinfo=UTC)
    parts = (attachment("costs.csv", costs), attachment("Forwarded", inner), attachment("x.zip", b"x"))
    return compound_file(mail("Bill for März", "Please pay 900 €.\r\nThanks", *parts, sent=sent))


def test_a_mail_of_outlook_with_its_attachments() -> None:
    parsed = parse("a.msg", outlook())
    assert [(section.number, section.label) for section in parsed.sections] == [
        (1, "message"),
        (2, "attachment costs.csv, table"),
        (3, "attachment Forwarded, message"),
        (4, "attachment Forwarded, attachment note.csv, table"),
    ]
    assert parsed.sections[0].text == (
        "From: Jane Doe <jane@example.org>\nTo: John Doe\nDate: Fri, 01 Mar 2024 12:00:00 +0000\n"
        "Subject: Bill for März\n\nPlease pay 900 €.\nThanks"
    )
    assert (parsed.date, parsed.dated_by) == ("2024-03-01", "mail header")
    assert parsed.notes == ["Attachments that are not read: x.zip.", "x.zip: Unpack it into the share."]


def test_quotations_of_a_mail_of_outlook_occur_where_oxmsg_reads_them() -> None:
    parsed = parse("a.msg", outlook())
    read = Message.load(outlook())
    assert read.subject == "Bill for März" and read.sent_date == datetime(2024, 3, 1, 12, tzinfo=UTC)
    quoted = [quote for quote in quotations(parsed.sections[0]) if ": " not in quote]
    assert quoted and read.body
    assert all(quote in read.body.replace("\r\n", "\n") for quote in quoted)
    content = read.attachments[0].file_bytes
    assert content and parsed.sections[1].text == content.decode().replace(",", "\t").strip()


def test_a_mail_of_outlook_with_html_alone() -> None:
    content = compound_file(mail("News", "", html="<p>The rent is <b>900 €</b>.</p>"))
    assert parse("a.msg", content).sections[0].text.endswith("\n\nThe rent is 900 €.")


def test_a_mail_of_outlook_with_rich_text_alone() -> None:
    rtf = rb"{\rtf1\ansi\ansicpg1252\fromtext The rent is 900 \u8364?.\par Gr\'fc\'dfe\par}"
    parsed = parse("a.msg", compound_file(mail("News", "", rtf=rtf)))
    assert parsed.sections[0].text.endswith("\n\nThe rent is 900 €.\n\nGrüße")
    damaged = {**mail("News", "", rtf=rtf), "__substg1.0_10090102": b"x" * 40}
    with pytest.raises(UnreadableError, match="text of the mail is damaged"):
        parse("a.msg", compound_file(damaged))


@pytest.mark.parametrize("name", ["a.eml", "a.mbox", "a.msg"])
def test_what_is_not_a_mail_is_refused(name: str) -> None:
    with pytest.raises(UnreadableError, match=r"^The file is not a (mail|folder of mails).*\.$"):
        parse(name, b"Just a text.\n")
