# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of a restore: new data folders beside the living ones, the switch, and what finishes an interrupted one."""
