# SPDX-License-Identifier: GPL-3.0-or-later
"""The models of `tars.yml`, in pydantic.

They feed validation, the JSON Schema for editors, the reference page and the inventory. Rules that span several fields
(addresses inside the network, clients that exist) are in :mod:`tars_provision.spec.rules`;
:func:`tars_provision.spec.load.load` applies both.
"""

from tars_provision.spec.model.base import PATTERNS, Section
from tars_provision.spec.model.hosts import Clock, Connect, Desktop, Dsm, FirstContact, Machine, Nas
from tars_provision.spec.model.network import Firewall, Names, Network
from tars_provision.spec.model.services import (
    Benchmark,
    ChatModel,
    Docker,
    EmbeddingModel,
    Images,
    Models,
    Stack,
)
from tars_provision.spec.model.site_spec import Site
from tars_provision.spec.model.storage import (
    Backup,
    BackupCopy,
    History,
    Keep,
    Retention,
    Share,
    ShareClient,
    Snapshots,
    Uploads,
)

__all__ = [
    "PATTERNS",
    "Backup",
    "BackupCopy",
    "Benchmark",
    "ChatModel",
    "Clock",
    "Connect",
    "Desktop",
    "Docker",
    "Dsm",
    "EmbeddingModel",
    "Firewall",
    "FirstContact",
    "History",
    "Images",
    "Keep",
    "Machine",
    "Models",
    "Names",
    "Nas",
    "Network",
    "Retention",
    "Section",
    "Share",
    "ShareClient",
    "Site",
    "Snapshots",
    "Stack",
    "Uploads",
]
