"""--angles f32: transformers as it is, with float32 angles.

How far float32 angles move a token's nats grows with its position. --angles f32 makes the same
roundings, so that nats come far nearer to transformers' than with exact angles: what is left is the
arithmetic's own noise. That holds for frequencies 1 / (lambda_i theta^(2i/d)), the default and the
dynamic ones and LongRoPE's. Frequencies of linear, llama3 and yarn are written differently in
transformers and differ in the last bit or two: those are only held to stay as near as exact angles.
"""

import families
import numpy as np
import pytest
import torch
from program import DEMO, TEXT, inline, nats as longrope_nats
from reference import MEAN_TOLERANCE, ROOT_MEAN_SQUARE_TOLERANCE, TOKEN_TOLERANCE, compare, load, nats, root_mean_square
from transformers import AutoModelForCausalLM

LENGTH = 3000  # positions at which rounding shows
LAST_BIT_TOLERANCE = 2e-3  # a token's, where frequencies differ in the last bits
RATIO = 0.35  # of the root mean square differences, to exact angles'

EXACT = ["llama-2", "llama-biases", "mistral", "qwen2", "phi3", "phi3-sliding", "default", "dynamic", "longrope",
         "longrope-factor", "longrope-attention-factor"]  # fmt: skip
LAST_BIT = ["llama-3", "qwen2-yarn", "qwen3-biases", "linear", "llama3", "yarn", "yarn-betas"]


def hold_angles(label, tmp_path, options, theirs, exact):
    print(f"\n{label}", end="")
    ours = {}
    for angles in ["f64", "f32"]:
        ours[angles], _ = longrope_nats(tmp_path, *options, "--dtype", "f32", "--angles", angles)
        token, mean = compare(f"longrope {angles} - transformers", ours[angles], theirs)
    assert token < (TOKEN_TOLERANCE if exact else LAST_BIT_TOLERANCE)
    assert mean < MEAN_TOLERANCE
    if exact:
        distance = root_mean_square(ours["f32"], theirs)
        assert distance < ROOT_MEAN_SQUARE_TOLERANCE
        assert distance < RATIO * root_mean_square(ours["f64"], theirs)


@pytest.mark.parametrize("name", EXACT + LAST_BIT)
def test_angles(saved, tmp_path, name):
    path = saved(name)
    tokens = families.random_tokens(tmp_path / "tokens.npy", LENGTH)
    options = ["--model", path, "--tokens", tmp_path / "tokens.npy", "--length", LENGTH, "--method", "none"]
    hold_angles(name, tmp_path, options, nats(load(path, torch.float32), tokens), name in EXACT)


def as_longrope(model, factors, attention_factor):
    """The same weights with LongRoPE factors for every length, and transformers' own rotary embedding."""
    config = type(model.config)(**{**model.config.to_dict(), "rope_parameters": families.rope(
        "longrope", rope_theta=model.config.rope_parameters["rope_theta"], original_max_position_embeddings=2,
        short_factor=factors, long_factor=factors, attention_factor=attention_factor,
    )})  # fmt: skip
    config._attn_implementation = "sdpa"
    changed = AutoModelForCausalLM.from_config(config)
    changed.load_state_dict(model.state_dict())
    return changed.eval()


def test_demo_table(tmp_path):
    """A table as an engine is given it."""
    model, length, scale = load(DEMO, torch.float32), 2048, 8.0
    text = np.frombuffer(TEXT.read_bytes(), dtype=np.uint8)[:length]
    factors = np.round(1 + np.cumsum(np.random.default_rng(7).uniform(0, scale / 16, 32)), 2).tolist()
    options = ["--model", DEMO, "--text", TEXT, "--length", length, "--factors", inline(factors),
               "--attention-factor", 1.17]  # fmt: skip
    hold_angles("demo table", tmp_path, options, nats(as_longrope(model, factors, 1.17), text), exact=True)


@pytest.mark.parametrize("name", ["linear", "dynamic", "longrope"])
def test_own_factors_multiply(saved, tmp_path, name):
    """A table on top of a model's own scaling is the product of their factors, and so of attention
    factors, given to transformers as LongRoPE's."""
    model, path = load(saved(name), torch.float32), saved(name)
    tokens = families.random_tokens(tmp_path / "tokens.npy", LENGTH)
    parameters = model.config.rope_parameters
    if name == "linear":
        own = np.full(12, parameters["factor"])
    elif name == "dynamic":
        scale = parameters["factor"] * LENGTH / families.WINDOW - (parameters["factor"] - 1)
        own = scale ** (2 * np.arange(12) / 22)
    else:
        own = np.array(parameters["long_factor"])
    own_attention_factor = model.model.rotary_emb.attention_scaling
    factors = np.round(1 + np.cumsum(np.random.default_rng(7).uniform(0, 0.5, 12)), 2)
    options = ["--model", path, "--tokens", tmp_path / "tokens.npy", "--length", LENGTH, "--factors", inline(factors),
               "--attention-factor", 1.1]  # fmt: skip
    engine = as_longrope(model, (own * factors).tolist(), own_attention_factor * 1.1)
    hold_angles(f"{name} times table", tmp_path, options, nats(engine, tokens), exact=True)
