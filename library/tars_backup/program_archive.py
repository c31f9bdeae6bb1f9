# SPDX-License-Identifier: GPL-3.0-or-later
"""Pack this package into one executable file (PEP 441) whose bytes depend on nothing but the sources."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

SHEBANG = b"#!/usr/bin/python3 -I\n"
"""-I: neither PYTHONPATH nor the current folder changes what is imported."""

_MAIN = "import sys\n\nfrom tars_backup.cli import main\n\nsys.exit(main())\n"
_TIME = (1980, 1, 1, 0, 0, 0)


def build() -> bytes:
    """Return the executable file: sorted names, fixed times and modes, no compression (zlib's output varies)."""
    package = Path(__file__).parent
    files = {f"tars_backup/{path.relative_to(package).as_posix()}": path.read_text() for path in package.rglob("*.py")}
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as archive:
        for name, text in sorted({**files, "__main__.py": _MAIN}.items()):
            entry = zipfile.ZipInfo(name, _TIME)
            entry.create_system = 3  # Unix, on every system
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, text)
    return SHEBANG + content.getvalue()
