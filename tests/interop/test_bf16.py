"""--dtype bf16: products of bf16 numbers, sums in f32.

Weights and operands are rounded to 8 bits, so single tokens move by hundredths of a nat, at random; means
over a window hardly do. transformers in bfloat16 also rounds what lies between the products (the
residual stream, norms, softmax) and is further off.
"""

import families
import numpy as np
import pytest
import torch
from program import CORPUS, DEMO, TEXT, inline, nats as longrope_nats, result
from reference import load, nats, rotary_of

LENGTH = 600
F32_TOLERANCE = 5e-3  # of means, to f32
TRANSFORMERS_TOLERANCE = 1e-2  # of means, to transformers in bfloat16, which is as far again from f32
# A router that rounding makes choose another expert moves a token by tenths of a nat, in either program. Routers of
# random weights are often undecided.
EXPERTS_TOLERANCE = 3e-2


def spread(a, b):
    return np.sqrt(((a - b) ** 2).mean())


def hold_bf16(label, path, tmp_path, options, tokens, method, scale):
    options = [*options, "--model", path, "--length", len(tokens), "--method", method, "--scale", scale]
    single, _ = longrope_nats(tmp_path, *options, "--dtype", "f32")
    ours, row = longrope_nats(tmp_path, *options, "--dtype", "bf16")
    assert row["dtype"] == "bf16"
    model = load(path, torch.bfloat16)
    theirs = nats(model, tokens, rotary_of(model, method, scale, len(tokens)))
    print(f"\n{label}: to f32 {ours.mean() - single.mean():+.1e} (tokens {spread(ours, single):.1e}), transformers' "
          f"{theirs.mean() - single.mean():+.1e} (tokens {spread(theirs, single):.1e})", end="")  # fmt: skip
    if getattr(model.config, "num_experts", 0):
        assert abs(ours.mean() - single.mean()) < EXPERTS_TOLERANCE
        assert spread(ours, single) < 2 * spread(theirs, single)
        return
    assert abs(ours.mean() - single.mean()) < F32_TOLERANCE
    assert abs(ours.mean() - theirs.mean()) < TRANSFORMERS_TOLERANCE
    assert spread(ours, single) < spread(theirs, single)


@pytest.mark.parametrize("name", families.FAMILIES)
def test_family(saved, tmp_path, name):
    tokens = families.random_tokens(tmp_path / "tokens.npy", LENGTH)
    hold_bf16(name, saved(name), tmp_path, ["--tokens", tmp_path / "tokens.npy"], tokens, "none", 1.0)


@pytest.mark.parametrize("length, method", [(256, "none"), (2048, "yarn"), (2048, "dynamic-ntk")])
def test_demo(tmp_path, length, method):
    text = np.frombuffer(TEXT.read_bytes(), dtype=np.uint8)[:length]
    hold_bf16(f"demo {method} {length}", DEMO, tmp_path, ["--text", TEXT], text, method, 8.0)


# ---- The order of candidates ----

TABLES, TAU, TAU_NEAR = 100, 0.99, 0.95  # of each kind

# The best table of README.md, which the search found for this length.
GOOD = [1.00, 1.04, 1.05, 1.24, 1.32, 1.59, 1.71, 1.74, 1.93, 2.84, 3.06, 4.01, 4.67, 5.77, 8.00, 8.00,
        8.00, 8.00, 8.00, 8.00, 8.00, 8.00, 8.00, 8.00, 8.00, 8.00, 8.00, 8.00, 8.00, 8.00, 8.35, 8.60]  # fmt: skip


def random_table(random):
    """A monotone table of the search's lattice, 1.00 to 10.00, of any shape: factors that are uniform would
    all lie near one line."""
    rises = np.sort(random.uniform(0, 1, len(GOOD))) ** random.uniform(0.5, 4)
    return np.round(1 + 9 * rises, 2)


def mutated_table(random):
    """A mutation of the good table, as the search makes them: a factor is drawn anew with probability 0.3,
    from what its neighbours allow."""
    table = [1.0, *GOOD, 10.0]
    for i in range(1, len(table) - 1):
        if random.uniform() < 0.3:
            table[i] = round(random.uniform(table[i - 1], table[i + 1]), 2)
    return table[1:-1]


def kendall_tau(a, b):
    """Of pairs that both order alike, the part that exceeds those they order otherwise."""
    first, second = np.triu_indices(len(a), 1)
    return (np.sign(a[first] - a[second]) * np.sign(b[first] - b[second])).mean()


def score(factors, arithmetic):
    row = result("--model", DEMO, "--text", *CORPUS, "--length", 2048, "--factors", inline(factors), "--dtype",
                 arithmetic)  # fmt: skip
    assert row["dtype"] == arithmetic and row["documents"] == len(CORPUS)
    return row["nll"]


def test_order_of_tables():
    """The search only compares scores: what counts is that bf16 puts candidates in the order of f32."""
    random = np.random.default_rng(2402)
    tables = [random_table(random) for _ in range(TABLES)] + [mutated_table(random) for _ in range(TABLES)]
    single, half = (np.array([score(factors, arithmetic) for factors in tables]) for arithmetic in ["f32", "bf16"])
    tau = {}
    for kind, part in {"all": slice(None), "random": slice(TABLES), "near": slice(TABLES, None)}.items():
        tau[kind] = kendall_tau(single[part], half[part])
        print(f"\n{kind}: {len(single[part])} tables, {single[part].min():.4f} to {single[part].max():.4f} nats, tau "
              f"{tau[kind]:.4f}", end="")  # fmt: skip
    print(f"\nbf16 - f32: mean {(half - single).mean():+.1e}, at most {np.abs(half - single).max():.1e}", end="")
    assert np.abs(half - single).max() < F32_TOLERANCE
    assert tau["all"] > TAU
    assert tau["near"] > TAU_NEAR
