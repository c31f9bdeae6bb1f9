# SPDX-License-Identifier: GPL-3.0-or-later
"""Entry point of `python3 -m tars_backup` and of the zipapp."""

from __future__ import annotations

import sys

from tars_backup.cli import main

if __name__ == "__main__":
    sys.exit(main())
