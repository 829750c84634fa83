"""Nats of single tokens of every family and every rope type, against transformers' own classes."""

import itertools
import json

import families
import numpy as np
import pytest
import torch
from program import inline, nats as longrope_nats
from reference import METHODS, hold_together, load, nats, own_table, rotary_of, rotary_of_table

LENGTHS = [families.ORIGINAL, families.ORIGINAL + 1, families.WINDOW + 1, 600]
SCALE = 4.0


def arguments(path, tmp_path, length):
    tokens = families.random_tokens(tmp_path / "tokens.npy", length)
    options = ["--model", path, "--tokens", tmp_path / "tokens.npy", "--length", length, "--dtype", "f32"]
    return tokens, options


def hold_method(label, path, tmp_path, length, method):
    tokens, options = arguments(path, tmp_path, length)
    ours, _ = longrope_nats(tmp_path, *options, "--method", method, "--scale", SCALE)
    theirs = [
        nats(model, tokens, rotary_of(model, method, SCALE, length))
        for model in (load(path, torch.float32), load(path, torch.float64))
    ]
    hold_together(f"{label} {method} {length}", ours, *theirs)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("name", families.FAMILIES)
def test_family(saved, tmp_path, name, length):
    hold_method(name, saved(name), tmp_path, length, "none")


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("name", families.ROPE_TYPES)
def test_rope_type(saved, tmp_path, name, length):
    hold_method(name, saved(name), tmp_path, length, "none")


@pytest.mark.parametrize("method", METHODS[1:])
@pytest.mark.parametrize("name", ["linear", "dynamic", "llama3", "yarn", "longrope", "phi3", "mistral"])
def test_method_multiplies(saved, tmp_path, name, method):
    """A method's factors and attention factor multiply those that the model has itself."""
    hold_method(name, saved(name), tmp_path, 600, method)


@pytest.mark.parametrize("name", [*families.FAMILIES, "linear", "dynamic", "longrope"])
def test_table_multiplies(saved, tmp_path, name):
    """And so do those of a table that no formula gives, but for start tokens."""
    path, length, start_tokens, attention_factor = saved(name), 600, 28, 1.1
    tokens, options = arguments(path, tmp_path, length)
    models = load(path, torch.float32), load(path, torch.float64)
    pairs = len(models[0].model.rotary_emb.inv_freq)
    factors = 1 + np.cumsum(np.random.default_rng(7).uniform(0, 2 * SCALE / pairs, pairs))
    ours, _ = longrope_nats(
        tmp_path, *options, "--factors", inline(factors), "--attention-factor", attention_factor,
        "--start-tokens", start_tokens,
    )  # fmt: skip
    theirs = [
        nats(model, tokens, rotary_of_table(model, length, factors, attention_factor, start_tokens)) for model in models
    ]
    hold_together(f"{name} table", ours, *theirs)


@pytest.mark.parametrize("name", families.FAMILIES)
def test_every_tensor_counts(saved, name):
    """Were a tensor misread, the comparisons above would see it: a little noise on any one does more to
    the nats than their tolerances allow."""
    model = load(saved(name), torch.float32)
    tokens = np.random.default_rng(3).integers(0, families.VOCABULARY, 300)
    before = nats(model, tokens)
    torch.manual_seed(5)
    for label, parameter in model.named_parameters():
        kept = parameter.detach().clone()
        parameter.data.add_(torch.randn_like(kept) * 0.01)
        change = np.abs(nats(model, tokens) - before)
        parameter.data.copy_(kept)
        assert change.max() > 1e-3, f"{label}: {change.max():.1e}"


def test_every_rope_type_counts(saved):
    """No two rope types make the same table, but for an mscale alone, which transformers does not heed."""
    tables = {}
    for name in families.ROPE_TYPES:
        model = load(saved(name), torch.float32)
        frequencies, attention_factor = own_table(model.config, type(model.model.rotary_emb), 600)
        tables[name] = np.append(frequencies.numpy(), attention_factor)
    for (one, a), (other, b) in itertools.combinations(tables.items(), 2):
        same = {one, other} == {"yarn", "yarn-mscale-alone"}
        assert np.allclose(a, b, rtol=1e-3, atol=0) == same, f"{one} and {other}"


# ---- config.json as other versions write it ----


def rewritten(path, tmp_path, change):
    """A copy of a model whose config.json went through change(dict)."""
    copy = tmp_path / "rewritten"
    copy.mkdir()
    for file in path.iterdir():
        (copy / file.name).symlink_to(file)
    config = json.loads((path / "config.json").read_text())
    change(config)
    (copy / "config.json").unlink()
    (copy / "config.json").write_text(json.dumps(config))
    return copy


def to_version_4(config):
    """rope_theta and partial_rotary_factor at top level, the rest in rope_scaling; torch_dtype."""
    parameters = config.pop("rope_parameters")
    for key in ["rope_theta", "partial_rotary_factor"]:
        if key in parameters:
            config[key] = parameters.pop(key)
    config["rope_scaling"] = None if parameters["rope_type"] == "default" else parameters
    config["torch_dtype"] = config.pop("dtype")


@pytest.mark.parametrize("name", [*families.FAMILIES, *families.ROPE_TYPES])
def test_version_4(saved, tmp_path, name):
    """config.json as transformers 4 wrote it."""
    path = saved(name)
    copy = rewritten(path, tmp_path, to_version_4)
    hold_method(name, copy, tmp_path, 600, "none")
    _, options = arguments(path, tmp_path, 600)
    _, of_copy = arguments(copy, tmp_path, 600)
    before, _ = longrope_nats(tmp_path, *options, "--method", "none")
    after, _ = longrope_nats(tmp_path, *of_copy, "--method", "none")
    np.testing.assert_array_equal(before, after)


SILENT = ["rms_norm_eps", "hidden_act", "mlp_bias", "sliding_window", "use_sliding_window", "layer_types",
          "rope_parameters", "max_window_layers", "tie_word_embeddings"]  # fmt: skip


@pytest.mark.parametrize("name", ["llama-2", "mistral", "mistral-full", "qwen2-yarn", "qwen3-biases"])
def test_silent_config(saved, tmp_path, name):
    """Where config.json is silent, a family's defaults are those of transformers."""

    def change(config):
        for key in SILENT:
            config.pop(key, None)

    hold_method(name, rewritten(saved(name), tmp_path, change), tmp_path, 600, "none")
