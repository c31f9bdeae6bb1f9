# SPDX-License-Identifier: GPL-3.0-or-later
"""The database of the stack: saving it, loading it into an empty one, and comparing the two."""

from __future__ import annotations

from .component import Identity, Postgres, identity
from .load import compare, load

__all__ = ["Identity", "Postgres", "compare", "identity", "load"]
