"""Serve one GGUF file with llama.cpp's own HTTP server on this machine: serve.py FILE PORT CONTEXT THREADS."""

import signal
import sys
import threading

import xllamacpp

path, (port, context, threads) = sys.argv[1], map(int, sys.argv[2:5])
params = xllamacpp.CommonParams()
params.model.path = path
params.hostnames = ["127.0.0.1"]
params.port, params.n_ctx, params.n_parallel = port, context, 1
for cpu in (params.cpuparams, params.cpuparams_batch):
    cpu.n_threads = threads
    cpu.poll = 0  # spinning threads starve each other on a busy machine
params.use_jinja, params.ui = True, False
params.cache_ram_mib = 0
params.sampling.seed = 42
stop = threading.Event()
for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, lambda *_: stop.set())
server = xllamacpp.Server(params)
stop.wait()
