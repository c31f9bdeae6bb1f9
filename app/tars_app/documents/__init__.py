# SPDX-License-Identifier: GPL-3.0-or-later
"""From files on the NAS to versions, passages and vectors in PostgreSQL, and to Chroma, which follows."""
