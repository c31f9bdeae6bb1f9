# SPDX-License-Identifier: GPL-3.0-or-later
"""The history of a document, and what changed in it between two times."""
