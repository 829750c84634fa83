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
import ctypes
import json
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

import gguf
import llama_cpp
import numpy as np
import safetensors
from program import DEMO, TEXT, inline, results

SHAPES = {"large": [2048, 16384], "demo": [2048, 16384]}
SETTINGS = {"exact": (0, llama_cpp.LLAMA_FLASH_ATTN_TYPE_DISABLED), "fast": (1, llama_cpp.LLAMA_FLASH_ATTN_TYPE_ENABLED)}
BATCH = 2048

LARGE = dict(architectures=["LlamaForCausalLM"], model_type="llama", hidden_size=2048, num_attention_heads=32,
             num_key_value_heads=8, head_dim=64, intermediate_size=5632, num_hidden_layers=4, vocab_size=32000,
             max_position_embeddings=131072, rms_norm_eps=1e-5, rope_theta=10000.0, hidden_act="silu",
             tie_word_embeddings=False)  # fmt: skip


# ---- Weights ----


def to_bf16(x):
    """uint16, rounded to nearest even."""
    bits = np.ascontiguousarray(x, dtype=np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def of_bf16(x):
    return (x.astype(np.uint32) << 16).view(np.float32)


def demo_weights():
    tensors = safetensors.deserialize((DEMO / "model.safetensors").read_bytes())
    assert all(tensor["dtype"] == "BF16" for _, tensor in tensors)
    return {name: of_bf16(np.frombuffer(tensor["data"], np.uint16)).reshape(tensor["shape"]) for name, tensor in tensors}


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


def neighbours(x, heads):
    """Rows of a head: i and i + d/2 become 2i and 2i + 1."""
    return x.reshape(heads, 2, x.shape[0] // heads // 2, x.shape[1]).swapaxes(1, 2).reshape(x.shape)


GGUF_NAMES = {
    "model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight",
    "lm_head.weight": "output.weight", "self_attn.q_proj.weight": "attn_q.weight",
    "self_attn.k_proj.weight": "attn_k.weight", "self_attn.v_proj.weight": "attn_v.weight",
    "self_attn.o_proj.weight": "attn_output.weight", "mlp.gate_proj.weight": "ffn_gate.weight",
    "mlp.up_proj.weight": "ffn_up.weight", "mlp.down_proj.weight": "ffn_down.weight",
    "input_layernorm.weight": "attn_norm.weight", "post_attention_layernorm.weight": "ffn_norm.weight",
}  # fmt: skip


def gguf_name(name):
    if not name.startswith("model.layers."):
        return GGUF_NAMES[name]
    _, _, layer, rest = name.split(".", 3)
    return f"blk.{layer}.{GGUF_NAMES[rest]}"


def save_gguf(path, config, weights, dtype, factors):
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_vocab_size(config["vocab_size"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_key_length(config["head_dim"])
    writer.add_value_length(config["head_dim"])
    writer.add_rope_dimension_count(config["head_dim"])
    writer.add_rope_freq_base(config["rope_theta"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_tokenizer_model("none")
    if factors is not None:
        writer.add_tensor("rope_freqs.weight", np.array(factors, np.float32))
    for name, x in weights.items():
        if "q_proj" in name or "k_proj" in name:
            x = neighbours(x, x.shape[0] // config["head_dim"])
        if dtype == "bf16" and x.ndim == 2:
            writer.add_tensor(gguf_name(name), to_bf16(x).view(np.uint8), raw_dtype=gguf.GGMLQuantizationType.BF16)
        else:
            writer.add_tensor(gguf_name(name), np.ascontiguousarray(x))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


# ---- llama.cpp ----


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
            llama_cpp.llama_free(context)
            llama_cpp.llama_model_free(model)
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
    llama_cpp.llama_log_set(report_errors, ctypes.c_void_p(0))
    llama_cpp.llama_backend_init()
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
