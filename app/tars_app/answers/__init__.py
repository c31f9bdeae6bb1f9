# SPDX-License-Identifier: GPL-3.0-or-later
"""Answering a question from passages, with quotes that can be checked."""
