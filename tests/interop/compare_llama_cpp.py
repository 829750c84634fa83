"""Speed and perplexity of longrope against llama.cpp and transformers: same weights, tokens and number of threads.

The weights are written twice, as safetensors for longrope and transformers and as GGUF of the same type for llama.cpp.
GGUF's llama rotates neighbours, so rows of its query and key matrices are in another order. SmolLM2-135M also runs as it
is quantised (q4_1): llama.cpp multiplies the blocks as they are, longrope and transformers compute in f32.

llama.cpp evaluates a prompt with logits for every position, in its default batches of 2048 and 512.
Its time ends with the logits; that of their reduction to nats is not counted. It runs twice:

    exact   keys and values in f32, plain attention: to compare nats
    fast    keys and values in f16, flash attention: as it is used

longrope: `seconds` of the second of two evaluations in one command, nats included. transformers: as in speed.py, nats
included; not with a table. Both longrope and llama.cpp compute angles in float32 here; llama.cpp's come from repeated
multiplication, so tokens far out differ. Mean nats must agree (check_nats() in speed.py), or it ends with an error,
after all rows.

On a processor with AVX-512, run.sh builds llama.cpp for it, which takes many minutes. With --wheel it does not; the wheel
has the kernels of AVX2.

    tests/interop/run.sh --llama-cpp
    tests/interop/run.sh --llama-cpp --shapes smollm2 --lengths 2048 8192      # the three side by side
"""

import argparse
import json
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np
import real_model
import safetensors
import torch
from gguf_model import demo_weights, of_bf16, save_gguf, to_bf16
from llama_cpp_engine import SETTINGS, close_llama, decode, open_llama
from llama_cpp_library import start
from program import CORPUS, DEMO, TEXT, inline, longrope, results
from safetensors.numpy import load_file
from speed import check_nats, load_transformers, logits_fit, time_transformers
from transformers.utils import logging

SHAPES = {"large": [2048, 16384], "demo": [2048, 16384], "smollm2": [2048, 8192]}
LOGITS_MEMORY = 12 * 2**30  # of transformers, as in speed.py

LARGE = dict(architectures=["LlamaForCausalLM"], model_type="llama", hidden_size=2048, num_attention_heads=32,
             num_key_value_heads=8, head_dim=64, intermediate_size=5632, num_hidden_layers=4, vocab_size=32000,
             max_position_embeddings=131072, rms_norm_eps=1e-5, rope_theta=10000.0, hidden_act="silu",
             tie_word_embeddings=False)  # fmt: skip


# ---- Weights ----


def large_weights():
    random = np.random.default_rng(1)
    hidden, inner, rows = LARGE["hidden_size"], LARGE["intermediate_size"], LARGE["vocab_size"]
    kv = LARGE["num_key_value_heads"] * LARGE["head_dim"]
    of_layer = {
        "self_attn.q_proj": (hidden, hidden), "self_attn.k_proj": (kv, hidden), "self_attn.v_proj": (kv, hidden),
        "self_attn.o_proj": (hidden, hidden), "mlp.gate_proj": (inner, hidden), "mlp.up_proj": (inner, hidden),
        "mlp.down_proj": (hidden, inner), "input_layernorm": (hidden,), "post_attention_layernorm": (hidden,),
    }  # fmt: skip
    shapes = {"model.embed_tokens.weight": (rows, hidden), "lm_head.weight": (rows, hidden), "model.norm.weight": (hidden,)}
    for layer in range(LARGE["num_hidden_layers"]):
        shapes.update({f"model.layers.{layer}.{name}.weight": shape for name, shape in of_layer.items()})
    weights = {}
    for name, shape in shapes.items():
        weights[name] = np.ones(shape, np.float32)
        if len(shape) == 2:
            weights[name] = random.standard_normal(shape, dtype=np.float32) * np.float32(0.02)
    return weights


def smollm2():
    """The configuration, weights and the folder of its files."""
    folder = real_model.folder("smollm2")
    if folder is None:
        sys.exit(f"{real_model.ABSENT}; REAL_MODELS names a folder with SmolLM2, and --shapes leaves it out")
    config = json.loads((folder / "smollm2/config.json").read_text())
    config["head_dim"] = config["hidden_size"] // config["num_attention_heads"]
    weights = load_file(folder / "smollm2/model.safetensors")
    return config, {name: x.astype(np.float32) for name, x in weights.items()}, folder


def save_safetensors(folder, config, weights, dtype):
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    convert, name = (to_bf16, "bfloat16") if dtype == "bf16" else (np.ascontiguousarray, "float32")
    kept = {key: convert(x) for key, x in weights.items()}
    tensors = {
        key: safetensors.TensorSpec(dtype=name, shape=x.shape, data_ptr=x.ctypes.data, data_len=x.nbytes)
        for key, x in kept.items()
    }
    safetensors.serialize_file(tensors, str(folder / "model.safetensors"), {"format": "pt"})


# ---- One against the other ----


def model_of(shape):
    if shape == "smollm2":
        return smollm2()[:2]
    if shape == "demo":
        return json.loads((DEMO / "config.json").read_text()), demo_weights()
    return LARGE, large_weights()


def make(shape, dtype, factors, folder):
    """Both files, and the configuration."""
    config, weights = model_of(shape)
    if dtype == "bf16":
        weights = {name: of_bf16(to_bf16(x)) for name, x in weights.items()}
    save_safetensors(folder / "hf", config, weights, dtype)
    if dtype == "q4_1":
        (folder / "model.gguf").symlink_to((smollm2()[2] / "smollm2.gguf").resolve())
    else:
        save_gguf(folder / "model.gguf", config, weights, dtype, factors)
    return config


def make_tokens(shape, length, config, folder):
    path = folder / "tokens.npy"
    if shape == "smollm2":
        (folder / "text.txt").write_bytes(b"".join(text.read_bytes() for text in CORPUS))
        longrope("tokenize", "--model", smollm2()[2] / "smollm2", "--text", folder / "text.txt", "--out", path)
        tokens = np.load(path)[:length]
    elif shape == "demo":
        tokens = np.frombuffer(TEXT.read_bytes(), np.uint8)[:length]
    else:
        tokens = np.random.default_rng(3).integers(0, config["vocab_size"], length)
    assert len(tokens) == length
    np.save(path, tokens.astype(np.int32))
    return tokens


class Times:
    """Seconds and mean nats of each program."""

    def __init__(self):
        self.seconds, self.nats = {}, {}

    def add(self, name, seconds, nats):
        self.seconds.setdefault(name, []).append(seconds)
        self.nats[name] = nats

    def medians(self):
        return {name: statistics.median(list_of) for name, list_of in self.seconds.items()}


def time_llama_cpp(path, tokens, threads, times):
    for setting in SETTINGS:
        model, context = open_llama(path, len(tokens), setting, threads)
        decode(context, model, tokens[:256])  # the first is slower
        seconds, nats = decode(context, model, tokens)
        times.add(setting, seconds, nats.mean())
        close_llama(model, context)


def time_both_ways(model, tokens, times):
    """The faster of transformers' two ways counts."""
    ways = [True, False] if logits_fit(model, len(tokens), LOGITS_MEMORY) else [True]
    times.add("transformers", *min(time_transformers(model, tokens, chunked) for chunked in ways))


def compare(shape, length, dtype, table, options, folder):
    pairs = LARGE["head_dim"] // 2  # of all models
    factors = 1 + np.arange(pairs) * 7 / (pairs - 1) if table else None
    config = make(shape, dtype, factors, folder)
    tokens = make_tokens(shape, length, config, folder)
    computed = "f32" if dtype == "q4_1" else dtype
    ours = ["--model", folder / ("model.gguf" if dtype == "q4_1" else "hf"), "--tokens", folder / "tokens.npy"]
    ours += ["--dtype", computed, "--threads", options.threads, "--angles", "f32", "--length", f"{length},{length}"]
    ours += ["--factors", inline(factors), "--attention-factor", 1] if table else ["--method", "none"]
    model = None if table else load_transformers(folder / "hf", computed)
    times = Times()
    for _ in range(options.repeats):
        _, second = results(*ours)
        times.add("longrope", second["seconds"], second["nll"])
        time_llama_cpp(folder / "model.gguf", tokens, options.threads, times)
        if model:
            time_both_ways(model, tokens, times)
    medians = times.medians()
    speed = {"longrope": length / medians["longrope"], "llama.cpp": length / min(medians[name] for name in SETTINGS)}
    if model:
        speed["transformers"] = length / medians["transformers"]
    return {
        "shape": shape, "length": length, "dtype": dtype, "table": table, "threads": options.threads,
        "repeats": options.repeats, "seconds": medians, "nll": times.nats, "all_seconds": times.seconds,
        "tokens_per_second": speed,
    }  # fmt: skip


PROGRAMS = ["longrope", "exact", "fast", "transformers"]
HEADING = (f"{'shape':7} {'length':>7} {'dtype':5} {'table':5}  {'tokens/s:':9} {'longrope':>9} {'llama.cpp':>9} {'transf.':>9}"
           f"   {'seconds:':8}" + "".join(f"{name[:8]:>10}" for name in PROGRAMS) + f"   {'nats:':5}"
           + "".join(f"{name[:8]:>10}" for name in PROGRAMS))  # fmt: skip


def cell(numbers, name, width, decimals):
    return f"{numbers[name]:{width}.{decimals}f}" if name in numbers else f"{'-':>{width}}"


def line(row):
    speed = " ".join(cell(row["tokens_per_second"], name, 9, 0) for name in ["longrope", "llama.cpp", "transformers"])
    seconds = "".join(cell(row["seconds"], name, 10, 3) for name in PROGRAMS)
    nats = "".join(cell(row["nll"], name, 10, 6) for name in PROGRAMS)
    return (f"{row['shape']:7} {row['length']:7} {row['dtype']:5} {'yes' if row['table'] else 'no':5}  {'':9} {speed}"
            f"   {'':8}{seconds}   {'':5}{nats}")  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=list(SHAPES))
    parser.add_argument("--lengths", nargs="+", type=int, help="tokens (default: each shape's own)")
    parser.add_argument("--dtypes", nargs="+", choices=["f32", "bf16", "q4_1"], default=["f32", "bf16", "q4_1"],
                        help="q4_1: of smollm2 only (default: all)")  # fmt: skip
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="prints a JSON object; the table goes to standard error")
    options = parser.parse_args()
    start()
    torch.set_num_threads(options.threads)
    logging.disable_progress_bar()
    output = sys.stderr if options.json else sys.stdout
    print(HEADING, file=output, flush=True)
    rows = []
    for shape in options.shapes:
        for length in options.lengths or SHAPES[shape]:
            for dtype in options.dtypes if shape == "smollm2" else [name for name in options.dtypes if name != "q4_1"]:
                for table in [False, True] if shape == "demo" else [False]:
                    folder = Path(tempfile.mkdtemp())
                    try:
                        rows.append(compare(shape, length, dtype, table, options, folder))
                    finally:
                        shutil.rmtree(folder)
                    print(line(rows[-1]), file=output, flush=True)
    if options.json:
        print(json.dumps({"results": rows}, indent=2))
    check_nats(rows, lambda row: row["nll"])


if __name__ == "__main__":
    main()
