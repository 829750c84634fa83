"""Tables that were exported to GGUF, in llama.cpp and in longrope: same weights, tokens and perplexity.

The demo model is written as GGUF in f32, once as it is and once with llama 3's scaling of its own (a config.json
that says so, and rope_freqs.weight in the GGUF). Two tables made by hand, a short one up to the window of 256 tokens
and a long one up to 2048, go through `longrope export --format gguf`. llama.cpp then takes the short table where it
was started with a context of at most the window, and the long one beyond: contexts on both sides are compared, also
with the same tokens. Keys and values are f32, attention is plain.

Perplexities must agree to 1e-3, and the other table must be ten times as far off, so that agreement means something.
llama.cpp computes angles in f32 by repeated multiplication; 2048 tokens are near enough for that.

--real adds models as people have them. SmolLM2-135M (Q4_1) gets such tables for its window of 8 192, once in its own
quantised form and once as a GGUF of the same numbers in f32; Gemma 3 270M (Q4_K_M, no table) is compared at 2 048 and
6 000 tokens, where most of its layers see 512 tokens only. llama.cpp rounds the inputs of quantised matrices to 8 bits,
longrope does not: there perplexities must agree to 1 %, and on the f32 file, where neither rounds, to 1e-5. (Seen with
2 048 tokens of SmolLM2: Q4_1 0.14 % with the short table and 0.74 % with the long one, f32 6.5e-8 and 5.8e-7.)

    tests/interop/run.sh --llama-cpp-export                    # seconds, after the installation
    tests/interop/run.sh --llama-cpp-export --real [FOLDER]    # minutes; FOLDER has smollm2.gguf and gemma3.gguf
    tests/interop/run.sh --llama-cpp-export --short            # the demo model, and 512 tokens of SmolLM2 in f32
"""

import argparse
import json
import math
import sys
import tempfile
from pathlib import Path

import numpy as np
import real_model
from gguf_model import demo_weights, dequantise, save_gguf
from hand_tables import Tables
from llama_cpp_engine import close_llama, decode, open_llama, tokenize
from llama_cpp_library import start
from program import CORPUS, DEMO, TEXT, longrope, result

CONFIG = json.loads((DEMO / "config.json").read_text())
WINDOW, TARGET = CONFIG["max_position_embeddings"], 2048
EXACT, ROUNDED = 1e-5, 1e-2  # of perplexities, where llama.cpp multiplies floats and where it rounds to 8 bits
DEMO_TOLERANCE = 1e-3
THREADS = 2

# A context for llama.cpp, tokens to score, and the table that must have been used.
CASES = [(WINDOW, WINDOW, "short"), (2 * WINDOW, WINDOW, "long"), (TARGET, TARGET, "long")]

LLAMA3 = {"rope_type": "llama3", "factor": 2.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": WINDOW}  # fmt: skip

# Of SmolLM2.
SMOLLM2 = {"rope_theta": 100000.0, "max_position_embeddings": 8192, "head_dim": 64}
SWITCH = [(8192, "short"), (8448, "long")]  # contexts on both sides, and their tables


# ---- Models ----


def llama3_factors(pairs):
    """What LLAMA3 divides the frequencies by, as rope_freqs.weight holds it."""
    turns = CONFIG["rope_theta"] ** (-np.arange(pairs) / pairs) * WINDOW / (2 * math.pi)
    low, high = LLAMA3["low_freq_factor"], LLAMA3["high_freq_factor"]
    kept = np.clip((turns - low) / (high - low), 0, 1)
    return 1 / (kept + (1 - kept) / LLAMA3["factor"])


def make_model(folder, scaled):
    """A folder for longrope, and a GGUF."""
    config = {**CONFIG, "rope_scaling": LLAMA3} if scaled else CONFIG
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "model.safetensors").symlink_to(DEMO / "model.safetensors")
    save_gguf(folder / "in.gguf", config, demo_weights(), "f32",
              llama3_factors(CONFIG["head_dim"] // 2) if scaled else None)  # fmt: skip


# ---- Perplexity ----


def by_longrope(model, tokens, *table):
    return result("--model", model, "--tokens", tokens, "--length", len(np.load(tokens)), "--dtype", "f32", "--angles",
                  "f32", "--threads", THREADS, *table)["perplexity"]  # fmt: skip


def by_llama_cpp(path, size, tokens):
    model, context = open_llama(path, size, "exact", THREADS)
    _, nats = decode(context, model, np.load(tokens))
    close_llama(model, context)
    return math.exp(nats.mean())


HEADING = f"{'model':12} {'context':>8} {'tokens':>7} {'table':6} {'longrope':>10} {'llama.cpp':>10} {'apart':>10} other table"


def report(name, size, tokens, table, ours, theirs, tolerance, wrong=None):
    """Prints a row; whether it is as it should be: `wrong` is the perplexity with the other table."""
    apart = abs(theirs / ours - 1)
    print(f"{name:12} {size:8} {len(np.load(tokens)):7} {table:6} {ours:10.5f} {theirs:10.5f} {apart:10.1e} "
          f"{'' if wrong is None else format(wrong, '11.5f')}", flush=True)  # fmt: skip
    return apart < tolerance and (wrong is None or abs(wrong / ours - 1) > 10 * tolerance)


def compare_demo(model, tables, factors, size, length, table):
    tokens = model / f"{length}.npy"
    np.save(tokens, np.frombuffer(TEXT.read_bytes(), np.uint8)[:length].astype(np.int32))
    given = tables.arguments(table)
    if (length > WINDOW) == (table == "long"):
        given = ["--factors", factors]  # it chooses the same
    ours = by_longrope(model, tokens, *given)
    wrong = by_longrope(model, tokens, *tables.arguments("short" if table == "long" else "long"))
    theirs = by_llama_cpp(model / "out.gguf", size, tokens)
    return report(model.name, size, tokens, table, ours, theirs, DEMO_TOLERANCE, wrong)


def check_demo(folder):
    factors, tables = folder / "factors.json", Tables(CONFIG, TARGET)
    tables.save(factors)
    good = []
    for model in [folder / "plain", folder / "llama3"]:
        make_model(model, scaled=model.name == "llama3")
        longrope("export", factors, "--format", "gguf", "--model", model, "--gguf", model / "in.gguf", "--out",
                 model / "out.gguf")  # fmt: skip
        good += [compare_demo(model, tables, factors, *case) for case in CASES]
    return good


# ---- Real models ----


def text_tokens(model, count, folder):
    """The first tokens of all texts of the demo, by llama.cpp: longrope does not read Gemma's tokenizer."""
    tokens = tokenize(model, b"".join(path.read_bytes() for path in CORPUS))
    assert len(tokens) >= count
    np.save(folder / "tokens.npy", tokens[:count])
    return folder / "tokens.npy"


def check_smollm2(source, count, quantised, folder):
    """The same tokens with contexts on both sides of the switch between the tables."""
    tables, tokens = Tables(SMOLLM2, 16384), text_tokens(source, count, folder)
    tables.save(folder / "factors.json")
    ours = {name: by_longrope(source, tokens, *tables.arguments(name)) for name in ("short", "long")}
    forms = [("smollm2 f32", folder / "f32.gguf", EXACT)]
    dequantise(source, folder / "f32.gguf")
    if quantised:
        forms.append(("smollm2 q4_1", source, ROUNDED))
    good = []
    for name, model, tolerance in forms:
        longrope("export", folder / "factors.json", "--format", "gguf", "--model", model, "--out", folder / "out.gguf",
                 "--force")  # fmt: skip
        for size, table in SWITCH:
            wrong = ours["short" if table == "long" else "long"]
            theirs = by_llama_cpp(folder / "out.gguf", size, tokens)
            good.append(report(name, size, tokens, table, ours[table], theirs, tolerance, wrong))
    return good


def check_gemma3(model, folder):
    good = []
    for count in (2048, 6000):
        tokens = text_tokens(model, count, folder)
        ours = by_longrope(model, tokens, "--method", "none")
        good.append(report("gemma3 q4_k", count, tokens, "none", ours, by_llama_cpp(model, count, tokens), ROUNDED))
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, help="folder of the real models (default: REAL_MODELS, or build/models)")
    parser.add_argument("--real", action="store_true", help="the real models, too")
    parser.add_argument("--models", nargs="+", choices=["smollm2", "gemma3"], default=["smollm2", "gemma3"],
                        help="of --real (default: all)")  # fmt: skip
    parser.add_argument("--short", action="store_true", help="of the real models 512 tokens of SmolLM2 in f32")
    parser.add_argument("--tokens", type=int, default=2048, help="of SmolLM2 (default: 2048)")
    options = parser.parse_args()
    start()
    print(HEADING)
    good = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        good += check_demo(folder)
        for model in options.models if options.real else ["smollm2"] if options.short else []:
            place = options.folder or real_model.folder(model)
            if place is None:
                print(f"{model} is left out: {real_model.ABSENT}")
            elif model == "gemma3":
                good += check_gemma3(place / "gemma3.gguf", folder)
            else:
                good += check_smollm2(place / "smollm2.gguf", 512 if options.short else options.tokens, not options.short,
                                      folder)  # fmt: skip
    if not all(good):
        sys.exit(f"{good.count(False)} of {len(good)} rows are not as they should be")
    print(f"llama.cpp reads exported tables as longrope scores them, on both sides of the switch: {len(good)} rows")


if __name__ == "__main__":
    main()
