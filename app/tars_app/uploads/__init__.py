# SPDX-License-Identifier: GPL-3.0-or-later
"""Documents that are added on the page: saved in one folder of the shares, the only one that can be written to."""
