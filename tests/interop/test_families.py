"""Nats of single tokens of every family and every rope type, against transformers' own classes."""

import itertools
import json
import re

import families
import numpy as np
import pytest
import torch
from program import SOURCE, inline, nats as longrope_nats, run
from reference import METHODS, hold_together, load, nats, own_table, pairs_of, rotary_of, rotary_of_table
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, Gemma3TextConfig, Ministral3Config

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
@pytest.mark.parametrize("name", ["linear", "dynamic", "llama3", "yarn", "longrope", "phi3", "mistral", "gemma3",
                                  "gemma3-scaled", "ministral3"])  # fmt: skip
def test_method_multiplies(saved, tmp_path, name, method):
    """A method's factors and attention factor multiply those that the model has itself."""
    hold_method(name, saved(name), tmp_path, 600, method)


@pytest.mark.parametrize("name", [*families.FAMILIES, "linear", "dynamic", "longrope"])
def test_table_multiplies(saved, tmp_path, name):
    """And so do those of a table that no formula gives, but for start tokens."""
    path, length, start_tokens, attention_factor = saved(name), 600, 28, 1.1
    tokens, options = arguments(path, tmp_path, length)
    models = load(path, torch.float32), load(path, torch.float64)
    pairs = pairs_of(models[0])
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
    rotated = getattr(model.config, "no_rope_layers", None)
    for label, parameter in model.named_parameters():
        if rotated and label.endswith("k_proj.bias") and not rotated[int(label.split(".")[2])]:
            continue  # it adds the same to all scores of a query
        kept = parameter.detach().clone()
        parameter.data.add_(torch.randn_like(kept) * (0.05 if label.endswith("bias") else 0.01))  # biases are larger
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


# ---- Routers ----


@pytest.mark.parametrize("experts, chosen, alike", [(8, 2, 8), (8, 3, 5), (6, 5, 6), (70, 8, 69), (130, 2, 128)])
def test_router_ties(tmp_path, experts, chosen, alike):
    """Of experts that a router cannot tell apart, those are chosen that torch.topk chooses, with either of its
    algorithms: the weights of `alike` experts in the router are 0, so their logits are, whatever the order of sums."""
    family = families.Family(
        families.Qwen3MoeConfig, 4, 2, 64,
        more=dict(num_experts=experts, num_experts_per_tok=chosen, moe_intermediate_size=16, norm_topk_prob=True,
                  rope_parameters=families.rope()),
    )  # fmt: skip
    model = families.make(family, layers=2)
    places = torch.randperm(experts, generator=torch.Generator().manual_seed(1))[:alike]
    with torch.no_grad():
        for layer in model.model.layers:
            layer.mlp.gate.weight[places] = 0
    model.save_pretrained(tmp_path / "model")
    hold_method(f"{chosen} of {experts}, {alike} alike", tmp_path / "model", tmp_path, 300, "none")


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
    if "full_attention" in parameters:
        sliding, parameters = parameters["sliding_attention"], parameters["full_attention"]
        config["rope_local_base_freq"] = sliding["rope_theta"]
        if sliding["rope_type"] != "default":
            pytest.skip("version 4 has no scaling for the other layers")
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


# Forms of config.json that people's models have, on top of a llama's, and whether the program has a word to say of it.
SCALING = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": families.ORIGINAL}
FORMS = {
    "attn_factor": ({"rope_scaling": {**SCALING, "attn_factor": 0.878}}, "vLLM heeds it"),
    "extrapolation_factor": ({"rope_scaling": {**SCALING, "extrapolation_factor": 0.5}}, "vLLM heeds it"),
    "keys-not-validated": ({"rope_scaling": {**SCALING, "ignore_keys_at_rope_validation": ["factor"]}}, ""),
    "window-with-a-point": ({"rope_scaling": {**SCALING, "original_max_position_embeddings": 64.0}}, ""),
    "empty-scaling": ({"rope_scaling": {}}, ""),
    "empty-blocks": ({"rope_scaling": {}, "rope_parameters": {}}, ""),
    "theta-alone": ({"rope_parameters": {"rope_theta": 500.0}}, ""),
    "theta-alone-in-scaling": ({"rope_scaling": {"rope_theta": 500.0}}, ""),
    "swish": ({"hidden_act": "swish"}, ""),
    "not-numbers": ({"note": [float("nan"), float("inf"), -float("inf"), 10**30]}, ""),
    "repeated-keys": ('"note": 1, "note": 2, "rms_norm_eps": 0.5, "rms_norm_eps": 1e-5', "duplicate object key"),
}


def plain_llama(config):
    config.pop("rope_parameters")


@pytest.mark.parametrize("form", FORMS)
def test_forms_of_config(saved, tmp_path, form):
    """Forms that transformers reads give its numbers."""
    change, words = FORMS[form]
    copy = rewritten(saved("default"), tmp_path, plain_llama)
    text = (copy / "config.json").read_text()
    more = change if isinstance(change, str) else json.dumps(change)[1:-1]
    (copy / "config.json").write_text(text.rstrip()[:-1] + ", " + more + "}")
    hold_method(form, copy, tmp_path, 600, "none")
    _, options = arguments(copy, tmp_path, 600)
    assert words in run(*options, "--method", "none").stderr


def with_weights(path, tmp_path, change, **settings):
    """A copy of a model of one file, whose tensors are change(dict) and whose config.json has these settings."""
    copy = rewritten(path, tmp_path, lambda config: config.update(settings))
    weights = change(dict(load_file(path / "model.safetensors")))
    (copy / "model.safetensors").unlink()
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    return copy


def without(*parts):
    return lambda weights: {name: x for name, x in weights.items() if not any(part in name for part in parts)}


def bare(weights):
    return {name.removeprefix("model."): x for name, x in weights.items()}


def unread(weights):
    """Tensors that no model reads, of every type."""
    types = [torch.int64, torch.uint8, torch.bool, torch.float64, torch.float8_e4m3fn, torch.int16]
    return weights | {f"model.mask.{i}": torch.ones(2, 1, 1, 1, 3).to(of) for i, of in enumerate(types)}


def output_in_half(weights):
    return weights | {"lm_head.weight": weights["model.embed_tokens.weight"].to(torch.bfloat16)}


WEIGHTS = {  # change of the tensors, tie_word_embeddings, words
    "tied-but-different": (dict, True, "lm_head.weight is used"),
    "tied-and-rounded": (output_in_half, True, "lm_head.weight is used"),
    "tied-and-equal": (lambda w: w | {"lm_head.weight": w["model.embed_tokens.weight"].clone()}, True, ""),
    "tied-without-output": (without("lm_head"), True, ""),
    "tied-without-embedding": (without("embed_tokens"), True, ""),
    "without-model": (bare, False, ""),
    "without-model-and-output": (lambda w: bare(without("lm_head")(w)), True, ""),
    "model-twice": (lambda w: {"model." + name: x for name, x in w.items()}, False, ""),
    "unread-types": (unread, False, ""),
}


@pytest.mark.parametrize("name", WEIGHTS)
def test_forms_of_weights(saved, tmp_path, name):
    """Tensors that transformers finds and ties, and those that it leaves."""
    change, tied, words = WEIGHTS[name]
    copy = with_weights(saved("default"), tmp_path, change, tie_word_embeddings=tied)
    hold_method(name, copy, tmp_path, 600, "none")
    _, options = arguments(copy, tmp_path, 600)
    said = run(*options, "--method", "none").stderr
    assert words in said if words else said == ""


SILENT = ["rms_norm_eps", "hidden_act", "mlp_bias", "sliding_window", "use_sliding_window", "layer_types",
          "rope_parameters", "max_window_layers", "tie_word_embeddings", "no_rope_layers", "no_rope_layer_interval",
          "hidden_activation"]  # fmt: skip


@pytest.mark.parametrize("name", ["llama-2", "mistral", "mistral-full", "qwen2-yarn", "qwen3-biases", "smollm3", "olmo2", "mixtral", "gemma3"])
def test_silent_config(saved, tmp_path, name):
    """Where config.json is silent, a family's defaults are those of transformers."""

    def change(config):
        for key in SILENT:
            config.pop(key, None)
        if config["model_type"] == "gemma3_text":
            config["sliding_window_pattern"] = 3  # so that one of three layers is searched

    hold_method(name, rewritten(saved(name), tmp_path, change), tmp_path, 600, "none")


# ---- Defaults ----

CLASSES = {family.config.model_type: family.config for family in families.FAMILIES.values()}


def rows_of_families():
    """What the array `families` of model_family.c states for config.json that is silent, by name."""
    text = (SOURCE / "eval/model/model_family.c").read_text().split("const struct family families[FAMILIES] = {")[1]
    rows = re.findall(r"\{\s*\.name = \"(\w+)\",(.*?)\n    \}", text, re.DOTALL)
    return {name: dict(re.findall(r"\.(\w+) = ([-\d.e]+),", row)) for name, row in rows}


def test_defaults():
    """Each default that the program assumes is that of transformers' configuration class; MiniCPM has none there."""
    rows = rows_of_families()
    assert sorted(rows) == sorted([*CLASSES, "minicpm"])
    for name, kind in CLASSES.items():
        config, row = kind(), rows[name]
        rope = config.rope_parameters.get("full_attention", config.rope_parameters)
        heads, width = config.num_attention_heads, config.hidden_size // config.num_attention_heads
        said = {"norm_eps": config.rms_norm_eps, "kv_heads": config.num_key_value_heads}
        assumed = {"norm_eps": float(row["norm_eps"]), "kv_heads": int(row.get("kv_heads", heads))}
        said["head_width"] = getattr(config, "head_dim", None) or width
        assumed["head_width"] = int(row.get("head_width", width))
        if name != "ministral3":  # whose whole block has a default, in model_rope.c
            said["theta"], assumed["theta"] = rope["rope_theta"], float(row.get("theta", 10000))
        if "sliding_window" in row:
            said["sliding_window"], assumed["sliding_window"] = config.sliding_window, int(row["sliding_window"])
        if "original_length" in row:
            said["original"], assumed["original"] = config.original_max_position_embeddings, int(row["original_length"])
        assert said == assumed, name
    assert Ministral3Config().rope_parameters == {
        "type": "yarn", "rope_type": "yarn", "rope_theta": 1e6, "factor": 16.0, "original_max_position_embeddings": 16384,
        "max_position_embeddings": 262144, "beta_fast": 32.0, "beta_slow": 1.0, "mscale": 1.0, "mscale_all_dim": 1.0,
        "llama_4_scaling_beta": 0.1,
    }  # fmt: skip
    gemma = Gemma3TextConfig()
    assert gemma.rope_parameters["sliding_attention"]["rope_theta"] == 10000 and gemma.query_pre_attn_scalar == 256
    assert [i for i, kind in enumerate(gemma.layer_types) if kind == "full_attention"][:2] == [5, 11]
    assert gemma.tie_word_embeddings and not gemma.attention_bias and gemma.hidden_activation == "gelu_pytorch_tanh"
    experts = families.Qwen3MoeConfig()
    assert (experts.num_experts, experts.num_experts_per_tok, experts.moe_intermediate_size) == (128, 8, 768)
    experts = families.MixtralConfig()
    assert (experts.num_local_experts, experts.num_experts_per_tok) == (8, 2)


@pytest.mark.parametrize("name", ["default", "ministral3"])
def test_original_window_at_top_level(saved, tmp_path, name):
    """transformers takes no notice of it there, and the program refuses such a model."""

    def change(config):
        block = config["rope_parameters"]
        block.update(families.yarn(), rope_theta=block["rope_theta"])
        config["original_max_position_embeddings"] = block.pop("original_max_position_embeddings")

    copy = rewritten(saved(name), tmp_path, change)
    config = AutoConfig.from_pretrained(copy)
    assert config.original_max_position_embeddings == families.ORIGINAL
    assert config.rope_parameters["original_max_position_embeddings"] == families.WINDOW
    _, options = arguments(copy, tmp_path, 600)
    assert "has no effect at top level" in run(*options, "--method", "none").stderr
