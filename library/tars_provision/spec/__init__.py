# SPDX-License-Identifier: GPL-3.0-or-later
"""The desired state of a site, `tars.yml`: its models, its rules, loading, and the reference page."""
