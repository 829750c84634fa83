"""Tables that were exported to GGUF, in llama.cpp and in longrope: same weights, tokens and perplexity.

The demo model is written as GGUF in f32, once as it is and once with llama 3's scaling of its own (a config.json
that says so, and rope_freqs.weight in the GGUF). Two tables made by hand, a short one up to the window of 256 tokens
and a long one up to 2048, go through `longrope export --format gguf`. llama.cpp then takes the short table where it
was started with a context of at most the window, and the long one beyond: contexts on both sides are compared, also
with the same tokens. Keys and values are f32, attention is plain.

Perplexities must agree to 1e-3, and the other table must be ten times as far off, so that agreement means something.
llama.cpp computes angles in f32 by repeated multiplication; 2048 tokens are near enough for that.

    tests/interop/run.sh --llama-cpp-export            # builds llama.cpp the first time, which takes minutes
"""

import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from gguf_model import demo_weights, save_gguf
from llama_cpp_engine import close_llama, decode, open_llama, start_llama
from program import DEMO, LONGROPE, TEXT, inline, result

CONFIG = json.loads((DEMO / "config.json").read_text())
WINDOW, TARGET = CONFIG["max_position_embeddings"], 2048
PAIRS = CONFIG["head_dim"] // 2
ATTENTION_FACTOR = 1.1
TOLERANCE = 1e-3
THREADS = 2

# A context for llama.cpp, tokens to score, and the table that must have been used.
CASES = [(WINDOW, WINDOW, "short"), (2 * WINDOW, WINDOW, "long"), (TARGET, TARGET, "long")]

LLAMA3 = {"rope_type": "llama3", "factor": 2.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": WINDOW}  # fmt: skip


# ---- Tables ----


def ramp(first, last):
    """0 before pair `first`, 1 from pair `last` on."""
    return np.clip((np.arange(PAIRS) - first) / (last - first), 0, 1)


def tables():
    """A long one as YaRN makes them, and a short one that slows fast pairs down, which it leaves alone."""
    grown = ramp(PAIRS // 4, PAIRS // 2)
    return {"short": 1 + 2 * ramp(0, PAIRS // 4), "long": 1 / (1 - grown + grown * WINDOW / TARGET)}


def save_factors(path):
    """As `longrope search` writes them."""
    entries = [
        {"name": name, "max_length": length, "scale": length / WINDOW, "factors": list(tables()[name]),
         "start_tokens": 0, "attention_factor": ATTENTION_FACTOR, "perplexity": None, "origin": "by hand"}
        for name, length in [("short", WINDOW), ("long", TARGET)]
    ]  # fmt: skip
    path.write_text(json.dumps({
        "format": "longrope-factors", "version": 1, "original_length": WINDOW, "rope_theta": CONFIG["rope_theta"],
        "tables": entries, "exportable_tables": entries,
    }))  # fmt: skip


def llama3_factors():
    """What LLAMA3 divides the frequencies by, as rope_freqs.weight holds it."""
    turns = CONFIG["rope_theta"] ** (-np.arange(PAIRS) / PAIRS) * WINDOW / (2 * math.pi)
    low, high = LLAMA3["low_freq_factor"], LLAMA3["high_freq_factor"]
    kept = np.clip((turns - low) / (high - low), 0, 1)
    return 1 / (kept + (1 - kept) / LLAMA3["factor"])


# ---- Models ----


def make_model(folder, scaled):
    """A folder for longrope, and a GGUF."""
    config = {**CONFIG, "rope_scaling": LLAMA3} if scaled else CONFIG
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "model.safetensors").symlink_to(DEMO / "model.safetensors")
    save_gguf(folder / "in.gguf", config, demo_weights(), "f32", llama3_factors() if scaled else None)


def export(factors, model):
    command = [LONGROPE, "export", factors, "--format", "gguf", "--model", model]
    command += ["--gguf", model / "in.gguf", "--out", model / "out.gguf"]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"longrope export: {done.stderr}")


# ---- Perplexity ----


def by_longrope(model, tokens, *table):
    return result("--model", model, "--tokens", tokens, "--length", len(np.load(tokens)), "--dtype", "f32", "--angles",
                  "f32", "--threads", THREADS, *table)["perplexity"]  # fmt: skip


def by_llama_cpp(path, size, tokens):
    model, context = open_llama(path, size, "exact", THREADS)
    _, nats = decode(context, CONFIG["vocab_size"], np.load(tokens))
    close_llama(model, context)
    return math.exp(nats)


def compare(model, factors, size, length, table):
    """Prints a row; whether it is as it should be."""
    tokens = model / f"{length}.npy"
    np.save(tokens, np.frombuffer(TEXT.read_bytes(), np.uint8)[:length].astype(np.int32))
    given = [inline(tables()[table]), "--attention-factor", ATTENTION_FACTOR]
    if (length > WINDOW) == (table == "long"):
        given = [factors]  # it chooses the same
    other = inline(tables()["short" if table == "long" else "long"])
    ours = by_longrope(model, tokens, "--factors", *given)
    theirs = by_llama_cpp(model / "out.gguf", size, tokens)
    wrong = by_longrope(model, tokens, "--factors", other, "--attention-factor", ATTENTION_FACTOR)
    apart, wrong_apart = abs(theirs / ours - 1), abs(wrong / ours - 1)
    print(f"{model.name:7} {size:8} {length:7} {table:6} {ours:10.5f} {theirs:10.5f} {apart:10.1e} {wrong:12.5f}",
          flush=True)  # fmt: skip
    return apart < TOLERANCE < wrong_apart / 10


def main():
    start_llama()
    print(f"{'model':7} {'context':>8} {'tokens':>7} {'table':6} {'longrope':>10} {'llama.cpp':>10} {'apart':>10} "
          f"{'other table':>12}")  # fmt: skip
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        factors = folder / "factors.json"
        save_factors(factors)
        good = []
        for model in [folder / "plain", folder / "llama3"]:
            make_model(model, scaled=model.name == "llama3")
            export(factors, model)
            good += [compare(model, factors, *case) for case in CASES]
    if not all(good):
        sys.exit(f"{good.count(False)} of {len(good)} rows are not as they should be")
    print(f"llama.cpp reads exported tables as longrope scores them: perplexities within {TOLERANCE:g} on both sides")


if __name__ == "__main__":
    main()
