# SPDX-License-Identifier: GPL-3.0-or-later
"""Every file of the shares: whether it was read, why not, and what to do about it."""
