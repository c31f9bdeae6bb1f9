# SPDX-License-Identifier: GPL-3.0-or-later
"""Rich Text Format (RTF 1.9.1)."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, field, replace

from tars_app.documents.parsers.layout import Layout, names
from tars_app.documents.parsers.model import Parsed, Section, UnreadableError

_TOKEN = re.compile(
    r"\\(?P<word>[a-zA-Z]{1,32})(?P<number>-?\d{1,10})?[ ]?|\\'(?P<byte>[0-9a-fA-F]{2})|\\(?P<sign>[^a-zA-Z])"
    r"|(?P<brace>[{}])|[\r\n\x00]+|(?P<text>[^\\{}\r\n\x00]+)|\\"
)
_SIGNS = {
    "tab": "\t",
    "line": "\n",
    "lbr": "\n",
    "emdash": "\u2014",
    "endash": "\u2013",
    "emspace": "\u2003",
    "enspace": "\u2002",
    "bullet": "\u2022",
    "lquote": "\u2018",
    "rquote": "\u2019",
    "ldblquote": "\u201c",
    "rdblquote": "\u201d",
    "~": "\u00a0",
    "_": "\u2011",
    "{": "{",
    "}": "}",
    "\\": "\\",
    "\n": "\n",
    "\r": "\n",
}
_ENDS = frozenset({"par", "sect", "page", "column"})
# Groups that hold no text of the document.
_SKIPPED = names(
    "annotation atnauthor atndate atnicn atnid atnparent atnref atrfend atrfstart author bkmkend bkmkstart buptim "
    "colorschememapping colortbl comment company creatim datafield datastore doccomm docvar falt fchars ffdeftext "
    "ffentrymcr ffexitmcr ffformat ffhelptext ffl ffname ffstattext filetbl fldinst fonttbl fontemb formfield "
    "ftncn ftnsep ftnsepc aftncn aftnsep aftnsepc generator gridtbl hlinkbase info keywords latentstyles lchars "
    "levelnumbers leveltext listname listoverridetable liststylename listtable listtext manager mmathPr "
    "nesttableprops nextfile nonesttables nonshppict objclass objdata objname operator panose pgptbl pict picprop "
    "pntext pntxta pntxtb printim private protusertbl result revtbl revtim rsidtbl rxe shprslt sn sp stylesheet "
    "subject sv tc template themedata title txe ud userprops wgrffmtfilter xe xmlattrname xmlattrvalue xmlclose "
    "xmlname xmlnstbl xmlopen"
)
_NOTES = frozenset({"footnote", "shptxt", "dptxbxtext"})
"""Notes and text boxes, which follow the paragraph that they belong to."""
_SHAPES = frozenset({"shp", "shpinst", "do", *_NOTES})
_MARGINS = {name + pages: name for name in ("header", "footer") for pages in ("", "l", "r", "f")}
_CHARSETS = {
    77: "mac_roman", 128: "cp932", 129: "cp949", 134: "cp936", 136: "cp950", 161: "cp1253", 162: "cp1254",
    163: "cp1258", 177: "cp1255", 178: "cp1256", 186: "cp1257", 204: "cp1251", 222: "cp874", 238: "cp1250",
}  # fmt: skip
_FONT = re.compile(r"\\f(\d{1,5})(?![a-z])[^{};]{0,200}?\\fcharset(\d{1,3})")
_HEAD = 200_000
"""Characters that the table of fonts is expected in."""
_MOST_GROUPS = 1000
_DATE = re.compile(r"\{\\(creatim|revtim)\\yr(\d{4})\\mo(\d{1,2})\\dy(\d{1,2})")


@dataclass(frozen=True)
class _State:
    """What a group inherits from the one around it."""

    skipped: bool = False
    part: str = "body"
    unicode_bytes: int = 1
    font: int = -1
    hidden: bool = False
    in_table: bool = False


@dataclass
class _Part:
    """A part of the document that is written for itself: the body, headers, footers, notes."""

    layout: Layout = field(default_factory=Layout)
    pieces: list[str] = field(default_factory=list)
    cells: list[str] = field(default_factory=list)


def parse(content: bytes) -> Parsed:
    """Return headers, text with its notes, and footers; each header and footer once.

    Raises:
        UnreadableError: the file is not RTF, is nested too deeply, or is too long.
    """
    if not content.lstrip()[:5].startswith(b"{\\rtf"):
        raise UnreadableError("The file is not RTF, or it is damaged: open it, and save it again.")
    text = content.decode("latin-1")
    reader = _Reader(text)
    reader.read()
    dates = {kind: f"{year}-{int(month):02}-{int(day):02}" for kind, year, month, day in _DATE.findall(text[:65536])}
    date = dates.get("revtim") or dates.get("creatim")
    return Parsed([Section(0, reader.text())], date, "Office metadata" if date else "")


class _Reader:
    """Reads the control words of a document one after the other."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._parts = {name: _Part() for name in ("body", "header", "footer")}
        self._state, self._stack = _State(), list[_State]()
        self._codepage, self._default_font = "cp1252", -1
        self._fonts = {
            int(font): _CHARSETS[int(charset)]
            for font, charset in _FONT.findall(text[:_HEAD])
            if int(charset) in _CHARSETS
        }
        self._bytes = bytearray()
        self._ignored = 0
        """Characters to leave out, which stand for a Unicode character before them in older programs."""
        self._starred = False
        self._later: list[str] = []

    def text(self) -> str:
        """Return headers, body and footers. Margins that are the same in several sections stand once."""
        layout = Layout()
        for text in (self._once("header"), self._parts["body"].layout.text, self._once("footer")):
            layout.paragraph(text)
        return layout.text

    def _once(self, name: str) -> str:
        return "\n\n".join(dict.fromkeys(self._parts[name].layout.text.split("\n\n")))

    def read(self) -> None:
        """Read the whole document."""
        position = 0
        while match := _TOKEN.match(self._text, position):
            position = match.end()
            if match["byte"] is None:
                self._flush_bytes()
            if match["word"] == "bin":
                position += max(0, int(match["number"] or 0))
            elif match["word"]:
                self._word(match["word"], match["number"])
            elif match["brace"]:
                self._brace(match["brace"])
            elif match["byte"] is not None:
                self._byte(int(match["byte"], 16))
            elif match["sign"]:
                self._sign(match["sign"])
            elif match["text"]:
                self._plain(match["text"])
        self._flush_bytes()
        for part in self._parts.values():
            self._end_row(part)
            self._end_paragraph(part)

    def _brace(self, brace: str) -> None:
        self._ignored, self._starred = 0, False
        if brace == "{":
            if len(self._stack) >= _MOST_GROUPS:
                raise UnreadableError(f"The file is damaged: its groups are nested deeper than {_MOST_GROUPS}.")
            self._stack.append(self._state)
        elif self._stack:
            ended, self._state = self._state, self._stack.pop()
            if ended.part != self._state.part:
                self._end_part(ended.part)

    def _end_part(self, name: str) -> None:
        part = self._parts[name]
        self._end_row(part)
        self._end_paragraph(part)
        if name == "note":
            self._later.append(self._parts.pop("note").layout.text)

    def _sign(self, sign: str) -> None:
        if sign == "*":
            self._starred = True
        elif sign in _SIGNS:
            self._add(_SIGNS[sign])

    def _word(self, word: str, number: str | None) -> None:
        starred, self._starred = self._starred, False
        if word in _SKIPPED or (starred and word not in _SHAPES):
            self._state = replace(self._state, skipped=True)
        elif word in _MARGINS:
            self._enter(_MARGINS[word])
        elif word in _NOTES:
            self._enter("note")
        elif word == "u":
            self._add(chr(int(number or 0) % 0x10000))
            self._ignored = self._state.unicode_bytes
        elif word in _SIGNS:
            self._add(_SIGNS[word])
        elif word in _ENDS or word in ("cell", "nestcell", "row"):
            self._structure(word)
        else:
            self._property(word, int(number) if number else None)

    def _enter(self, name: str) -> None:
        if not self._state.skipped and self._state.part == "body":
            self._parts.setdefault(name, _Part())
            self._state = replace(self._state, part=name, in_table=False)

    def _structure(self, word: str) -> None:
        if self._state.skipped:
            return
        part = self._parts[self._state.part]
        if word == "cell":
            part.cells.append(_joined(part.pieces))
        elif word == "row":
            self._end_row(part)
        elif word == "nestcell" or self._state.in_table:
            part.pieces.append(" ")
        else:
            self._end_paragraph(part)

    def _property(self, word: str, number: int | None) -> None:
        if word == "f" and number is not None:
            self._state = replace(self._state, font=number)
        elif word == "plain":
            self._state = replace(self._state, font=self._default_font, hidden=False)
        elif word == "deleted":
            self._state = replace(self._state, hidden=number != 0)
        elif word in ("pard", "intbl"):
            self._state = replace(self._state, in_table=word == "intbl" and number != 0)
        elif word == "uc" and number is not None:
            self._state = replace(self._state, unicode_bytes=max(0, min(number, 16)))
        elif word == "deff" and number is not None:
            self._default_font = number
        elif word in ("mac", "pc", "pca", "ansicpg"):
            self._codepage = {"mac": "mac_roman", "pc": "cp437", "pca": "cp850"}.get(word) or _codec(number)

    def _byte(self, byte: int) -> None:
        if self._ignored:
            self._ignored -= 1
        else:
            self._bytes.append(byte)

    def _flush_bytes(self) -> None:
        if self._bytes:
            codec = self._fonts.get(self._state.font, self._codepage)
            text = self._bytes.decode(codec, "replace")
            self._bytes.clear()
            self._add(text)

    def _plain(self, text: str) -> None:
        ignored, self._ignored = self._ignored, max(0, self._ignored - len(text))
        if rest := text[ignored:]:
            self._add(rest if rest.isascii() else rest.encode("latin-1").decode(self._codepage, "replace"))

    def _add(self, text: str) -> None:
        if not self._state.skipped and not self._state.hidden:
            self._parts[self._state.part].pieces.append(text)

    def _end_paragraph(self, part: _Part) -> None:
        part.layout.paragraph(_joined(part.pieces))
        if part is self._parts["body"]:
            self._write_later()

    def _end_row(self, part: _Part) -> None:
        if part.cells:
            part.layout.row(part.cells)
            part.cells.clear()
            if part is self._parts["body"]:
                self._write_later()

    def _write_later(self) -> None:
        for note in self._later:
            self._parts["body"].layout.paragraph(note)
        self._later.clear()


def _joined(pieces: list[str]) -> str:
    """Return the text of pieces, which are cleared; characters that are written as two surrogates become one."""
    text = "".join(pieces)
    pieces.clear()
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _codec(codepage: int | None) -> str:
    """Return the name of a code page, Windows-1252 for an unknown one."""
    name = "utf-8" if codepage == 65001 else f"cp{codepage}"
    try:
        return codecs.lookup(name).name
    except LookupError:
        return "cp1252"
