# SPDX-License-Identifier: GPL-3.0-or-later
"""The running desktop, asked over ssh without Ansible: its services, its mounts, and their logs."""
