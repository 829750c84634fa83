"""Exported models in transformers, loaded as anybody loads a model, against `longrope eval` on the same tokens: with the
factor file that was exported, and with the model that was written."""

import json
import logging
import math
import subprocess

import families
import numpy as np
import pytest
import torch
from program import DEMO, LONGROPE, TEXT, nats as longrope_nats
from reference import has_kinds, load, nats
from transformers import AutoConfig

TOLERANCE = 1e-4  # relative, of perplexity
F32 = ["--dtype", "f32", "--angles", "f32"]


def attention_factor(scale, original):
    return math.sqrt(1 + math.log(scale) / math.log(original))


def write_factors(path, pairs, original, window, theta, m, whole=False):
    """Two tables: one for the original window, one for the extended one."""
    scale = window / original
    short = [1 + 0.3 * i / pairs for i in range(pairs)]
    extended = [1 + (scale - 1) * (i / (pairs - 1)) ** 2 for i in range(pairs)]
    tables = [
        {"name": name, "max_length": length, "scale": max(1.0, length / original), "factors": factors,
         "start_tokens": 0, "attention_factor": m, "whole": whole}
        for name, length, factors in [("recover", original, short), ("extend", window, extended)]
    ]  # fmt: skip
    path.write_text(json.dumps({"format": "longrope-factors", "version": 2, "original_length": original,
                                "rope_theta": theta, "tables": tables}))  # fmt: skip
    return path


def export(*arguments):
    """`longrope export --json`: what it says."""
    done = subprocess.run([LONGROPE, "export", "--json", *map(str, arguments)], capture_output=True, text=True,
                          check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def warnings():
    """What transformers warns of while a test runs."""
    logger = logging.getLogger("transformers")
    messages = []
    handler = logging.Handler()
    handler.emit = lambda record: messages.append(record.getMessage())
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.WARNING)
    yield messages
    logger.removeHandler(handler)
    logger.setLevel(level)


def hold_tables(path, report):
    """The frequencies and the attention factor that transformers computes with, on both sides of the switch."""
    model = load(path, torch.float32)
    rotary, switch = model.model.rotary_emb, report["original_length"]
    for table in report["tables"]:
        lengths = {"short": [switch], "long": [switch + 1], "both": [switch, switch + 1]}[table["role"]]
        kind = ["full_attention"] if has_kinds(model.config) else []
        prefix = "full_attention_" if kind else ""
        for length in lengths:
            rotary(torch.zeros(1, length, 8), torch.arange(length)[None], *kind)
            width = 2 * len(table["factors"])
            powers = report["rope_theta"] ** (torch.arange(0, width, 2).float() / width)
            assert torch.equal(getattr(rotary, f"{prefix}inv_freq"), 1 / (torch.tensor(table["factors"]) * powers)), length
    assert getattr(rotary, f"{prefix}attention_scaling") == pytest.approx(report["tables"][-1]["attention_factor"], rel=1e-7)
    return model


def hold_perplexity(tmp_path, model, exported, source, original, tokens, npy):
    """Of these tokens: transformers, `eval --factors` with the original model and `eval` of the exported one."""
    options = ["--tokens", npy, "--length", len(tokens), *F32]
    theirs = nats(model, tokens).mean()
    for what, arguments in [
        ("factors", ["--model", original, "--factors", source]),
        ("config", ["--model", original, "--factors", exported]),
        ("exported", ["--model", exported, "--method", "none"]),
    ]:
        ours, _ = longrope_nats(tmp_path, *arguments, *options)
        difference = math.expm1(ours.mean() - theirs)
        print(f"\n  {len(tokens)} tokens, {what}: perplexity differs by {difference:.1e}", end="")
        assert abs(difference) < TOLERANCE, what


def demo_tokens(tmp_path, length):
    tokens = np.frombuffer(TEXT.read_bytes(), dtype=np.uint8)[:length]
    np.save(tmp_path / f"{length}.npy", tokens)
    return tokens, tmp_path / f"{length}.npy"


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The demo model with tables for 256 and 16384 tokens."""
    folder = tmp_path_factory.mktemp("demo")
    source = write_factors(folder / "factors.json", 32, 256, 16384, 10000.0, attention_factor(64, 256))
    return source, folder / "exported", export(source, "--format", "hf", "--model", DEMO, "--out", folder / "exported")


@pytest.mark.parametrize("length", [256, 257, 512, 2048, 16384])
def test_demo(tmp_path, demo, warnings, length):
    source, exported, report = demo
    model = hold_tables(exported, report)
    tokens, npy = demo_tokens(tmp_path, length)
    hold_perplexity(tmp_path, model, exported, source, DEMO, tokens, npy)
    assert not warnings


def test_config(demo):
    """What is not rotary is as it was, in its order."""
    _, exported, _ = demo
    before, after = (json.loads((folder / "config.json").read_text()) for folder in (DEMO, exported))
    assert list(after)[: len(before)] == list(before)
    changed = {key for key in after if key not in before or before[key] != after[key]}
    assert changed == {"max_position_embeddings", "original_max_position_embeddings", "rope_scaling", "rope_parameters"}
    assert AutoConfig.from_pretrained(exported).rope_parameters["rope_type"] == "longrope"


WINDOW = 4 * families.WINDOW
MODELS = ["llama-2", "llama-3", "llama-biases", "mistral", "mistral-full", "qwen2", "qwen3", "smollm3", "smollm3-sliding", "olmo2", "qwen3_moe", "mixtral", "gemma3",
          "gemma3-scaled",
          "linear", "yarn"]


@pytest.mark.parametrize("whole", [False, True], ids=["multiplies", "whole"])
@pytest.mark.parametrize("name", MODELS)
def test_family(saved, tmp_path, warnings, name, whole):
    """Tables that multiply the model's own scaling, and tables in its place."""
    hold_family(saved(name), tmp_path, warnings, families.WINDOW, whole, attention_factor(4, families.WINDOW))


@pytest.mark.parametrize("name", ["phi3", "phi3-sliding", "longrope", "gemma3-longrope", "ministral3-sliding"])
def test_own_longrope(saved, tmp_path, warnings, name):
    """A table in the place of the model's own short and long ones."""
    hold_family(saved(name), tmp_path, warnings, families.ORIGINAL, True, attention_factor(16, families.ORIGINAL))


@pytest.mark.parametrize("name", ["llama-2", "phi3"])
def test_attention_factor(saved, tmp_path, warnings, name):
    """One that no formula gives."""
    hold_family(saved(name), tmp_path, warnings, families.ORIGINAL, True, 1.05)


def hold_family(path, tmp_path, warnings, original, whole, m):
    config = json.loads((path / "config.json").read_text())
    rotary = config["rope_parameters"]
    rotary = rotary.get("full_attention", rotary)
    heads = config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]
    pairs = int(heads * rotary.get("partial_rotary_factor", 1)) // 2
    source = write_factors(tmp_path / "f.json", pairs, original, WINDOW, rotary["rope_theta"], m, whole)
    exported = tmp_path / "exported"
    report = export(source, "--format", "hf", "--model", path, "--weights", "link", "--out", exported)
    model = hold_tables(exported, report)
    for length in [original, original + 1, WINDOW]:
        tokens = families.random_tokens(tmp_path / "tokens.npy", length)
        hold_perplexity(tmp_path, model, exported, source, path, tokens, tmp_path / "tokens.npy")
    # Keys for engines that go by a formula of their own, of which transformers says that it does not know them.
    written = json.loads((exported / "config.json").read_text())["rope_parameters"]
    unknown = "short_mscale" in written.get("full_attention", written)
    assert all("mscale" in message or "original_max_position_embeddings" in message for message in warnings), warnings
    assert any("mscale" in message for message in warnings) == unknown


def test_only_a_long_table(tmp_path):
    """Then it is the short one, too."""
    source = write_factors(tmp_path / "f.json", 32, 256, 2048, 10000.0, attention_factor(8, 256))
    file = json.loads(source.read_text())
    del file["tables"][0]
    source.write_text(json.dumps(file))
    report = export(source, "--format", "hf", "--model", DEMO, "--weights", "none", "--out", tmp_path / "x")
    assert [table["role"] for table in report["tables"]] == ["both"]
    rotary = AutoConfig.from_pretrained(tmp_path / "x").rope_parameters
    assert rotary["short_factor"] == rotary["long_factor"] == file["tables"][0]["factors"]
