"""Runs the program under test: build/release/longrope, or what LONGROPE names."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

SOURCE = Path(__file__).resolve().parents[2]
LONGROPE = os.environ.get("LONGROPE", str(SOURCE / "build/release/longrope"))
DEMO = SOURCE / "configs/demo/model"
CORPUS = sorted((SOURCE / "configs/demo/corpus").glob("*.txt"))
TEXT = SOURCE / "configs/demo/corpus/on-the-keeping-of-clocks.txt"


def longrope(*arguments):
    """What the command prints; a failure ends the script."""
    done = subprocess.run([LONGROPE, *map(str, arguments)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"longrope {arguments[0]}: {done.stderr}")
    return done.stdout


def run(*arguments, env=None):
    """`longrope eval --json` with these arguments, finished."""
    command = [LONGROPE, "eval", "--json", *map(str, arguments)]
    environment = {**os.environ, **env} if env else None
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def results(*arguments):
    """What it says of each length and method."""
    done = run(*arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["results"]


def result(*arguments):
    (only,) = results(*arguments)
    return only


def nats(tmp_path, *arguments):
    """float64 [length - 1], and the result."""
    path = tmp_path / "nats.npy"
    path.unlink(missing_ok=True)  # of an earlier call
    of_window = result("--nats", path, *arguments)
    array = np.load(path)
    assert array.shape == (1, of_window["length"] - 1) and array.dtype == np.float64
    assert abs(array.mean() - of_window["nll"]) < 1e-12
    return array[0], of_window


def inline(factors):
    """A table as --factors takes it on the command line."""
    return ",".join(repr(float(factor)) for factor in factors)
