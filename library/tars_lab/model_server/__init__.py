# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's model server: Ollama's REST API over llama.cpp and ONNX Runtime, with two small real models on board.

Endpoints, stream events and error texts follow Ollama's docs/api.md and api/types.go; the official `ollama` client is
the judge.
"""
