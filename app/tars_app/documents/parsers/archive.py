# SPDX-License-Identifier: GPL-3.0-or-later
"""Read parts of a ZIP archive, and XML, within bounds: archives and entities that expand without end are refused."""

from __future__ import annotations

import posixpath
import zlib
from io import BytesIO
from typing import Any
from urllib.parse import unquote
from zipfile import BadZipFile, ZipFile

from lxml import etree

from tars_app.documents.parsers.model import UnreadableError

MOST_PARTS = 20_000
MOST_PART_BYTES = 48 * 1024 * 1024
MOST_BYTES = 128 * 1024 * 1024
"""Of all parts that are read; pictures are not."""
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED = 0x1
_IS_ENCRYPTED = "The file is encrypted: save a copy without a password."
Element = Any
"""An lxml element; lxml has no annotations."""


class Archive:
    """The parts of a document that is a ZIP archive; `kind` is what it should be, as "a Word document"."""

    def __init__(self, content: bytes, kind: str) -> None:
        if content.startswith(_OLE):
            raise UnreadableError(
                f"The file is not {kind}: it is encrypted, or of an older format. Save a copy without a password."
            )
        try:
            self._zip = ZipFile(BytesIO(content))
        except (BadZipFile, ValueError, NotImplementedError, OSError, EOFError) as error:
            raise UnreadableError(f"The file is not {kind}, or it is damaged: open it, and save it again.") from error
        self._left = MOST_BYTES
        self.kind = kind
        self.names = frozenset(self._zip.namelist())
        if len(self.names) > MOST_PARTS:
            raise UnreadableError(f"The file has {len(self.names)} parts; more than {MOST_PARTS} are not read.")

    def check(self, most_bytes: int) -> None:
        """Raise UnreadableError where the parts are encrypted, or together unpack to more than `most_bytes`."""
        if any(entry.flag_bits & _ENCRYPTED for entry in self._zip.infolist()):
            raise UnreadableError(_IS_ENCRYPTED)
        if sum(entry.file_size for entry in self._zip.infolist()) > most_bytes:
            raise UnreadableError(f"The file unpacks to more than {most_bytes // 1024**2} MiB; it is not read.")

    def size(self, name: str) -> int:
        """Return the size of a part in bytes, as it is declared; 0 where it is missing."""
        return self._zip.getinfo(name).file_size if name in self.names else 0

    def read(self, name: str) -> bytes:
        """Return a part.

        Raises:
            UnreadableError: it is missing, damaged, encrypted or too large.
        """
        try:
            entry = self._zip.getinfo(name)
        except KeyError:
            raise UnreadableError(f"The file is not {self.kind}: its part {name} is missing.") from None
        if entry.flag_bits & _ENCRYPTED:
            raise UnreadableError(_IS_ENCRYPTED)
        self._left -= entry.file_size
        if entry.file_size > MOST_PART_BYTES or self._left < 0:
            raise UnreadableError(
                f"The text of the file unpacks to more than {MOST_PART_BYTES // 1024**2} MiB; it is not read."
            )
        try:
            return self._zip.read(entry)  # at most the size that is declared
        except (BadZipFile, zlib.error, NotImplementedError, EOFError, OSError, ValueError) as error:
            raise UnreadableError(f"The file is damaged in its part {name}: open it, and save it again.") from error

    def xml(self, name: str) -> Element:
        """Return the root element of a part. Raises as `read` and `parse_xml`."""
        return parse_xml(self.read(name), name)

    def optional_xml(self, name: str) -> Element | None:
        """Return the root element of a part, None where it is missing or damaged."""
        try:
            return self.xml(name) if name in self.names else None
        except UnreadableError:
            return None


def parse_xml(content: bytes, name: str) -> Element:
    """Return the root element of an XML document.

    Entities are not expanded and nothing is loaded. libxml2 refuses what is nested deeper than 256 elements.

    Raises:
        UnreadableError: it is damaged.
    """
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        return etree.fromstring(content, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        require_memory(error)
        raise UnreadableError(f"The file is damaged: its part {name} is not valid XML.") from error


def require_memory(error: Exception) -> None:
    """Raise MemoryError where libxml2 reports that it is why it failed."""
    if getattr(error, "code", None) == etree.ErrorTypes.ERR_NO_MEMORY:
        raise MemoryError from error


def local(element: Element) -> str:
    """Return the name of an element without its namespace; empty for an entity that was not expanded."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def attribute(element: Element, name: str) -> str:
    """Return an attribute by its name without namespace; empty where it is missing."""
    for key, value in element.attrib.items():
        if key.rpartition("}")[2] == name:
            return str(value)
    return ""


def resolve(base: str, target: str) -> str:
    """Return the name of the part that `target` names, relative to the part `base`."""
    path = unquote(target.partition("#")[0])
    return posixpath.normpath(posixpath.join(posixpath.dirname(base), path)).lstrip("/")
