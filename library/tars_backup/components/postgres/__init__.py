# SPDX-License-Identifier: GPL-3.0-or-later
"""The database of the stack: saving it, loading it into an empty one, and comparing the two."""

from __future__ import annotations

from .catalog import SCHEMA
from .component import Identity, Postgres, identity
from .load import compare, load, set_sequence
from .rows import TableFiles
from .session import identifier

__all__ = ["SCHEMA", "Identity", "Postgres", "TableFiles", "compare", "identifier", "identity", "load", "set_sequence"]
