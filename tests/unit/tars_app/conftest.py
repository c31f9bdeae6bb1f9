# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from hypothesis import settings

# On a computer that is busy with other work, an example takes longer than hypothesis allows.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")
