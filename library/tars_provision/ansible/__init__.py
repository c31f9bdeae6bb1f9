# SPDX-License-Identifier: GPL-3.0-or-later
"""Running playbooks with ansible-runner: events, progress, results; and the generated pages of the roles."""
