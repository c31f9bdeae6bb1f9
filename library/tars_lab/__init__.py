# SPDX-License-Identifier: GPL-3.0-or-later
"""The throwaway lab: a desktop, a NAS and a client as systemd machines on one bridge, and a container registry."""

from tars_lab.lifecycle import down, status, up
from tars_lab.machine import destroy

__all__ = ["destroy", "down", "status", "up"]
