"""configs/clex: the network's equation, what training draws, interruptions, and that longrope reads the result."""

import json
import os
import shutil
import subprocess
import sys

import families
import numpy as np
import pytest
import torch
from program import CORPUS, DEMO, LONGROPE, SOURCE, nats as longrope_nats
from recipe import killed_at_first_checkpoint, run_within, words
from reference import compare, nats
from safetensors.torch import load_file
from scipy.integrate import solve_ivp
from transformers import AutoModelForCausalLM

sys.path.insert(0, str(SOURCE / "configs/clex"))
import clex  # noqa: E402
import network  # noqa: E402
import store  # noqa: E402
import training  # noqa: E402
from table import WrongInput  # noqa: E402
from windows import Windows  # noqa: E402

PAIRS, THETA = 8, 500000.0  # of another base than the field's
UP, DOWN = (network.PREFIX + name for name in network.NAMES)


def rotary_with(tensors, scaling, pairs=PAIRS, theta=THETA):
    rotary = network.ClexRotary(pairs, theta, scaling)
    rotary.load_state_dict({name.removeprefix("model.clex_layer."): tensor for name, tensor in tensors.items()})
    return rotary.requires_grad_(False)


# ---- The equation ----


@pytest.mark.parametrize("act", network.ACTIVATIONS)
@pytest.mark.parametrize("param_factor", [1, 2])
def test_frequencies_solve_the_equation(act, param_factor):
    """Against scipy's own solver in double precision, with the equation as the paper's authors state it."""
    tensors = network.initial(PAIRS, param_factor, seed=1)
    tensors[DOWN] = 0.05 * torch.randn(tensors[DOWN].shape, generator=torch.Generator().manual_seed(2))
    rotary = rotary_with(tensors, {"param_factor": param_factor, "act": act, "time_dt": 0.05})
    up, down = (tensors[name].double().numpy() for name in (UP, DOWN))
    j, d = np.arange(0, 2 * PAIRS, 2), 2 * PAIRS

    def field(t, z):
        alpha = 2 * t - 1
        f = (10000 * alpha ** (d / (d - 2))) ** (-j / d)
        df = -2 * j / (d - 2) / (10000 ** (j / d) * alpha ** (j / (d - 2) + 1))
        hidden = (z + np.log(f)) @ up
        return (np.tanh(hidden) if act == "tanh" else hidden / (1 + np.exp(-hidden))) @ down + df / f

    start = -j / d * np.log(THETA)
    exact = solve_ivp(field, (1, 16), start, "DOP853", t_eval=[1, 2, 7, 16], rtol=1e-10, atol=1e-10).y.T
    plain = start - j / (d - 2) * np.log(31)
    assert np.abs(exact[-1] - plain).max() > 0.1  # the network has a part in it
    for factor, z in zip((1, 2, 7, 16), exact):
        np.testing.assert_allclose(rotary.frequencies(factor).log().numpy(), z, rtol=0, atol=2e-5)


def test_an_untrained_network_gives_ntk():
    rotary = rotary_with(network.initial(PAIRS, 1, 1), {"param_factor": 1, "act": "tanh", "time_dt": 0.1})
    j = np.arange(0, 2 * PAIRS, 2)
    for factor in (1, 2, 16):
        expected = THETA ** (-j / (2 * PAIRS)) * (2 * factor - 1) ** (-j / (2 * PAIRS - 2))
        np.testing.assert_allclose(rotary.frequencies(factor).numpy(), expected, rtol=1e-5)


def test_factors_and_positions_that_are_drawn():
    scaling = {"max_factor": 4}
    drawn = [network.draw(number, 64, 64, scaling, seed=1) for number in range(60)]
    assert {factor for factor, _ in drawn} == {1, 2, 3, 4}
    for factor, positions in drawn:
        assert len(positions) == 64 and positions[0] == 0 and positions[-1] == 64 * factor - 1
        assert (np.diff(positions) > 0).all() and (np.array(positions) % 1 == 0).all()
        assert factor > 1 or positions == list(range(64))
    assert network.draw(7, 64, 64, scaling, seed=1) == drawn[7] != network.draw(7, 64, 64, scaling, seed=2)
    # Windows of four times the model's own lie as close as the model's.
    factor, positions = network.draw(7, 64, 16, scaling, seed=1)
    assert positions == [position / 4 for position in drawn[7][1]] and factor == drawn[7][0]


def test_positions_in_runs():
    scaling = {"max_factor": 4}
    counts = set()
    for number in range(60):
        factor, positions = network.draw(number, 64, 64, scaling, 1, runs=4)
        gaps = np.diff(positions)
        assert len(positions) == 64 and positions[0] == 0 and positions[-1] == 64 * factor - 1 and (gaps >= 1).all()
        assert factor == network.draw(number, 64, 64, scaling, 1)[0]
        counts.add(int((gaps > 1).sum()))
        assert factor > 1 or positions == list(range(64))
    assert counts <= {0, 1, 2, 3} and 3 in counts
    assert network.draw(7, 64, 64, scaling, 1, runs=4) == network.draw(7, 64, 64, scaling, 1, runs=4)
    assert network.draw(7, 64, 64, scaling, 1, runs=64) == network.draw(7, 64, 64, scaling, 1)  # a run for each token
    factor, positions = network.draw(1, 64, 64, {"max_factor": 9}, 1, runs=2)
    assert [gap for gap in np.diff(positions) if gap > 1] == [1 + 64 * (factor - 1)]


def test_factor_by_length():
    assert [network.factor_of(length, 256, {"max_factor": 4}) for length in (1, 256, 257, 513, 1024, 5000)] == [1, 1, 2, 3, 4, 4]


# ---- Training ----

SMALL = {"length": 64, "max_factor": 4, "time_dt": 0.1, "steps": 3, "batch": 2, "warmup": 0, "lr": 1e-3,
         "network_lr": 1e-4, "dtype": "f32", "threads": 1, "save_every": 1}  # fmt: skip


@pytest.fixture
def within(monkeypatch):
    """within(model, out, options...): the recipe in this process."""
    return lambda model, out, **more: run_within(monkeypatch, clex, words(model=model, out=out, **{**SMALL, **more}))


@pytest.fixture(scope="module")
def trained(saved, tmp_path_factory):
    """A small model trained without interruption: where it started, its tokens, and the folder."""
    root = tmp_path_factory.mktemp("clex")
    families.random_tokens(root / "tokens.npy", 600)
    with pytest.MonkeyPatch.context() as patch:
        options = words(model=saved("llama-biases"), out=root / "out", tokens=root / "tokens.npy", **SMALL)
        assert run_within(patch, clex, options) == 0
    return saved("llama-biases"), root / "tokens.npy", root / "out"


def losses(folder):
    return json.loads((folder / store.RECORD).read_text())["losses"]


def in_pytorch(folder):
    """transformers' model without its scaling, and the rotary embedding of the recipe with the stored network."""
    raw = json.loads((folder / "config.json").read_text())
    scaling, _ = raw.pop("rope_scaling"), raw.pop("log_scale")
    config = clex.parse_config(raw)
    model = AutoModelForCausalLM.from_pretrained(folder, config=config, dtype=torch.float32).eval()
    stored = load_file(folder / "model.safetensors")
    theta = config.rope_parameters["rope_theta"]
    return model, rotary_with({UP: stored[UP], DOWN: stored[DOWN]}, scaling, clex.pairs_of(config), theta), scaling


def test_what_is_written(trained):
    model, tokens, out = trained
    scaling = {"type": "clex", "max_factor": 4, "param_factor": 1, "act": "tanh", "time_dt": 0.1, "factor": 1}
    config = json.loads((out / "config.json").read_text())
    assert config["rope_scaling"] == scaling and config["log_scale"] is False
    assert config["max_position_embeddings"] == families.WINDOW
    before, after = (load_file(folder / "model.safetensors") for folder in (model, out))
    start = network.initial(12, 1, seed=1)
    assert after.keys() == {*before, UP, DOWN}
    assert after[UP].shape == (12, 24) and after[DOWN].shape == (24, 12) and after[UP].dtype == torch.float32
    for name, tensor in {**before, **start}.items():
        assert (after[name] != tensor).any(), f"{name} was not trained"
    assert len(losses(out)) == 3 and np.isfinite(losses(out)).all()


@pytest.mark.parametrize("length, factor", [(200, 1), (257, 2), (600, 3)])
def test_longrope_evaluates_the_result(trained, tmp_path, length, factor):
    _, tokens, out = trained
    model, rotary, scaling = in_pytorch(out)
    assert network.factor_of(length, families.WINDOW, scaling) == factor
    rotary.choose(factor)
    theirs = nats(model, np.load(tokens)[:length], rotary)
    ours, _ = longrope_nats(tmp_path, "--model", out, "--tokens", tokens, "--length", length, "--method", "none",
                            "--dtype", "f32")  # fmt: skip
    token, _ = compare(f"CLEX, factor {factor}: longrope - PyTorch", ours, theirs)
    assert token < 1e-3


def test_the_first_loss_is_that_of_the_untrained_network(trained):
    model, tokens, out = trained
    with_network, _, scaling = in_pytorch(out)
    rotary = rotary_with(network.initial(12, 1, seed=1), scaling, 12, 10000.0)
    with_network.load_state_dict(load_file(model / "model.safetensors"))
    config = json.loads((model / "config.json").read_text())
    windows = Windows([np.load(tokens)], 64, 1, config["bos_token_id"], config["eos_token_id"])
    expected = []
    for slot in range(2):
        rotary.choose(*network.draw(slot, 64, families.WINDOW, scaling, seed=1))
        expected.append(nats(with_network, windows[slot], rotary).mean())
    assert losses(out)[0] == pytest.approx(np.mean(expected), rel=1e-5)


def test_killed_runs_end_with_the_same_bits(trained, tmp_path, within, monkeypatch):
    model, tokens, whole = trained
    accumulate, calls = training.accumulate, []

    def killed(*arguments):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return accumulate(*arguments)

    monkeypatch.setattr(training, "accumulate", killed)
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        within(model, out, tokens=tokens)
    assert not (out / "config.json").exists()
    assert within(model, out, tokens=tokens) == 0
    assert len(calls) == 4
    for name in ("model.safetensors", "config.json", store.RECORD):
        assert (out / name).read_bytes() == (whole / name).read_bytes(), name
    with pytest.raises(WrongInput, match=r"made with another network-lr \(0.0001 there, 0.0002 now\)"):
        within(model, out, tokens=tokens, network_lr=2e-4)


def test_runs_resume_with_the_same_bits(trained, tmp_path, within, monkeypatch):
    model, tokens, plain = trained
    assert within(model, tmp_path / "whole", tokens=tokens, runs=4) == 0
    assert losses(tmp_path / "whole") != losses(plain)
    drawn, draw = [], clex.draw
    monkeypatch.setattr(clex, "draw", lambda slot, *more: drawn.append(slot) or draw(slot, *more))
    with killed_at_first_checkpoint(monkeypatch, store):
        within(model, tmp_path / "out", tokens=tokens, runs=4)
    assert within(model, tmp_path / "out", tokens=tokens, runs=4) == 0
    assert drawn == list(range(6))  # none twice
    for name in ("model.safetensors", store.RECORD):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    with pytest.raises(WrongInput, match=r"made with another runs \(4 there, 8 now\)"):
        within(model, tmp_path / "out", tokens=tokens, runs=8)


def test_two_processes_lose_as_one(trained, tmp_path):
    model, tokens, whole = trained
    options = words(**{**SMALL, "model": model, "out": tmp_path / "out", "tokens": tokens})
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run([*torchrun, str(SOURCE / "configs/clex/clex.py"), *options], capture_output=True, text=True,
                          check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(losses(tmp_path / "out"), losses(whole), atol=1e-4)
    stored = [load_file(folder / "model.safetensors")[DOWN] for folder in (tmp_path / "out", whole)]
    torch.testing.assert_close(*stored, rtol=0, atol=1e-5)


# ---- The comparison with fixed tables ----

BOOKS = {
    "train": ("barchester-towers-trollope", "ben-hur-wallace"),
    "valid": ("war-and-peace-tolstoy", "the-count-of-monte-cristo-dumas", "on-the-origin-of-species-darwin",
              "the-moonstone-collins", "travels-in-west-africa-kingsley"),
}  # fmt: skip


@pytest.mark.skipif(not shutil.which("jq"), reason="jq is absent")
def test_the_comparison_in_short(tmp_path):
    """The demo's own corpus stands for the books."""
    for part, names in BOOKS.items():
        (tmp_path / "books" / part).mkdir(parents=True)
        for name, text in zip(names, CORPUS):
            (tmp_path / "books" / part / f"{name}.txt").symlink_to(text)
    environment = {**os.environ, "LONGROPE": LONGROPE, "PYTHON": sys.executable, "BOOKS": str(tmp_path / "books"),
                   "WORK": str(tmp_path / "work"), "STEPS": "2", "EVALUATIONS": "8", "LENGTHS": "512"}  # fmt: skip
    command = ["sh", str(SOURCE / "configs/clex/compare.sh"), str(tmp_path / "out")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    text = (tmp_path / "out/perplexity.json").read_text()
    rows = {row["name"]: row["perplexity"] for row in json.loads(text)}
    assert len(rows) == 15 and all(1 < perplexity < 257 for perplexity in rows.values())
    assert rows["base-ntk"] < rows["base-none"] and rows["clex-random"] != rows["clex-runs"]
    assert str(tmp_path) not in text
    assert done.stdout.count("| base-") == 9 and done.stdout.count("| tuned-") == 3 and done.stdout.count("| clex-") == 3


# ---- What is refused ----


@pytest.mark.parametrize(
    "more, message",
    [
        ({"model": "missing"}, "config.json: cannot be read"),
        ({"text": None}, "nothing to train on"),
        ({"max_factor": 1}, "--max-factor 1 leaves nothing to extend"),
        ({"time_dt": 0.3}, "--time-dt 0.3 does not divide 1"),
        ({"time_dt": -0.5}, "--time-dt -0.5 does not divide 1"),
        ({"network_lr": -1}, "--network-lr -1.0 is not a positive number"),
        ({"runs": 1}, "--runs 1 does not lie within 2 to the 64 tokens of a window"),
        ({"runs": 65}, "--runs 65 does not lie within 2 to the 64 tokens of a window"),
        ({"runs": 4, "length": 512}, "in windows of 512 tokens they are 1/2; give --length 256, or leave --runs out"),
        ({"lr": 0}, "--lr must be positive"),
        ({"length": 3}, "--length 3 leaves nothing to predict"),
        ({"out": DEMO}, "is the folder of --model"),
    ],
)
def test_wrong_input(tmp_path, within, monkeypatch, more, message):
    monkeypatch.chdir(tmp_path)
    given = {"model": DEMO, "out": tmp_path / "out", "text": CORPUS}
    with pytest.raises(WrongInput, match=message):
        within(**{**given, **more})
    assert not (tmp_path / "out").exists()


def test_a_model_with_scaling_is_refused(saved, tmp_path, within):
    with pytest.raises(WrongInput, match="its rope_scaling is yarn; CLEX begins with a model without scaling"):
        within(saved("mistral-full"), tmp_path / "out", text=CORPUS)
    with pytest.raises(WrongInput, match="smollm3 has layers without RoPE"):
        within(saved("smollm3"), tmp_path / "out", text=CORPUS)
    with pytest.raises(WrongInput, match="phi3 supports no rope_scaling but longrope"):
        within(saved("phi3"), tmp_path / "out", text=CORPUS)
