# SPDX-License-Identifier: GPL-3.0-or-later
"""The computer that provisions: vault, trusted certificates, readiness, name lookup, renewal timer."""
