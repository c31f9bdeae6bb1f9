# SPDX-License-Identifier: GPL-3.0-or-later
"""A process with one sentence-embedding model: ONNX Runtime behind POST /embed on a Unix socket.

runners.py starts it as ``python -m … SOCKET MODEL TOKENIZER CONTEXT_TOKENS THREADS``. It reports that it is ready, and
exits, like llama_runner.py.
"""

import os
import socket
import sys
import threading

import numpy as np
import onnxruntime
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from tokenizers import Tokenizer


class SentenceEncoder:
    """A BERT model whose sentence embedding is the mean of its tokens' (all-MiniLM-L6-v2, 1_Pooling/config.json)."""

    def __init__(self, model: str, tokenizer: str, context_tokens: int, threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.enable_cpu_mem_arena = False
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self._tokenizer = Tokenizer.from_file(tokenizer)
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(context_tokens)

    def encode(self, text: str) -> tuple[list[float], int, bool]:
        """Return the embedding, of length 1, the number of tokens in it, and whether the text was truncated."""
        encoding = self._tokenizer.encode(text)
        # One text at a time: int8 activations are scaled per batch, so other texts in it would change the embedding.
        inputs = {
            "input_ids": np.array([encoding.ids], np.int64),
            "attention_mask": np.array([encoding.attention_mask], np.int64),
            "token_type_ids": np.array([encoding.type_ids], np.int64),
        }
        (tokens,) = self._session.run(["last_hidden_state"], inputs)
        mean = np.asarray(tokens)[0].mean(axis=0)
        return (mean / np.linalg.norm(mean)).tolist(), len(encoding.ids), bool(encoding.overflowing)


def make_app(encoder: SentenceEncoder) -> Starlette:
    """Return the application: POST /embed {"input": [text]} answers {"embeddings", "tokens", "truncated"}."""

    async def embed(request: Request) -> JSONResponse:
        results = [encoder.encode(text) for text in (await request.json())["input"]]
        return JSONResponse(
            {
                "embeddings": [embedding for embedding, _, _ in results],
                "tokens": sum(tokens for _, tokens, _ in results),
                "truncated": any(truncated for _, _, truncated in results),
            }
        )

    return Starlette(routes=[Route("/embed", embed, methods=["POST"])])


def _exit_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


def main() -> None:
    """Load the model, report it as ready, and serve until standard input ends."""
    path, model, tokenizer, context_tokens, threads = sys.argv[1:]
    ready = os.dup(1)
    os.dup2(2, 1)
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    encoder = SentenceEncoder(model, tokenizer, int(context_tokens), int(threads))
    server = uvicorn.Server(uvicorn.Config(make_app(encoder), log_level="warning", access_log=False, lifespan="off"))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        # From now on connections are queued until they are accepted.
        os.write(ready, b"ready\n")
        server.run(sockets=[listener])


if __name__ == "__main__":
    main()
