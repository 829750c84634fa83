"""Perplexity by llama.cpp: one pass over a prompt with logits for every position."""

import ctypes
import sys
import time

import llama_cpp
import numpy as np

BATCH = 2048

# Type of keys and values (0: f32, 1: f16), and attention.
SETTINGS = {"exact": (0, llama_cpp.LLAMA_FLASH_ATTN_TYPE_DISABLED), "fast": (1, llama_cpp.LLAMA_FLASH_ATTN_TYPE_ENABLED)}


@llama_cpp.llama_log_callback
def report_errors(level, text, _):
    if level == 4:
        print(text.decode(errors="replace"), end="", file=sys.stderr)


def nats_of(logits, targets):
    """Sum over the rows."""
    total = 0.0
    for begin in range(0, len(targets), 256):
        rows = logits[begin : begin + 256].astype(np.float64)
        most = rows.max(axis=1)
        sums = np.log(np.exp(rows - most[:, None]).sum(axis=1)) + most
        total += (sums - rows[np.arange(len(rows)), targets[begin : begin + 256]]).sum()
    return total


def decode(context, vocabulary, tokens):
    """Seconds of the whole prompt, and mean nats."""
    batch = llama_cpp.llama_batch_init(BATCH, 0, 1)
    seconds, total = 0.0, 0.0
    llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(context), True)
    for begin in range(0, len(tokens), BATCH):
        part = tokens[begin : begin + BATCH]
        batch.n_tokens = len(part)
        for i, token in enumerate(part):
            batch.token[i], batch.pos[i], batch.logits[i] = int(token), begin + i, 1
            batch.n_seq_id[i], batch.seq_id[i][0] = 1, 0
        began = time.perf_counter()
        if llama_cpp.llama_decode(context, batch) != 0:
            sys.exit("llama_decode failed")
        pointer = llama_cpp.llama_get_logits(context)  # waits for them
        seconds += time.perf_counter() - began
        logits = np.ctypeslib.as_array(pointer, shape=(len(part), vocabulary))
        targets = tokens[begin + 1 : begin + 1 + len(part)]
        total += nats_of(logits[: len(targets)], targets)
    llama_cpp.llama_batch_free(batch)
    return seconds, total / (len(tokens) - 1)


def open_llama(path, length, setting, threads):
    model_options = llama_cpp.llama_model_default_params()
    model_options.n_gpu_layers = 0
    model = llama_cpp.llama_model_load_from_file(str(path).encode(), model_options)
    options = llama_cpp.llama_context_default_params()
    options.n_ctx = length
    options.n_batch = BATCH
    options.n_threads = options.n_threads_batch = threads
    options.type_k = options.type_v = SETTINGS[setting][0]
    options.flash_attn_type = SETTINGS[setting][1]
    context = llama_cpp.llama_init_from_model(model, options) if model else None
    if not context:
        sys.exit(f"llama.cpp could not open {path}")
    return model, context


def start_llama():
    """Once, before all else."""
    llama_cpp.llama_log_set(report_errors, ctypes.c_void_p(0))
    llama_cpp.llama_backend_init()


def close_llama(model, context):
    llama_cpp.llama_free(context)
    llama_cpp.llama_model_free(model)
