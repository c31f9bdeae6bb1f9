# SPDX-License-Identifier: GPL-3.0-or-later
"""What a recovery sheet holds, and its text, which is in the QR code and in the HTML file."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from tars_provision.errors import ProvisionError, message, unusable

VERSION = 1
MARK = "tars_recovery_sheet"
SCRIPT = re.compile(r'<script type="application/json" id="sheet">(.*?)</script>', re.DOTALL)
"""Where the HTML file has the text."""

_STEP = "Scan the QR code again, and save its whole text in the file"


class SheetError(ProvisionError):
    """A file is not a recovery sheet, or is damaged."""


@dataclass(frozen=True)
class Sheet:
    """All that a recovery needs besides this program.

    Attributes:
        made_on: date, in ISO 8601.
        nas: address of the NAS.
        share: export of the backups, such as /volume1/tars_backup.
        desktop: address of the desktop with its prefix length; the NAS exports the share to this address alone.
        repository: id of the repository, in hex.
        key: password of the repository.
        vault: password of the site's vault.
        config: the file `config` of the repository, in base64.
        key_file: the key file of the repository, which is JSON.
        restic: SHA-256 of the program restic that is beside the repository.
    """

    made_on: str
    nas: str
    share: str
    desktop: str
    repository: str
    key: str
    vault: str
    config: str
    key_file: str
    restic: str

    def text(self) -> str:
        """Return the sheet as one line of JSON with a checksum."""
        document = {MARK: VERSION, **asdict(self)}
        return _json({**document, "check": _check(document)})

    def for_repository(self) -> str:
        """Return what tars-backup needs of the sheet, as the JSON object that it reads."""
        key = base64.b64encode(self.key_file.encode()).decode()
        return _json({"password": self.key, "config": self.config, "key": key})


def parse(text: str, name: object = "sheet") -> Sheet:
    """Return the sheet of its text, or of an HTML file that holds it.

    Raises:
        SheetError: it is something else, of another version, or differs from its checksum.
    """
    embedded = SCRIPT.search(text)
    expected = f"the text of a recovery sheet's QR code, version {VERSION}"
    try:
        document = json.loads(embedded[1] if embedded else text)
        version = document.pop(MARK)
        check = document.pop("check")
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise SheetError(message(name, found="another text", expected=expected, next_step=_STEP)) from error
    if version != VERSION:
        raise SheetError(message(name, found=f"version {version}", expected=expected, next_step="Use a newer T.A.R.S."))
    if check != _check({MARK: version, **document}):
        raise SheetError(message(name, found="a text with a mistake", expected=expected, next_step=_STEP))
    try:
        sheet = Sheet(**document)
        base64.b64decode(sheet.config, validate=True)
    except (TypeError, ValueError, binascii.Error) as error:
        raise SheetError(message(name, found=error, expected=expected)) from error
    return sheet


def load(path: Path) -> Sheet:
    """Return the sheet of a file. Raises SheetError."""
    try:
        return parse(path.read_text(), path)
    except OSError as error:
        raise SheetError(unusable(path, error)) from error
    except UnicodeDecodeError as error:
        raise SheetError(message(path, found="bytes that are not text", expected="text", next_step=_STEP)) from error


def _json(document: dict[str, object]) -> str:
    return json.dumps(document, sort_keys=True, separators=(",", ":"))


def _check(document: dict[str, object]) -> str:
    return hashlib.sha256(_json(document).encode()).hexdigest()[:8]
