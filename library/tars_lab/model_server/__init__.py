# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's model server: Ollama's REST API over llama.cpp and ONNX Runtime, with two small real models included.

Endpoints, stream events and error texts follow Ollama's docs/api.md and api/types.go, and are tested with the official
`ollama` client.
"""
