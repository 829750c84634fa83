"""Checkpoints with a weight that is not a number, or infinite: status 1, and a message that says where."""

import math
import shutil

import families
import numpy as np
import pytest
from program import run
from safetensors.torch import load_file, save_file

LENGTH = 200
LAYERS = 3
ARITHMETICS = ["f32", "bf16"]


@pytest.fixture(scope="module")
def damaged(saved, tmp_path_factory):
    """damaged(name, tensor, value): the folder of a model with that value in the middle of the tensor."""
    folder = tmp_path_factory.mktemp("damaged")

    def damage(name, tensor, value):
        shutil.copy(saved(name) / "config.json", folder)
        tensors = load_file(saved(name) / "model.safetensors")
        flat = tensors[tensor].view(-1)
        flat[len(flat) // 2] = value
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
        return folder

    return damage


def tensors_of(path):
    return sorted(load_file(path / "model.safetensors"))


def failure(path, tmp_path, arithmetic):
    families.random_tokens(tmp_path / "tokens.npy", LENGTH)
    done = run("--model", path, "--tokens", tmp_path / "tokens.npy", "--length", LENGTH, "--method", "none",
               "--dtype", arithmetic)  # fmt: skip
    assert done.returncode == 1 and done.stdout == "", (done.returncode, done.stdout)
    return done.stderr


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", ["llama-biases", "qwen3-biases", "phi3"])
def test_layer(saved, damaged, tmp_path, name, value):
    """Every tensor of every layer: the first layer after which the numbers are no longer finite is named."""
    tensors = [tensor for tensor in tensors_of(saved(name)) if tensor.startswith("model.layers.")]
    assert {tensor.split(".")[2] for tensor in tensors} == {"0", "1", "2"}
    for tensor in tensors:
        path = damaged(name, tensor, value)
        for arithmetic in ARITHMETICS:
            message = failure(path, tmp_path, arithmetic)
            layer = int(tensor.split(".")[2])
            assert f"(model.layers.{layer})" in message, f"{tensor} {arithmetic}: {message}"
            assert f"after layer {layer + 1} of {LAYERS}" in message


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("name", ["llama-biases", "phi3"])
def test_outside_layers(damaged, tmp_path, name, value):
    words = {"model.norm.weight": "last norm", "lm_head.weight": "output matrix"}
    words["model.embed_tokens.weight"] = "embedding"
    for tensor, word in words.items():
        path = damaged(name, tensor, value)
        for arithmetic in ARITHMETICS:
            message = failure(path, tmp_path, arithmetic)
            assert word in message and "model.layers" not in message, f"{tensor} {arithmetic}: {message}"


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("arithmetic", ARITHMETICS)
def test_tied_embedding(damaged, tmp_path, arithmetic, value):
    """A token that the text has not is seen by the output matrix, which is the embedding."""
    path = damaged("qwen2", "model.embed_tokens.weight", value)
    tokens = np.arange(LENGTH) % (families.VOCABULARY // 2)  # the middle row is the one after these
    np.save(tmp_path / "tokens.npy", tokens)
    done = run("--model", path, "--tokens", tmp_path / "tokens.npy", "--length", LENGTH, "--method", "none",
               "--dtype", arithmetic)  # fmt: skip
    assert done.returncode == 1 and "output matrix" in done.stderr, done.stderr


@pytest.mark.parametrize("arithmetic", ARITHMETICS)
def test_unread_embedding(damaged, tmp_path, arithmetic):
    """The embedding of a token that the text has not is nobody's business where it is not tied."""
    path = damaged("llama-biases", "model.embed_tokens.weight", math.nan)
    np.save(tmp_path / "tokens.npy", np.arange(LENGTH) % (families.VOCABULARY // 2))
    done = run("--model", path, "--tokens", tmp_path / "tokens.npy", "--length", LENGTH, "--method", "none",
               "--dtype", arithmetic)  # fmt: skip
    assert done.returncode == 0, done.stderr
