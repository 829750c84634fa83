"""CLEX (arXiv 2310.16450): tables against SciPy's integration of the equation, nats against LlamaForCausalLM with the
frequencies that torchdiffeq gives.

The models are llamas with random weights, to which this file adds the tensors and keys that DAMO-NLP-SG/CLEX writes."""

import json
import subprocess

import families
import numpy as np
import pytest
import torch
from program import LONGROPE, nats as longrope_nats, run
from reference import DoubleRotary, compare, load, nats, rotary_of_table
from safetensors.torch import load_file, save_file
from scipy.integrate import solve_ivp
from torchdiffeq import odeint

PAIRS = 12  # of families.of_rope_type()
MAX_FACTOR = 4
THETA = 70000.0  # of NTK in the equation it is 10000 nonetheless
WINDOW = families.WINDOW
TOKEN_TOLERANCE = 1e-4


def network(param_factor, size):
    """U [d/2][p d] and D [p d][d/2]: U as the authors initialise it, D of that size, where they begin with zeros."""
    random = np.random.default_rng(5)
    width, bound = param_factor * 2 * PAIRS, 1 / np.sqrt(param_factor * 2 * PAIRS)
    up = random.uniform(-bound, bound, (PAIRS, width))
    return up.astype(np.float32), random.normal(0, size, (width, PAIRS)).astype(np.float32)


def clex_model(plain, path, param_factor=1, size=0.03, dtype=torch.float32, log_scale=False, **settings):
    """The plain model with a CLEX layer, in a folder of its own; and U, D as they are stored."""
    path.mkdir()
    up, down = (torch.from_numpy(x).to(dtype) for x in network(param_factor, size))
    layer = "model.clex_layer."
    frequencies = THETA ** (-torch.arange(PAIRS) / PAIRS)
    added = {
        f"{layer}proj_func.ode_up_proj": up,
        f"{layer}proj_func.ode_down_proj": down,
        f"{layer}inv_freq": frequencies.to(dtype),
    }
    save_file(load_file(plain / "model.safetensors") | added, path / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((plain / "config.json").read_text())
    config.pop("rope_parameters")
    config["rope_theta"] = THETA
    config["rope_scaling"] = {
        "type": "clex", "factor": 1, "max_factor": MAX_FACTOR, "param_factor": param_factor, "act": "silu",
        "time_dt": 0.01, **settings,
    }  # fmt: skip
    config["log_scale"] = log_scale
    (path / "config.json").write_text(json.dumps(config))
    return path, up.double(), down.double()


def slope(t, z, up, down, act):
    """dz/dt of the frequencies' logarithms z [d/2], in float64, as the authors' ODELinear has it: they take the
    derivative of the NTK frequencies, and divide it by them."""
    d, j = 2 * PAIRS, 2 * torch.arange(PAIRS, dtype=torch.float64)
    alpha = 2 * t - 1
    ntk = 1 / (10000 * alpha ** (d / (d - 2))) ** (j / d)
    of_ntk = -2 * j / (d - 2) / (10000 ** (j / d) * alpha ** (j / (d - 2) + 1))
    return act((z + torch.log(ntk)) @ up) @ down + of_ntk / ntk


ACTIVATIONS = {"silu": torch.nn.functional.silu, "tanh": torch.tanh}


def begin():
    return torch.log(THETA ** (-torch.arange(PAIRS, dtype=torch.float64) / PAIRS))


def by_scipy(up, down, act, most):
    """Frequencies [t - 1][d/2] at t = 1 to `most`."""
    times = np.arange(1.0, most + 1)
    right = lambda t, z: slope(torch.tensor(t), torch.from_numpy(z), up, down, ACTIVATIONS[act]).numpy()  # noqa: E731
    done = solve_ivp(
        right, (1.0, times[-1]), begin().numpy(), method="DOP853", t_eval=times, rtol=1e-13, atol=1e-13
    )
    assert done.success
    return np.exp(done.y.T)


def by_torchdiffeq(up, down, act, t):
    """Frequencies [d/2] at t, in the authors' steps."""
    if t == 1:
        return torch.exp(begin())
    right = lambda t, z: slope(t, z, up, down, ACTIVATIONS[act])  # noqa: E731
    times = torch.tensor([1.0, float(t)], dtype=torch.float64)
    return torch.exp(odeint(right, begin(), times, method="rk4", options={"step_size": 0.01})[1])


def tables(path, out):
    """All of a CLEX model, as `longrope export` writes them."""
    command = [LONGROPE, "export", path, "--format", "json", "--out", out]
    subprocess.run(command, check=True, capture_output=True)
    return json.loads(out.read_text())


@pytest.mark.parametrize("act", ACTIVATIONS)
@pytest.mark.parametrize("param_factor, size, dtype", [(1, 0.03, torch.float32), (3, 0.02, torch.bfloat16)])
def test_tables(saved, tmp_path, act, param_factor, size, dtype):
    most = 16
    path, up, down = clex_model(
        saved("default"), tmp_path / "clex", param_factor, size, dtype, act=act, max_factor=most
    )
    ours = tables(path, tmp_path / "tables.json")
    theirs = by_scipy(up, down, act, most)
    assert ours["original_length"] == WINDOW and ours["rope_theta"] == THETA
    assert [table["max_length"] for table in ours["tables"]] == [t * WINDOW for t in range(1, most + 1)]
    factors = np.array([table["factors"] for table in ours["tables"]])
    np.testing.assert_allclose(factors, theirs[0] / theirs, rtol=1e-9)
    assert np.all(factors[0] == 1)
    ntk = (2.0 * most - 1) ** (np.arange(PAIRS) / (PAIRS - 1))
    assert np.abs(factors[-1] / ntk - 1).max() > 0.1  # the tensors count


def hold_nats(label, path, reference, tmp_path, length, frequencies, *options, scores=1.0):
    tokens = families.random_tokens(tmp_path / "tokens.npy", length)
    ours, _ = longrope_nats(
        tmp_path, "--model", path, "--tokens", tmp_path / "tokens.npy", "--length", length, "--dtype", "f32",
        "--method", "none", *options,
    )  # fmt: skip
    model = load(reference, torch.float64)
    for layer in model.model.layers:
        layer.self_attn.scaling *= scores
    theirs = nats(model, tokens, DoubleRotary(frequencies, frequencies, 1.0))
    token, mean = compare(label, ours, theirs)
    assert token < TOKEN_TOLERANCE and mean < 1e-5
    return ours


@pytest.mark.parametrize("act", ACTIVATIONS)
def test_nats(saved, tmp_path, act):
    """Within the window, at its end, beyond it, and beyond the largest factor."""
    path, up, down = clex_model(saved("default"), tmp_path / "clex", act=act)
    for length, t in [(200, 1), (WINDOW, 1), (WINDOW + 1, 2), (600, 3), (1000, 4), (1100, 4)]:
        hold_nats(f"{act} {length}", path, saved("default"), tmp_path, length, by_torchdiffeq(up, down, act, t))


def test_table_counts(saved, tmp_path):
    """The tables of neighbours in t differ by more than the tolerance, and that of t = 2 from the plain model's."""
    path, up, down = clex_model(saved("default"), tmp_path / "clex")
    tokens = np.random.default_rng(3).integers(0, families.VOCABULARY, 600)
    model = load(saved("default"), torch.float64)
    of_t = []
    for t in range(1, 5):
        frequencies = by_torchdiffeq(up, down, "silu", t)
        of_t.append(nats(model, tokens, DoubleRotary(frequencies, frequencies, 1.0)))
    assert all(np.abs(a - b).max() > 100 * TOKEN_TOLERANCE for a, b in zip(of_t, of_t[1:]))


def test_beyond_max_factor(saved, tmp_path):
    path, up, down = clex_model(saved("default"), tmp_path / "clex", act="tanh")
    frequencies = by_torchdiffeq(up, down, "tanh", 5)
    hold_nats("t = 5", path, saved("default"), tmp_path, 1100, frequencies, "--max-factor", 8)
    refused = run(
        "--model", saved("default"), "--tokens", tmp_path / "tokens.npy", "--length", 600, "--method", "none",
        "--max-factor", 8,
    )  # fmt: skip
    assert refused.returncode == 2 and "is default, not clex" in refused.stderr


@pytest.mark.parametrize("length, t", [(100, 1), (600, 3)])
def test_log_scale(saved, tmp_path, length, t):
    """Queries times ln n / ln L0, whatever the length, as the authors' code has it."""
    path, up, down = clex_model(saved("default"), tmp_path / "clex", log_scale=True)
    scores = np.log(length) / np.log(WINDOW)
    frequencies = by_torchdiffeq(up, down, "silu", t)
    hold_nats(f"log_scale {length}", path, saved("default"), tmp_path, length, frequencies, scores=scores)


def test_exported_model(saved, tmp_path):
    """transformers computes what the model does at a length, without CLEX, from what is exported for it."""
    path, up, down = clex_model(saved("default"), tmp_path / "clex")
    exported = tmp_path / "exported"
    subprocess.run(
        [LONGROPE, "export", path, "--format", "hf", "--model", path, "--length", "600", "--out", exported],
        check=True, capture_output=True,
    )  # fmt: skip
    model = load(exported, torch.float64)
    for length, t in [(200, 1), (600, 3)]:
        ours = hold_nats(f"{length}", path, saved("default"), tmp_path, length, by_torchdiffeq(up, down, "silu", t))
        tokens = np.load(tmp_path / "tokens.npy")
        token, _ = compare(f"exported {length}", ours, nats(model, tokens, rotary_of_table(model, length)))
        assert token < TOKEN_TOLERANCE
