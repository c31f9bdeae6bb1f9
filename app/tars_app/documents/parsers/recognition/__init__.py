# SPDX-License-Identifier: GPL-3.0-or-later
"""Recognition of the text of scans and photos, and where each word of it stands on the page."""
