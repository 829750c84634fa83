"""Nats by llama.cpp: one pass over a prompt with logits for every position."""

import sys
import time
from pathlib import Path

import numpy as np
from llama_cpp_library import floats, lib, tokens_at

BATCH = 2048
LOGITS = 2**27  # numbers that a batch may have: half a gigabyte

# Type of keys and values (0: f32, 1: f16), and attention.
SETTINGS = {"exact": (0, lib.LLAMA_FLASH_ATTN_TYPE_DISABLED), "fast": (1, lib.LLAMA_FLASH_ATTN_TYPE_ENABLED)}


def vocabulary_of(model):
    return lib.llama_vocab_n_tokens(lib.llama_model_get_vocab(model))


def nats_of(logits, targets):
    """float64, one per row."""
    nats = np.empty(len(targets))
    for begin in range(0, len(targets), 256):
        rows = logits[begin : begin + 256].astype(np.float64)
        most = rows.max(axis=1)
        sums = np.log(np.exp(rows - most[:, None]).sum(axis=1)) + most
        nats[begin : begin + 256] = sums - rows[np.arange(len(rows)), targets[begin : begin + 256]]
    return nats


def decode(context, model, tokens):
    """Seconds of the whole prompt, and nats: float64 [tokens - 1]."""
    size, vocabulary = lib.llama_n_batch(context), vocabulary_of(model)
    batch = lib.llama_batch_init(size, 0, 1)
    seconds, nats = 0.0, []
    lib.llama_memory_clear(lib.llama_get_memory(context), True)
    for begin in range(0, len(tokens), size):
        part = tokens[begin : begin + size]
        batch.n_tokens = len(part)
        for i, token in enumerate(part):
            batch.token[i], batch.pos[i], batch.logits[i] = int(token), begin + i, 1
            batch.n_seq_id[i], batch.seq_id[i][0] = 1, 0
        began = time.perf_counter()
        if lib.llama_decode(context, batch) != 0:
            sys.exit("llama_decode failed")
        pointer = lib.llama_get_logits(context)  # waits for them
        seconds += time.perf_counter() - began
        targets = tokens[begin + 1 : begin + 1 + len(part)]
        logits = floats(pointer, len(part) * vocabulary).reshape(len(part), vocabulary)
        nats.append(nats_of(logits[: len(targets)], targets))
    lib.llama_batch_free(batch)
    return seconds, np.concatenate(nats)


def load(path):
    options = lib.llama_model_default_params()
    options.n_gpu_layers = 0
    if " amx_int8 " in Path("/proc/cpuinfo").read_text():
        options.use_extra_bufts = False  # its AMX products of quantised matrices end in a segmentation fault (llama.cpp#20824)
    model = lib.llama_model_load_from_file(str(path).encode(), options)
    if not model:
        sys.exit(f"llama.cpp could not load {path}")
    return model


def tokenize(path, text):
    """int32: the tokens of bytes, with those that the model's tokenizer adds."""
    model = load(path)
    tokens = np.empty(len(text) + 2, np.int32)
    count = lib.llama_tokenize(lib.llama_model_get_vocab(model), text, len(text), tokens_at(tokens), len(tokens), True, False)
    lib.llama_model_free(model)
    if count < 0:
        sys.exit(f"llama.cpp could not tokenize with {path}")
    return tokens[:count]


def open_llama(path, length, setting, threads):
    model = load(path)
    options = lib.llama_context_default_params()
    options.n_ctx = length
    options.n_batch = min(BATCH, LOGITS // vocabulary_of(model))
    options.n_threads = options.n_threads_batch = threads
    options.type_k = options.type_v = SETTINGS[setting][0]
    options.flash_attn_type = SETTINGS[setting][1]
    context = lib.llama_init_from_model(model, options)
    if not context:
        sys.exit(f"llama.cpp could not open {path} with a context of {length}")
    return model, context


def close_llama(model, context):
    lib.llama_free(context)
    lib.llama_model_free(model)
