# SPDX-License-Identifier: GPL-3.0-or-later
"""The past of a share before it was first scanned, and while it was not scanned, from the NAS's own snapshots."""
