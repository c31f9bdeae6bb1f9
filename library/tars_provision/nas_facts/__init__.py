# SPDX-License-Identifier: GPL-3.0-or-later
"""What a NAS says about what the modules assume of it: twelve looks that change nothing, recorded and replayed."""
