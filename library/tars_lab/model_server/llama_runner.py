# SPDX-License-Identifier: GPL-3.0-or-later
"""A process with one GGUF model: llama.cpp's own HTTP server on a Unix socket.

runners.py starts it as ``python -m … SOCKET MODEL CONTEXT_TOKENS THREADS``. It writes one line to standard output when
the model is loaded, and exits when its standard input ends, so that it cannot outlive the server.
"""

import os
import sys

import xllamacpp  # type: ignore[import-untyped]  # the wheel carries no type information


def main() -> None:
    """Load the model, report it as ready, and serve until standard input ends."""
    socket, model, context_tokens, threads = sys.argv[1:]
    # llama.cpp may log to standard output, which is reserved for the ready line.
    ready = os.dup(1)
    os.dup2(2, 1)
    parameters = xllamacpp.CommonParams()
    parameters.model.path = model
    parameters.hostnames = [socket]
    parameters.n_ctx = int(context_tokens)
    parameters.n_parallel = 1
    for cpu in (parameters.cpuparams, parameters.cpuparams_batch):
        cpu.n_threads = int(threads)
        cpu.poll = 0
    parameters.verbosity = 1
    parameters.ui = False
    # By default, prompts of earlier requests are cached in up to 8 GiB of memory.
    parameters.cache_ram_mib = 0
    parameters.cache_idle_slots = False
    server = xllamacpp.Server(parameters)
    os.write(ready, b"ready\n")
    sys.stdin.buffer.read()
    # The destructor would wait for a running computation, whose result is no longer needed.
    os._exit(0 if server else 1)


if __name__ == "__main__":
    main()
