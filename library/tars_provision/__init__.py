# SPDX-License-Identifier: GPL-3.0-or-later
"""What a household wants (the spec), and the means to bring its machines there."""
