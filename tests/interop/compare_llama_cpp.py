"""Speed and perplexity of longrope against llama.cpp: same weights, tokens and number of threads.

The weights are written twice, for longrope as safetensors and for llama.cpp as GGUF of the same type.
GGUF's llama rotates neighbours, so rows of its query and key matrices are in another order.

llama.cpp evaluates a prompt with logits for every position, in its default batches of 2048 and 512.
Its time ends with the logits; that of their reduction to nats is not counted. It runs twice:

    exact   keys and values in f32, plain attention: to compare nats
    fast    keys and values in f16, flash attention: as it is used

longrope: `seconds` of the second of two evaluations in one command, nats included. Both compute
angles in float32 here; llama.cpp's come from repeated multiplication, so tokens far out differ.

    tests/interop/run.sh --llama-cpp                   # builds llama.cpp, which takes minutes
    build/llama-cpp-venv/bin/python tests/interop/compare_llama_cpp.py --shapes demo --lengths 2048
"""

import argparse
import json
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np
import safetensors
from gguf_model import demo_weights, of_bf16, save_gguf, to_bf16
from llama_cpp_engine import SETTINGS, close_llama, decode, open_llama, start_llama
from program import DEMO, TEXT, inline, results

SHAPES = {"large": [2048, 16384], "demo": [2048, 16384]}

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


def save_safetensors(folder, config, weights, dtype):
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    convert, name = (to_bf16, "bfloat16") if dtype == "bf16" else (np.ascontiguousarray, "float32")
    kept = {key: convert(x) for key, x in weights.items()}
    tensors = {
        key: safetensors.TensorSpec(dtype=name, shape=x.shape, data_ptr=x.ctypes.data, data_len=x.nbytes)
        for key, x in kept.items()
    }
    safetensors.serialize_file(tensors, str(folder / "model.safetensors"))


# ---- One against the other ----


def make(shape, dtype, factors, folder):
    """Both files, and the configuration."""
    config = json.loads((DEMO / "config.json").read_text()) if shape == "demo" else LARGE
    weights = demo_weights() if shape == "demo" else large_weights()
    if dtype == "bf16":
        weights = {name: of_bf16(to_bf16(x)) for name, x in weights.items()}
    save_safetensors(folder / "hf", config, weights, dtype)
    save_gguf(folder / "model.gguf", config, weights, dtype, factors)
    return config


def make_tokens(shape, length, config, path):
    if shape == "demo":
        tokens = np.frombuffer(TEXT.read_bytes(), np.uint8)[:length]
    else:
        tokens = np.random.default_rng(3).integers(0, config["vocab_size"], length)
    np.save(path, tokens.astype(np.int32))
    return tokens


def compare(shape, length, dtype, table, options, folder):
    pairs = LARGE["head_dim"] // 2  # of both models
    factors = 1 + np.arange(pairs) * 7 / (pairs - 1) if table else None
    config = make(shape, dtype, factors, folder)
    tokens = make_tokens(shape, length, config, folder / "tokens.npy")
    ours = ["--model", folder / "hf", "--tokens", folder / "tokens.npy", "--dtype", dtype, "--threads", options.threads]
    ours += ["--factors", inline(factors), "--attention-factor", 1] if table else ["--method", "none"]
    ours += ["--angles", "f32", "--length", f"{length},{length}"]
    times = {name: [] for name in ["longrope", *SETTINGS]}
    nats = {}
    for _ in range(options.repeats):
        _, second = results(*ours)
        times["longrope"].append(second["seconds"])
        nats["longrope"] = second["nll"]
        for setting in SETTINGS:
            model, context = open_llama(folder / "model.gguf", length, setting, options.threads)
            decode(context, config["vocab_size"], tokens[:256])  # the first is slower
            seconds, nats[setting] = decode(context, config["vocab_size"], tokens)
            times[setting].append(seconds)
            close_llama(model, context)
    medians = {name: statistics.median(list_of) for name, list_of in times.items()}
    best = min(medians[setting] for setting in SETTINGS)
    return {
        "shape": shape, "length": length, "dtype": dtype, "table": table, "threads": options.threads,
        "repeats": options.repeats, "seconds": medians, "nll": nats, "all_seconds": times,
        "tokens_per_second": {"longrope": length / medians["longrope"], "llama.cpp": length / best},
        "ratio": best / medians["longrope"],
    }  # fmt: skip


HEADING = (f"{'shape':6} {'length':>7} {'dtype':5} {'table':5}  {'longrope':>9} {'exact':>9} {'fast':>9}  {'longrope':>9} "
           f"{'llama.cpp':>9}  {'ratio':>6}  {'nats, longrope':>14} {'exact':>9} {'fast':>9}\n"
           f"{'':27}  {'seconds':>9} {'seconds':>9} {'seconds':>9}  {'tokens/s':>9} {'tokens/s':>9}")  # fmt: skip


def line(row):
    seconds, nats, speed = row["seconds"], row["nll"], row["tokens_per_second"]
    return (f"{row['shape']:6} {row['length']:7} {row['dtype']:5} {'yes' if row['table'] else 'no':5}  "
            f"{seconds['longrope']:9.3f} {seconds['exact']:9.3f} {seconds['fast']:9.3f}  {speed['longrope']:9.0f} "
            f"{speed['llama.cpp']:9.0f}  {row['ratio']:6.2f}  {nats['longrope']:14.6f} {nats['exact']:9.6f} "
            f"{nats['fast']:9.6f}")  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=list(SHAPES))
    parser.add_argument("--lengths", nargs="+", type=int, help="tokens (default: each shape's own)")
    parser.add_argument("--dtypes", nargs="+", choices=["f32", "bf16"], default=["f32", "bf16"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="prints a JSON object; the table goes to standard error")
    options = parser.parse_args()
    start_llama()
    output = sys.stderr if options.json else sys.stdout
    print(HEADING, file=output, flush=True)
    rows = []
    for shape in options.shapes:
        for length in options.lengths or SHAPES[shape]:
            for dtype in options.dtypes:
                for table in [False, True] if shape == "demo" else [False]:
                    folder = Path(tempfile.mkdtemp())
                    try:
                        rows.append(compare(shape, length, dtype, table, options, folder))
                    finally:
                        shutil.rmtree(folder)
                    print(line(rows[-1]), file=output, flush=True)
    if options.json:
        print(json.dumps({"results": rows}, indent=2))


if __name__ == "__main__":
    main()
