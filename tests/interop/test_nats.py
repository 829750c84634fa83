"""Nats of single tokens, from `longrope eval --nats`, against transformers' LlamaForCausalLM.

Angles. longrope computes them in double precision, transformers in float32, and that alone moves
nats by up to 1e-2 at position 4096 (a float32 angle of 4096 radians is off by up to 2e-4). So the
model's rotary embedding is replaced by one that computes angles in float64 and rounds cosine and
sine to float32, as longrope does. Its frequencies are those of transformers' own rope functions,
run in float64.

The tables themselves, `factors` and `attention_factor` of --json, are held against those functions
as they are, in float32, by test_table().

    LONGROPE=build/release/longrope pytest -q tests/interop        # -s shows the differences
"""

import contextlib
import json
import math
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

torch.set_num_threads(1)

SOURCE = Path(__file__).resolve().parents[2]
LONGROPE = os.environ.get("LONGROPE", str(SOURCE / "build/release/longrope"))
DEMO = SOURCE / "configs/demo/model"
TEXT = SOURCE / "configs/demo/corpus/on-the-keeping-of-clocks.txt"

METHODS = ["none", "pi", "ntk", "dynamic-ntk", "yarn"]
SCALE = 8.0  # of windows that need less; longer ones have the ratio that they need
TOKEN_TOLERANCE = 1e-4
MEAN_TOLERANCE = 1e-5


# ---- longrope ----


def longrope_eval(*arguments):
    """The only result of `longrope eval --json`."""
    command = [LONGROPE, "eval", "--json", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (result,) = json.loads(done.stdout)["results"]
    return result


def longrope_nats(tmp_path, *arguments):
    """float64 [length - 1], and the result."""
    path = tmp_path / "nats.npy"
    result = longrope_eval("--nats", path, *arguments)
    nats = np.load(path)
    assert nats.shape == (1, result["length"] - 1) and nats.dtype == np.float64
    assert abs(nats.mean() - result["nll"]) < 1e-12
    return nats[0], result


# ---- transformers ----


@contextlib.contextmanager
def float_is_double():
    """transformers' rope functions ask for torch.float by name."""
    single = torch.float, torch.float32
    torch.float = torch.float32 = torch.float64
    try:
        yield
    finally:
        torch.float, torch.float32 = single


def rope_table(config, method, scale, length):
    """transformers' inverse frequencies [pairs] and attention factor; the window of `config` is L0."""
    theta, width = config.rope_parameters["rope_theta"], config.head_dim
    rope_type = {"pi": "linear", "dynamic-ntk": "dynamic", "yarn": "yarn"}.get(method, "default")
    if method == "ntk":
        theta = theta * scale ** (width / (width - 2))
    parameters = {"rope_type": rope_type, "rope_theta": theta}
    if rope_type != "default":
        parameters["factor"] = scale
    if rope_type == "yarn":
        parameters["original_max_position_embeddings"] = config.max_position_embeddings
    changed = LlamaConfig(**{**config.to_dict(), "rope_parameters": parameters})
    if rope_type == "default":
        return LlamaRotaryEmbedding.compute_default_rope_parameters(changed)
    return ROPE_INIT_FUNCTIONS[rope_type](changed, device="cpu", seq_len=length)


class DoubleRotary(torch.nn.Module):
    """Stands in for LlamaRotaryEmbedding: angles in float64, and n_hat start tokens."""

    def __init__(self, base, rescaled, attention_factor, start_tokens=0):
        super().__init__()
        self.base, self.rescaled = base.double(), rescaled.double()  # [pairs], radians per token
        self.attention_factor, self.start_tokens = attention_factor, start_tokens

    def forward(self, x, position_ids):
        at = position_ids[..., None].double()
        half = torch.where(at < self.start_tokens, at * self.base, at * self.rescaled)
        angles = torch.cat((half, half), dim=-1)
        cos, sin = angles.cos() * self.attention_factor, angles.sin() * self.attention_factor
        return cos.to(x.dtype), sin.to(x.dtype)


def load(path, dtype):
    return LlamaForCausalLM.from_pretrained(path, dtype=dtype, attn_implementation="eager").eval()


def transformers_nats(model, rotary, tokens):
    """float64 [len(tokens) - 1]; softmax in float64 whatever the model computes in."""
    model.model.rotary_emb = rotary
    ids = torch.as_tensor(np.asarray(tokens, dtype=np.int64))[None]
    with torch.no_grad():
        logits = model(ids, use_cache=False).logits[0, :-1]
    return F.cross_entropy(logits.double(), ids[0, 1:], reduction="none").numpy()


def rotary_of(config, method, scale, length):
    with float_is_double():
        base, _ = rope_table(config, "none", 1.0, length)
        rescaled, attention_factor = rope_table(config, method, scale, length)
    assert base.dtype == rescaled.dtype == torch.float64
    return DoubleRotary(base, rescaled, attention_factor)


def compare(what, ours, theirs):
    """Prints and returns the largest difference of a token and the difference of the means."""
    token, mean = np.abs(ours - theirs).max(), abs(ours.mean() - theirs.mean())
    print(f"\n  {what}: token {token:.2e}, mean {mean:.2e}", end="")
    return token, mean


def scale_for(length, window):
    """A model far out of its depth amplifies float32's own noise: a window gets the ratio it needs."""
    return max(SCALE, length / window)


def hold_together(label, ours, single, double):
    print(f"\n{label}", end="")
    compare("longrope - float64     ", ours, double)
    compare("transformers - float64 ", single, double)
    token, mean = compare("longrope - transformers", ours, single)
    assert token < TOKEN_TOLERANCE
    assert mean < MEAN_TOLERANCE


# ---- the demo model ----


@pytest.fixture(scope="module")
def demo():
    """The demo model in float32 and in float64."""
    return load(DEMO, torch.float32), load(DEMO, torch.float64)


@pytest.fixture(scope="module")
def text():
    return np.frombuffer(TEXT.read_bytes(), dtype=np.uint8)


@pytest.mark.parametrize("length", [2, 255, 1000, 4096])
@pytest.mark.parametrize("method", METHODS)
def test_demo(demo, text, tmp_path, method, length):
    scale = scale_for(length, demo[0].config.max_position_embeddings)
    ours, _ = longrope_nats(
        tmp_path, "--model", DEMO, "--text", TEXT, "--length", length, "--method", method, "--scale", scale
    )
    rotary = rotary_of(demo[0].config, method, scale, length)
    single, double = (transformers_nats(model, rotary, text[:length]) for model in demo)
    hold_together(f"{method} {length}", ours, single, double)


@pytest.mark.parametrize("length", [2, 255, 1000, 4096])
def test_demo_table(demo, text, tmp_path, length):
    """A table that no formula gives, start tokens and an attention factor."""
    start_tokens, attention_factor = 28, 1.2
    scale = scale_for(length, demo[0].config.max_position_embeddings)
    factors = 1 + np.cumsum(np.random.default_rng(7).uniform(0, scale / 16, 32))  # up to about the scale
    ours, _ = longrope_nats(
        tmp_path, "--model", DEMO, "--text", TEXT, "--length", length, "--factors", ",".join(map(repr, factors.tolist())),
        "--start-tokens", start_tokens, "--attention-factor", attention_factor,
    )  # fmt: skip
    with float_is_double():
        base, _ = rope_table(demo[0].config, "none", 1.0, length)
    rotary = DoubleRotary(base, base / torch.from_numpy(factors), attention_factor, start_tokens)
    single, double = (transformers_nats(model, rotary, text[:length]) for model in demo)
    hold_together(f"table {length}", ours, single, double)


# ---- small models of other shapes and number types ----

SHAPES = {
    "grouped-bf16": (
        torch.bfloat16,
        dict(hidden_size=96, num_attention_heads=6, num_key_value_heads=2, head_dim=16, vocab_size=300),
    ),
    "tied-f16": (
        torch.float16,
        dict(hidden_size=64, num_attention_heads=4, num_key_value_heads=4, tie_word_embeddings=True, vocab_size=512),
    ),
    "wide-heads-f32": (
        torch.float32,
        dict(hidden_size=80, num_attention_heads=5, num_key_value_heads=1, head_dim=32, vocab_size=97, theta=500000.0),
    ),
}


def save_random_model(path, dtype, theta=10000.0, **shape):
    torch.manual_seed(11)
    config = LlamaConfig(
        **{"tie_word_embeddings": False, **shape},
        intermediate_size=3 * shape["hidden_size"] // 2,
        num_hidden_layers=3,
        max_position_embeddings=128,
        rms_norm_eps=1e-5,
        rope_parameters={"rope_type": "default", "rope_theta": theta},
    )
    model = LlamaForCausalLM(config)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter.uniform_(0.5, 1.5)  # norms, which begin as ones
            else:
                parameter.normal_(0, 0.15)  # sharper than the usual beginnings
    model.to(dtype).save_pretrained(path)


@pytest.mark.parametrize("length", [2, 255, 1000])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", SHAPES)
def test_random_model(tmp_path, shape, method, length):
    dtype, sizes = SHAPES[shape]
    save_random_model(tmp_path, dtype, **sizes)
    tokens = np.random.default_rng(3).integers(0, sizes["vocab_size"], length)
    np.save(tmp_path / "tokens.npy", tokens.astype([np.uint16, np.int32, np.int64][length % 3]))
    ours, _ = longrope_nats(
        tmp_path, "--model", tmp_path, "--tokens", tmp_path / "tokens.npy", "--length", length, "--method", method,
        "--scale", SCALE,
    )  # fmt: skip
    models = load(tmp_path, torch.float32), load(tmp_path, torch.float64)
    rotary = rotary_of(models[0].config, method, SCALE, length)
    single, double = (transformers_nats(model, rotary, tokens) for model in models)
    hold_together(f"{shape} {method} {length}", ours, single, double)


# ---- tables ----


@pytest.mark.parametrize("length", [64, 300, 1000])
@pytest.mark.parametrize("scale", [1.0, 2.5, 8.0, 64.0])
@pytest.mark.parametrize("head_dim, theta, window", [(16, 10000.0, 128), (32, 500000.0, 256), (64, 10000.0, 4096),
                                                     (128, 1000000.0, 32768), (6, 100.0, 8)])  # fmt: skip
def test_table(tmp_path, head_dim, theta, window, scale, length):
    """`factors` and `attention_factor` against transformers' functions as they are, to float32's precision."""
    config = LlamaConfig(
        hidden_size=8,
        intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        num_key_value_heads=1,
        head_dim=head_dim,
        vocab_size=256,
        max_position_embeddings=window,
        rope_parameters={"rope_type": "default", "rope_theta": theta},
    )
    LlamaForCausalLM(config).save_pretrained(tmp_path)
    base = theta ** -(np.arange(0, head_dim, 2) / head_dim)
    for method in METHODS:
        result = longrope_eval("--model", tmp_path, "--text", TEXT, "--length", length, "--method", method,
                               "--scale", scale)  # fmt: skip
        theirs, attention_factor = rope_table(config, method, scale, length)
        assert theirs.dtype == torch.float32
        np.testing.assert_allclose(base / np.array(result["factors"]), theirs.numpy(), rtol=1e-6, err_msg=method)
        assert math.isclose(result["attention_factor"], attention_factor, rel_tol=1e-12), method
