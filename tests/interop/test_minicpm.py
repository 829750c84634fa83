"""MiniCPM, whose code comes with its models and not with transformers: its formulas, on top of transformers' Llama.

What it adds (openbmb/MiniCPM-2B and openbmb/MiniCPM4-8B, modeling_minicpm.py; arXiv 2404.06395, section 3): embeddings
times scale_emb, what attention and the feed-forward layer add to the stream times scale_depth / sqrt(layers), and what
goes into the output matrix divided by hidden_size / dim_model_base."""

import json
import math

import families
import numpy as np
import pytest
import torch
from program import nats as longrope_nats
from reference import hold_together, load, nats, rotary_of
from test_export import attention_factor, export, write_factors
from transformers import LlamaConfig

SCALES = {"scale_emb": 12, "scale_depth": 1.4, "dim_model_base": 24}


class Scaled(torch.nn.Module):
    def __init__(self, inner, scale):
        super().__init__()
        self.inner, self.scale = inner, scale

    def forward(self, *arguments, **named):
        out = self.inner(*arguments, **named)
        return (out[0] * self.scale, *out[1:]) if isinstance(out, tuple) else out * self.scale


def minicpm_of(path, dtype, scales):
    """The Llama that lies beside a MiniCPM's config.json, with the factors of MiniCPM."""
    model = load(path / "llama", dtype)
    model.model.embed_tokens = Scaled(model.model.embed_tokens, scales["scale_emb"])
    depth = scales["scale_depth"] / math.sqrt(model.config.num_hidden_layers)
    for layer in model.model.layers:
        layer.self_attn, layer.mlp = Scaled(layer.self_attn, depth), Scaled(layer.mlp, depth)
    model.model.norm = Scaled(model.model.norm, scales["dim_model_base"] / model.config.hidden_size)
    return model


def save(path, dtype, rotary, scales, **more):
    family = families.Family(LlamaConfig, 4, 2, 96, dtype, more=dict(rope_parameters=rotary, **more))
    families.save(family, path / "llama")
    config = json.loads((path / "llama/config.json").read_text())
    parameters = config.pop("rope_parameters")
    config["rope_theta"] = parameters.pop("rope_theta")
    config["rope_scaling"] = None if parameters["rope_type"] == "default" else parameters
    config |= {"model_type": "minicpm", "architectures": ["MiniCPMForCausalLM"], **scales}
    (path / "config.json").write_text(json.dumps(config))
    (path / "model.safetensors").symlink_to("llama/model.safetensors")
    return path


CASES = {
    "plain": (torch.bfloat16, families.rope(), {"tie_word_embeddings": True}),
    "longrope": (torch.float32, families.longrope(), {}),
    "biases": (torch.float16, families.rope("linear", factor=2.5), {"attention_bias": True}),
}


def tokens_of(tmp_path, length):
    return families.random_tokens(tmp_path / "tokens.npy", length), ["--tokens", tmp_path / "tokens.npy", "--length",
                                                                     length]  # fmt: skip


@pytest.mark.parametrize("length", [families.ORIGINAL, families.ORIGINAL + 1, 600])
@pytest.mark.parametrize("method", ["none", "yarn"])
@pytest.mark.parametrize("name", CASES)
def test_minicpm(tmp_path, name, method, length):
    dtype, rotary, more = CASES[name]
    path = save(tmp_path / "model", dtype, {**rotary}, SCALES, head_dim=24, **more)
    tokens, options = tokens_of(tmp_path, length)
    ours, _ = longrope_nats(tmp_path, "--model", path, *options, "--dtype", "f32", "--method", method, "--scale", 4.0)
    theirs = []
    for dtype in (torch.float32, torch.float64):
        model = minicpm_of(path, dtype, SCALES)
        theirs.append(nats(model, tokens, rotary_of(model, method, 4.0, length)))
    hold_together(f"{name} {method} {length}", ours, *theirs)


def test_bf16(tmp_path):
    path = save(tmp_path / "model", torch.bfloat16, families.rope(), SCALES, head_dim=24)
    _, options = tokens_of(tmp_path, 600)
    single, half = (longrope_nats(tmp_path, "--model", path, *options, "--method", "none", "--dtype", arithmetic)[0]
                    for arithmetic in ["f32", "bf16"])  # fmt: skip
    assert abs(single.mean() - half.mean()) < 5e-3


@pytest.mark.parametrize("key", SCALES)
def test_every_scale_counts(tmp_path, key):
    """And without a key its value is 1, as in MiniCPM's own configuration class."""
    path = save(tmp_path / "model", torch.float32, families.rope(), SCALES, head_dim=24)
    _, options = tokens_of(tmp_path, 300)
    options = ["--model", path, *options, "--method", "none", "--dtype", "f32"]
    with_it, _ = longrope_nats(tmp_path, *options)
    found = []
    for change in [{key: 1}, {key: None}]:
        config = json.loads((path / "config.json").read_text())
        (path / "config.json").write_text(json.dumps({**config, **change}))
        found.append(longrope_nats(tmp_path, *options)[0])
    assert np.abs(with_it - found[0]).max() > 1e-3
    np.testing.assert_array_equal(*found)


def test_export(tmp_path):
    """What the code of MiniCPM reads, and both tables as `eval` reads them."""
    path = save(tmp_path / "model", torch.float32, families.rope(), SCALES, head_dim=24)
    source = write_factors(tmp_path / "f.json", 12, families.WINDOW, 4 * families.WINDOW, 10000.0,
                           attention_factor(4, families.WINDOW))  # fmt: skip
    export(source, "--format", "hf", "--model", path, "--weights", "link", "--out", tmp_path / "exported")
    config = json.loads((tmp_path / "exported/config.json").read_text())
    scaling = config["rope_scaling"]
    assert scaling["rope_type"] == scaling["type"] == "longrope"
    assert scaling["original_max_position_embeddings"] == families.WINDOW
    assert config["max_position_embeddings"] == 4 * families.WINDOW
    assert {key: config[key] for key in SCALES} == SCALES
    for length in [families.WINDOW, families.WINDOW + 1]:
        _, options = tokens_of(tmp_path, length)
        ours, _ = longrope_nats(tmp_path, "--model", path, *options, "--dtype", "f32", "--factors", source)
        exported, _ = longrope_nats(tmp_path, "--model", tmp_path / "exported", *options, "--dtype", "f32",
                                    "--method", "none")  # fmt: skip
        np.testing.assert_allclose(ours, exported, atol=1e-5)
