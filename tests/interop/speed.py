"""Speed of whole evaluations, the nats of every token of a window, against transformers on the CPU.

Same weights, same tokens, same number of threads, by turns in one run; loading is no part of it.

longrope: `seconds` of the second of two equal evaluations in one command. It covers scoring alone, from tokens to
mean nats; the first has grown the buffers and projected each token for the first layer, which does
not depend on the table, as a search does once for all its candidates. The first one's seconds are
printed beside it.

Mean nats must agree, or it ends with an error, after all rows.

transformers: sdpa attention, torch.inference_mode, use_cache=False, after a warm-up on a short window.
Logits are computed as a whole where they fit into --logits-memory and, always, in chunks of rows, each
reduced to its nats; the faster of the two counts.

    tests/interop/run.sh --speed                       # all of it: hours at 65536 tokens
    python tests/interop/speed.py --shapes demo --lengths 2048 --repeats 3
    python tests/interop/speed.py --memory             # longrope's peak memory at 131072 tokens
"""

import argparse
import json
import math
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from program import DEMO, LONGROPE, TEXT, results
from safetensors import safe_open
from transformers import AutoModelForCausalLM, LlamaConfig
from transformers.utils import logging

LOGIT_ROWS = 1024  # of a chunk
WARM_UP = 256  # tokens
DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16}
SHAPES = {"large": [2048, 16384, 65536], "demo": [2048, 16384]}

LARGE = dict(hidden_size=2048, num_attention_heads=32, num_key_value_heads=8, intermediate_size=5632,
             num_hidden_layers=4, vocab_size=32000, max_position_embeddings=131072, rms_norm_eps=1e-5,
             tie_word_embeddings=False, bos_token_id=None, eos_token_id=None)  # fmt: skip


# ---- The models and their tokens ----


def save_large(folder, dtype):
    """A llama with random weights; `dtype` is that of its file, so that bf16 is bf16 in both programs."""
    path = folder / f"large-{dtype}"
    if not path.exists():
        torch.manual_seed(1)
        AutoModelForCausalLM.from_config(LlamaConfig(**LARGE)).to(DTYPES[dtype]).save_pretrained(path)
    return path


def make_model(shape, dtype, folder):
    return DEMO if shape == "demo" else save_large(folder, dtype)


def make_tokens(shape, length, folder):
    if shape == "demo":
        tokens = np.frombuffer(TEXT.read_bytes(), dtype=np.uint8)[:length]
    else:
        tokens = np.random.default_rng(3).integers(0, LARGE["vocab_size"], length)
    assert len(tokens) == length
    path = folder / f"{shape}-{length}.npy"
    np.save(path, tokens.astype(np.int32))
    return path, tokens


# ---- longrope ----


def longrope_arguments(model, tokens, dtype, threads, lengths):
    return ["--model", model, "--tokens", tokens, "--length", lengths, "--dtype", dtype, "--threads", threads,
            "--method", "none"]  # fmt: skip


def time_longrope(model, tokens, length, dtype, threads):
    """Seconds of the first and the second evaluation, and mean nats. (Two methods could have equal tables, of which one
    is evaluated.)"""
    first, second = results(*longrope_arguments(model, tokens, dtype, threads, f"{length},{length}"))
    return first["seconds"], second["seconds"], second["nll"]


# A process of its own, and a small one: a child's peak cannot lie below its parent's size. Prints the
# child's largest resident size, and the largest seen of its anonymous memory, which leaves out pages of
# the mapped files that weights are read from; both in KiB.
PEAK = """
import os, re, sys, time
child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, 2, 1)])
anonymous, pid = 0, 0
while pid == 0:
    with open(f"/proc/{child}/status") as status:
        found = re.search("RssAnon:\\s*(\\d+)", status.read())
    anonymous = max(anonymous, int(found[1]) if found else 0)
    time.sleep(0.01)
    pid, status, usage = os.wait4(child, os.WNOHANG)
print(usage.ru_maxrss, anonymous)
sys.exit(os.waitstatus_to_exitcode(status))
"""


def peak_memory(*arguments):
    """Bytes of one evaluation: resident, and of that anonymous."""
    command = [LONGROPE, "eval", *map(str, longrope_arguments(*arguments))]
    done = subprocess.run([sys.executable, "-ISc", PEAK, *command], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(done.stderr)
    resident, anonymous = done.stdout.split()
    return int(resident) * 1024, int(anonymous) * 1024


# ---- transformers ----


def chunk_nats(model, hidden, targets):
    """Sum of nats, with logits of some rows at a time."""
    total = 0.0
    for begin in range(0, len(targets), LOGIT_ROWS):
        logits = model.lm_head(hidden[begin : begin + LOGIT_ROWS]).float()
        total += F.cross_entropy(logits, targets[begin : begin + LOGIT_ROWS], reduction="none").double().sum().item()
    return total


def time_transformers(model, tokens, chunked):
    """Seconds of one evaluation, and mean nats."""
    ids = torch.as_tensor(tokens.astype(np.int64))[None]
    with torch.inference_mode():
        began = time.perf_counter()
        if chunked:
            hidden = model.model(ids, use_cache=False).last_hidden_state[0, :-1]
            total = chunk_nats(model, hidden, ids[0, 1:])
        else:
            logits = model(ids, use_cache=False).logits[0, :-1].float()
            total = F.cross_entropy(logits, ids[0, 1:], reduction="none").double().sum().item()
        return time.perf_counter() - began, total / (len(tokens) - 1)


def load_transformers(path, dtype):
    model = AutoModelForCausalLM.from_pretrained(path, dtype=DTYPES[dtype], attn_implementation="sdpa").eval()
    time_transformers(model, np.arange(WARM_UP) % model.config.vocab_size, chunked=True)
    return model


# ---- One against the other ----


def logits_fit(model, length, memory):
    """As the model gives them, as float32, and as logarithms of probabilities."""
    copies = model.dtype.itemsize + (0 if model.dtype == torch.float32 else 4) + 4
    return length * model.config.vocab_size * copies <= memory


def compare(shape, length, dtype, options, folder):
    path = make_model(shape, dtype, folder)
    file, tokens = make_tokens(shape, length, folder)
    model = load_transformers(path, dtype)
    ways = ["chunked", "whole"] if logits_fit(model, length, options.logits_memory * 2**30) else ["chunked"]
    times = {"longrope": [], "longrope first": [], **{way: [] for way in ways}}
    repeats = options.repeats or (1 if length > 32768 else 3)
    for _ in range(repeats):
        first, second, ours = time_longrope(path, file, length, dtype, options.threads)
        times["longrope first"].append(first)
        times["longrope"].append(second)
        for way in ways:
            seconds, theirs = time_transformers(model, tokens, way == "chunked")
            times[way].append(seconds)
    medians = {name: statistics.median(list_of) for name, list_of in times.items()}
    best = min(medians[way] for way in ways)
    return {
        "shape": shape, "length": length, "dtype": dtype, "threads": options.threads, "repeats": repeats,
        "longrope_seconds": medians["longrope"], "longrope_first_seconds": medians["longrope first"],
        "transformers_chunked_seconds": medians["chunked"], "transformers_whole_seconds": medians.get("whole"),
        "longrope_tokens_per_second": length / medians["longrope"], "transformers_tokens_per_second": length / best,
        "ratio": best / medians["longrope"], "longrope_nll": ours, "transformers_nll": theirs, "seconds": times,
    }  # fmt: skip


def check_nats(rows, nats_of):
    """Ends the script if programs disagree, nats_of(row) being mean nats by program: then they did not compute the same,
    and their speed says nothing. Beyond 2048 tokens angles in f32 tell, far out of the demo model's window."""
    faults = []
    for row in rows:
        tolerance = 5e-3 if row["dtype"] == "f32" and row["length"] <= 2048 else 5e-2
        nats = nats_of(row)
        if not max(nats.values()) - min(nats.values()) < tolerance:
            named = ", ".join(f"{name} {value:.6f}" for name, value in nats.items())
            faults.append(f"{row['shape']}, {row['length']} tokens, {row['dtype']}: mean nats "
                          f"differ by more than {tolerance:g}: {named}")  # fmt: skip
    if faults:
        sys.exit("\n".join(faults))


HEADING = (f"{'shape':6} {'length':>7} {'dtype':5} {'repeats':>7}  {'longrope':>9} {'(first)':>9}  {'chunked':>9} "
           f"{'whole':>9}  {'longrope':>9} {'transf.':>9}  {'ratio':>6}  {'nats, longrope':>14} {'transf.':>9}\n"
           f"{'':28}  {'seconds':>9} {'':9}  {'seconds':>9} {'seconds':>9}  {'tokens/s':>9} {'tokens/s':>9}")  # fmt: skip


def speed_line(row):
    whole = row["transformers_whole_seconds"]
    return (f"{row['shape']:6} {row['length']:7} {row['dtype']:5} {row['repeats']:7}  {row['longrope_seconds']:9.3f} "
            f"{row['longrope_first_seconds']:9.3f}  {row['transformers_chunked_seconds']:9.3f} "
            f"{'-' if whole is None else format(whole, '.3f'):>9}  {row['longrope_tokens_per_second']:9.0f} "
            f"{row['transformers_tokens_per_second']:9.0f}  {row['ratio']:6.2f}  {row['longrope_nll']:14.5f} "
            f"{row['transformers_nll']:9.5f}")  # fmt: skip


# ---- Memory ----


def measure_memory(length, dtype, options, folder):
    path = make_model("large", dtype, folder)
    file, _ = make_tokens("large", length, folder)
    resident, anonymous = peak_memory(path, file, dtype, options.threads, length)
    with safe_open(path / "model.safetensors", "pt") as tensors:
        numbers = sum(math.prod(tensors.get_slice(name).get_shape()) for name in tensors.keys())
    weights = numbers * DTYPES[dtype].itemsize
    return {
        "shape": "large", "length": length, "dtype": dtype, "threads": options.threads, "weights_bytes": weights,
        "peak_bytes": resident, "peak_anonymous_bytes": anonymous, "bytes_over_weights": anonymous - weights,
        "bytes_over_weights_per_token": (anonymous - weights) / length,
    }  # fmt: skip


def memory_line(row):
    weights, resident, anonymous, over = (
        row[name] / 2**20 for name in ["weights_bytes", "peak_bytes", "peak_anonymous_bytes", "bytes_over_weights"]
    )
    return (f"{row['shape']} {row['length']} tokens, {row['dtype']}: weights {weights:.0f} MiB; peak {resident:.0f} MiB "
            f"resident with the files mapped, {anonymous:.0f} MiB without: {over:.0f} MiB over the weights, "
            f"{row['bytes_over_weights_per_token']:.0f} bytes a token")  # fmt: skip


def measurements(options, folder):
    """Each as an object, and as a line of text."""
    if options.memory:
        for dtype in options.dtypes:
            row = measure_memory(options.memory_length, dtype, options, folder)
            yield row, memory_line(row)
        return
    for shape in options.shapes:
        for length in options.lengths or SHAPES[shape]:
            for dtype in options.dtypes:
                row = compare(shape, length, dtype, options, folder)
                yield row, speed_line(row)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=list(SHAPES))
    parser.add_argument("--lengths", nargs="+", type=int, help="tokens (default: each shape's own)")
    parser.add_argument("--dtypes", nargs="+", choices=DTYPES, default=list(DTYPES))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=0, help="(default: 3, beyond 32768 tokens 1)")
    parser.add_argument("--logits-memory", type=float, default=12, help="GiB for logits as a whole (default: 12)")
    parser.add_argument("--memory", action="store_true", help="measure memory instead")
    parser.add_argument("--memory-length", type=int, default=131072, help="tokens (default: 131072)")
    parser.add_argument("--models", type=Path, help="a folder to keep the large models in (default: a temporary one)")
    parser.add_argument("--json", action="store_true", help="prints a JSON object; the table goes to standard error")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    logging.disable_progress_bar()
    table = sys.stderr if options.json else sys.stdout
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.models or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        if not options.memory:
            print(HEADING, file=table, flush=True)
        for row, line in measurements(options, folder):
            rows.append(row)
            print(line, file=table, flush=True)
    if options.json:
        print(json.dumps({"results": rows}, indent=2))
    if not options.memory:
        check_nats(rows, lambda row: {name: row[f"{name}_nll"] for name in ("longrope", "transformers")})


if __name__ == "__main__":
    main()
