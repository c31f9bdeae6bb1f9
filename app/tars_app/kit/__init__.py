# SPDX-License-Identifier: GPL-3.0-or-later
"""Building blocks that know nothing of documents: errors, middleware, metrics, text."""
