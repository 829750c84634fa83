"""Quantised numbers of GGUF files are those of the Python package gguf, bit for bit, for random blocks."""

import ctypes
import os
import subprocess

import gguf
import numpy as np
import pytest
from gguf import GGMLQuantizationType as Type
from program import SOURCE

# Where the f16 numbers of a block are.
HALVES = {
    Type.Q4_0: [0], Type.Q4_1: [0, 2], Type.Q5_0: [0], Type.Q5_1: [0, 2], Type.Q8_0: [0], Type.IQ4_NL: [0],
    Type.Q2_K: [80, 82], Type.Q3_K: [108], Type.Q4_K: [0, 2], Type.Q5_K: [0, 2], Type.Q6_K: [208],
    Type.F16: [0], Type.BF16: [], Type.F32: [],
}  # fmt: skip
SPECIAL = np.array([0x0000, 0x8000, 0x0001, 0x83FF, 0x0400, 0x7BFF, 0xFC00, 0x7C00, 0x7E00], np.uint16)


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """The reader of blocks alone, as a shared library."""
    path = tmp_path_factory.mktemp("blocks") / "blocks.so"
    sources = [SOURCE / f"eval/{name}.c" for name in ("gguf/block", "base/name", "base/number", "base/error")]
    subprocess.run([os.environ.get("CC", "cc"), "-std=c17", "-D_GNU_SOURCE", "-O3", "-shared", "-fPIC", f"-I{SOURCE}",
                    "-o", path, *sources], check=True)  # fmt: skip
    return ctypes.CDLL(str(path))


def random_blocks(generator, kind, count, special):
    """uint8 [count, bytes of a block], with random scales or those that are not normal numbers."""
    blocks = generator.integers(0, 256, (count, gguf.GGML_QUANT_SIZES[kind][1]), dtype=np.uint8)
    for at in HALVES[kind] if special else []:
        blocks[:, at : at + 2] = generator.choice(SPECIAL, count).view(np.uint8).reshape(count, 2)
    return blocks


@pytest.mark.parametrize("special", [False, True], ids=["any", "special"])
@pytest.mark.parametrize("kind", HALVES, ids=lambda kind: kind.name)
def test_blocks(library, kind, special):
    blocks = random_blocks(np.random.default_rng(kind), kind, 4096, special)
    with np.errstate(all="ignore"):
        wanted = np.ascontiguousarray(gguf.dequantize(blocks, kind), np.float32).reshape(-1)
    got = np.empty_like(wanted)
    library.blocks_to_f32(got.ctypes.data_as(ctypes.c_void_p), blocks.ctypes.data_as(ctypes.c_void_p), int(kind),
                          ctypes.c_int64(got.size))  # fmt: skip
    real = ~np.isnan(wanted)
    assert np.array_equal(np.isnan(got), ~real)  # which NaN it is depends on the processor
    assert np.array_equal(got[real].view(np.uint32), wanted[real].view(np.uint32))
