"""The demo model under every method: nats of single tokens, and the tables themselves.

    LONGROPE=build/release/longrope pytest -q tests/interop        # -s shows the differences
"""

import itertools
import math
import sqlite3
import subprocess

import numpy as np
import pytest
import torch
from program import CORPUS, DEMO, LONGROPE, SOURCE, TEXT, inline, nats as longrope_nats, results
from reference import BASELINES, METHODS, TOKEN_TOLERANCE, hold_together, load, nats, rope_table, rotary_of, rotary_of_table
from transformers import LlamaConfig, LlamaForCausalLM

SCALE = 8.0  # of windows that need less; longer ones have the ratio that they need


def scale_for(length, window):
    """A model far out of its depth amplifies float32's own noise: a window gets the ratio it needs."""
    return max(SCALE, length / window)


# ---- The demo model ----


@pytest.fixture(scope="module")
def demo():
    """The demo model in float32 and in float64."""
    return load(DEMO, torch.float32), load(DEMO, torch.float64)


@pytest.fixture(scope="module")
def text():
    return np.frombuffer(TEXT.read_bytes(), dtype=np.uint8)


@pytest.mark.parametrize("method, length", [*itertools.product(METHODS, [2, 255, 1000, 2048]), ("yarn", 4096)])
def test_demo(demo, text, tmp_path, method, length):
    scale = scale_for(length, demo[0].config.max_position_embeddings)
    ours, _ = longrope_nats(
        tmp_path, "--model", DEMO, "--text", TEXT, "--length", length, "--method", method, "--scale", scale,
        "--dtype", "f32",
    )  # fmt: skip
    rotary = rotary_of(demo[0], method, scale, length)
    hold_together(f"{method} {length}", ours, *(nats(model, text[:length], rotary) for model in demo))


@pytest.mark.parametrize("length", [2, 255, 1000, 2048])
def test_demo_table(demo, text, tmp_path, length):
    """A table that no formula gives, start tokens and an attention factor."""
    start_tokens, attention_factor = 28, 1.2
    scale = scale_for(length, demo[0].config.max_position_embeddings)
    factors = 1 + np.cumsum(np.random.default_rng(7).uniform(0, scale / 16, 32))  # up to about the scale
    ours, _ = longrope_nats(
        tmp_path, "--model", DEMO, "--text", TEXT, "--length", length, "--factors", inline(factors),
        "--start-tokens", start_tokens, "--attention-factor", attention_factor, "--dtype", "f32",
    )  # fmt: skip
    rotary = rotary_of_table(demo[0], length, factors, attention_factor, start_tokens)
    hold_together(f"table {length}", ours, *(nats(model, text[:length], rotary) for model in demo))


def needle_prompts(db):
    """Of each window of a search by needles: its tokens and how many of them are the answer."""
    rows = "SELECT document, start, tokens, position, key, answer FROM samples JOIN needles USING (stage, sample)"
    for document, start, length, position, key, answer in db.execute(f"{rows} ORDER BY sample"):
        (path,) = (path for path in CORPUS if path.name == document)
        statement = f"\nThe pass key is {key}.\n".encode()
        question = f"\nWhat is the pass key? The pass key is {key}".encode()
        page = path.read_bytes()[start : start + length - len(statement) - len(question)]
        prompt = page[: position - 1] + statement + page[position - 1 :] + question
        yield np.frombuffer(prompt, dtype=np.uint8), answer


def test_demo_needles(demo, tmp_path):
    """A search by needles scores the answers' tokens of its prompts, and nothing else."""
    length = 500
    folder = SOURCE / "configs/demo"
    lines = (folder / "demo.yaml").read_text().splitlines(keepends=True)
    one_stage = "".join(line for line in lines if "kind: recover" not in line)
    one_stage = one_stage.replace("model: model", f"model: {folder}/model").replace("corpus/", f"{folder}/corpus/")
    (tmp_path / "demo.yaml").write_text(one_stage)
    search = [LONGROPE, "search", tmp_path / "demo.yaml", "-o", tmp_path / "run"]
    settings = {"objective": "needle", "needle.prompt": "demo", "stages.0.target_length": length, "dtype": "f32",
                "data.samples": 3, "search.iterations": 0, "search.population": 3, "search.parents": 1}  # fmt: skip
    for key, value in settings.items():
        search += ["--set", f"{key}={value}"]
    subprocess.run(search, capture_output=True, check=True)
    with sqlite3.connect(tmp_path / "run/run.db") as db:
        prompts = list(needle_prompts(db))
        assert len(prompts) == 3
        for method in BASELINES:
            rows = db.execute("SELECT nats FROM baseline_nats WHERE method = ? ORDER BY sample", [method])
            for (tokens, answer), (ours,) in zip(prompts, rows, strict=True):
                assert len(tokens) == length and answer == 5
                theirs = nats(demo[1], tokens, rotary_of(demo[1], method, length / 256, length))[-answer:].sum()
                print(f"\n{method}: {ours:.6f}, transformers {theirs:.6f}", end="")
                assert abs(ours - theirs) < answer * TOKEN_TOLERANCE


# ---- Tables ----


@pytest.mark.parametrize("head_dim, theta, window", [(16, 10000.0, 128), (32, 500000.0, 256), (64, 10000.0, 4096),
                                                     (128, 1000000.0, 32768), (6, 100.0, 8)])  # fmt: skip
def test_table(tmp_path, head_dim, theta, window):
    """`factors` and `attention_factor` against transformers' functions as they are, to float32's precision; against the
    papers' formulas where it has none."""
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
    for scale in [1.0, 2.5, 8.0, 64.0]:
        rows = results("--model", tmp_path, "--text", TEXT, "--length", "64,300,1000", "--method", ",".join(METHODS),
                       "--scale", scale)  # fmt: skip
        for row in rows:
            theirs, attention_factor = rope_table(theta, head_dim, window, row["method"], scale, row["length"])
            assert theirs.dtype == torch.float32
            label = f"{row['method']} {scale} {row['length']}"
            np.testing.assert_allclose(base / np.array(row["factors"]), theirs.numpy(), rtol=1e-6, err_msg=label)
            assert math.isclose(row["attention_factor"], attention_factor, rel_tol=1e-12), label
        assert len(rows) == 3 * len(METHODS)
