"""Attention logits of any size against transformers: a model whose queries and keys are large."""

import families
import numpy as np
import pytest
import torch
from program import nats as longrope_nats, run
from reference import compare, load, nats
from safetensors.torch import load_file, save_file

LENGTH = 200
KERNELS = ["reference", "baseline", "avx2", "avx512"]


def available(path, tmp_path, kernels):
    done = run("--model", path, "--tokens", tmp_path / "tokens.npy", "--length", 2, "--dtype", "f32", "--method", "none",
               env={"LONGROPE_KERNELS": kernels})  # fmt: skip
    assert done.returncode == 0 or "are not available" in done.stderr, done.stderr
    return done.returncode == 0


@pytest.fixture(scope="module")
def enlarged(saved, tmp_path_factory):
    """enlarged(size): the folder of a model whose logits before softmax are about so large."""

    def enlarge(size):
        folder = tmp_path_factory.mktemp("enlarged")
        (folder / "config.json").symlink_to(saved("llama-biases") / "config.json")
        tensors = load_file(saved("llama-biases") / "model.safetensors")
        for name in tensors:
            if "q_proj" in name or "k_proj" in name:
                tensors[name] *= size**0.5
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
        return folder

    return enlarge


@pytest.mark.parametrize("size", [1e-30, 1e-6, 1e2, 1e6, 1e10, 1e18, 1e30])
def test_size(enlarged, tmp_path, monkeypatch, size):
    """At large sizes a row attends to one key, which float32's rounding of a logit hardly ever changes."""
    path = enlarged(size)
    tokens = families.random_tokens(tmp_path / "tokens.npy", LENGTH)
    theirs = nats(load(path, torch.float32), tokens)
    assert np.isfinite(theirs).all()
    for kernels in filter(lambda name: available(path, tmp_path, name), KERNELS):
        monkeypatch.setenv("LONGROPE_KERNELS", kernels)
        ours, _ = longrope_nats(tmp_path, "--model", path, "--tokens", tmp_path / "tokens.npy", "--length", LENGTH,
                                "--dtype", "f32", "--method", "none")  # fmt: skip
        _, mean = compare(f"logits of about {size:g}, {kernels}", ours, theirs)
        assert mean < 1e-4, kernels
