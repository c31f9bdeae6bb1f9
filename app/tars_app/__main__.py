# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the command as `python -m tars_app`."""

from __future__ import annotations

from tars_app.cli import main

if __name__ == "__main__":
    main()
