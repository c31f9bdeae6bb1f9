# SPDX-License-Identifier: GPL-3.0-or-later
"""A household with every optional part of the spec, and variations of it."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from tars_provision.spec.model import Site

SPEC: dict[str, Any] = {
    "plugin": "tars.home.site",
    "network": {
        "cidr": "10.77.0.0/22",
        "gateway": "10.77.0.1",
        "dns": ["fd00::1", "10.77.0.10", "9.9.9.9", "9.9.9.10"],
    },
    "hosts": {
        "xps8950": {"profile": "xps8950", "address": "10.77.0.10", "interface": "eth0", "connect": {"port": 2222}},
        "nas": {
            "profile": "ds1515plus",
            "address": "10.77.0.20",
            "dsm": {"port": 5443, "account": "keeper"},
            "open_ports": [445],
        },
    },
    "machines": {"client": {"address": "10.77.0.30"}},
    "shares": {
        "LLM_docs": {
            "volume": "/volume1",
            "description": "Documents",
            "clients": {"xps8950": {"access": "ro", "mount": "/srv/docs"}, "client": {"access": "rw"}},
        },
        "quiet": {"volume": "/volume2"},
    },
    "backup": {
        "share": "kept",
        "account": "backup",
        "snapshots": {"hour": 3, "keep": {"daily": 2, "weekly": 0, "monthly": 0}},
        "alarms": {"mail": {"to": ["a@example.org"], "sender": "b@example.org"}, "ntfy": {"url": "https://ntfy.sh/x"}},
    },
    "firewall": {"manage": ["client", "10.0.0.0/24"], "use": ["household"]},
    "models": {"chat": {"name": "llama3.1:8b"}, "embedding": {"name": "nomic-embed-text"}},
    "stack": {
        "images": {
            "postgres": "postgres:17.6",
            "redis": "redis:8.0.2",
            "caddy": "caddy:2.10.2",
            "chroma": "chromadb/chroma:1.5.9",
            "python": "python:3.13-slim",
            "ollama": "ollama/ollama:0.12.6",
        }
    },
}

MakeSite = Callable[..., Site]


@pytest.fixture
def make_site() -> MakeSite:
    """Return a function that builds the household; a keyword replaces a section, None removes it."""

    def make(**sections: Any) -> Site:
        data = copy.deepcopy(SPEC) | sections
        return Site.model_validate_json(json.dumps({name: value for name, value in data.items() if value is not None}))

    return make
