# SPDX-License-Identifier: GPL-3.0-or-later
"""From files on the NAS to versions, pages and chunks in both stores."""
