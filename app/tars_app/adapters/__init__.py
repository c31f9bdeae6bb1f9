# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients of what the application depends on: PostgreSQL, Chroma, Ollama, Redis, and the mounted shares."""
