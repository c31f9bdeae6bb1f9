# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules of the collection, for benchmarks that are started without Ansible."""

import importlib
import sys
from types import ModuleType

from .plays import ROOT


def collection(name: str) -> ModuleType:
    """Return a module of the collection in this checkout, such as plugin_utils.build_context."""
    sys.path.insert(0, str(ROOT / "collections"))
    return importlib.import_module(f"ansible_collections.tars.home.plugins.{name}")
