# SPDX-License-Identifier: GPL-3.0-or-later
"""Media types of the formats that are read (IANA's registry), and the header that names a download."""

from __future__ import annotations

import os
import unicodedata
from urllib.parse import quote

UNKNOWN = "application/octet-stream"
_OPEN_XML = "application/vnd.openxmlformats-officedocument"
_OPEN_DOCUMENT = "application/vnd.oasis.opendocument"
_TYPES = {
    ".txt": "text/plain",
    ".md": "text/markdown",
    ".markdown": "text/markdown",
    ".pdf": "application/pdf",
    ".docx": f"{_OPEN_XML}.wordprocessingml.document",
    ".docm": "application/vnd.ms-word.document.macroEnabled.12",
    ".odt": f"{_OPEN_DOCUMENT}.text",
    ".rtf": "application/rtf",
    ".pptx": f"{_OPEN_XML}.presentationml.presentation",
    ".pptm": "application/vnd.ms-powerpoint.presentation.macroEnabled.12",
    ".ppsx": f"{_OPEN_XML}.presentationml.slideshow",
    ".odp": f"{_OPEN_DOCUMENT}.presentation",
    ".xlsx": f"{_OPEN_XML}.spreadsheetml.sheet",
    ".xlsm": "application/vnd.ms-excel.sheet.macroEnabled.12",
    ".xls": "application/vnd.ms-excel",
    ".xlsb": "application/vnd.ms-excel.sheet.binary.macroEnabled.12",
    ".ods": f"{_OPEN_DOCUMENT}.spreadsheet",
    ".csv": "text/csv",
    ".tsv": "text/tab-separated-values",
    ".html": "text/html",
    ".htm": "text/html",
    ".xhtml": "application/xhtml+xml",
    ".epub": "application/epub+zip",
    ".eml": "message/rfc822",
    ".mbox": "application/mbox",
    ".msg": "application/vnd.ms-outlook",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".webp": "image/webp",
    ".bmp": "image/bmp",
    ".heic": "image/heic",
    ".heif": "image/heif",
}


def media_type(name: str) -> str:
    """Return the media type of a file by its suffix."""
    return _TYPES.get(os.path.splitext(name)[1].lower(), UNKNOWN)


def attachment(name: str) -> str:
    """Return the value of Content-Disposition for a download of this name (RFC 6266): in ASCII, and in UTF-8.

    Characters that a file system or a person could misread (separators, controls, changes of the writing direction)
    are replaced by a low line.
    """
    safe = "".join(
        "_" if character in '/\\"' or unicodedata.category(character)[0] == "C" else character for character in name
    )
    ascii_only = "".join(character if character.isascii() else "_" for character in safe)
    return f"attachment; filename=\"{ascii_only}\"; filename*=UTF-8''{quote(safe, safe='')}"
