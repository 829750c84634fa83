"""CLEX's rotary embedding (arXiv 2310.16450): frequencies that a trained network continues from factor 1 to any factor.

The logarithms z of the frequencies depend on the extension factor t. z(1) = ln theta^(-2i/d), and

    dz/dt = g(t) + act((z + ln f(t)) U) D,    U [d/2][p d], D [p d][d/2]

f is NTK's table of base 10000 for alpha = 2 t - 1, f_i = (10000 alpha^(d/(d-2)))^(-2i/d), and g the derivative of ln f.
With D = 0 the solution is NTK's table for a ratio of 2 t - 1. Facts that the paper leaves open (base 10000, alpha, the
initial values of U and D, the distribution of positions) are those of the authors' program, DAMO-NLP-SG/CLEX.
"""

import math
import random

import torch
from torch import nn
from torchdiffeq import odeint

BASE = 10000.0  # of f, whatever the model's theta
ACTIVATIONS = {"tanh": torch.tanh, "silu": nn.functional.silu}
NAMES = ("ode_up_proj", "ode_down_proj")
PREFIX = "model.clex_layer.proj_func."  # of these in the file of a model


class Field(nn.Module):
    """dz/dt. The names of parameters are those of the authors' files."""

    def __init__(self, pairs: int, param_factor: int, act: str):
        super().__init__()
        self.pairs, self.act = pairs, ACTIVATIONS[act]
        hidden = 2 * pairs * param_factor
        self.ode_up_proj = nn.Parameter(torch.empty(pairs, hidden, dtype=torch.float32))
        self.ode_down_proj = nn.Parameter(torch.empty(hidden, pairs, dtype=torch.float32))

    def forward(self, t, z):
        index = torch.arange(0, 2 * self.pairs, 2, dtype=torch.float32, device=z.device)
        power, alpha = index / (2 * self.pairs - 2), 2 * t - 1
        ln_f = -index / (2 * self.pairs) * math.log(BASE) - power * torch.log(alpha)
        return -2 * power / alpha + self.act((z + ln_f) @ self.ode_up_proj.float()) @ self.ode_down_proj.float()


def initial(pairs: int, param_factor: int, seed: int) -> dict:
    """Tensors by their names in a file: U uniform within 1 / sqrt(p d), and D = 0."""
    hidden = 2 * pairs * param_factor
    generator = torch.Generator().manual_seed(seed)
    up = (2 * torch.rand(pairs, hidden, generator=generator) - 1) / math.sqrt(hidden)
    return {PREFIX + NAMES[0]: up, PREFIX + NAMES[1]: torch.zeros(hidden, pairs)}


class ClexRotary(nn.Module):
    """cos and sin [1][tokens][d] for the factor and the positions that were chosen last."""

    def __init__(self, pairs: int, theta: float, scaling: dict):
        super().__init__()
        self.pairs, self.theta, self.scaling = pairs, theta, scaling
        self.proj_func = Field(pairs, scaling["param_factor"], scaling["act"])
        self.factor, self.positions = 1, None

    def choose(self, factor: int, positions=None) -> None:
        """`positions` are numbers, one for each token; None: 0, 1, 2, ..."""
        self.factor, self.positions = factor, positions

    def frequencies(self, factor: int) -> torch.Tensor:
        """f32 [d/2], radians per token"""
        device = self.proj_func.ode_up_proj.device
        index = torch.arange(self.pairs, dtype=torch.float32, device=device)
        z = -index / self.pairs * math.log(self.theta)
        if factor == 1:
            # Gradients of zero, not none: processes must agree on which tensors have one, and so must checkpoints.
            return (z + 0.0 * sum(parameter.float().sum() for parameter in self.proj_func.parameters())).exp()
        times = torch.tensor([1.0, float(factor)], device=device)
        return odeint(self.proj_func, z, times, method="rk4", options={"step_size": self.scaling["time_dt"]})[1].exp()

    def forward(self, x, position_ids):
        with torch.autocast(x.device.type, enabled=False):
            at = position_ids[0] if self.positions is None else torch.tensor(self.positions, device=x.device)
            half = at.float()[:, None] * self.frequencies(self.factor)
            angles = torch.cat((half, half), dim=-1)[None]
            return angles.cos().to(x.dtype), angles.sin().to(x.dtype)


def factor_of(length: int, window: int, scaling: dict) -> int:
    """The factor that an input of that length is evaluated with."""
    return min(math.ceil(length / window), scaling["max_factor"])


def draw(number: int, length: int, window: int, scaling: dict, seed: int, runs=None) -> tuple[int, list[float]]:
    """Factor and positions of training batch `number`, which depend on the seed and on the number alone.

    t is uniform within 1..max_factor. The window is cut at random places into `runs` runs (None: one for each token, as
    the authors do). Neighbours within a run are one position apart. Between runs positions are skipped, (t - 1) length in
    all: every way to share them out is equally likely. So the first position is 0 and the last t length - 1, and with
    runs of one token those between are drawn without replacement. All are divided by length // window where windows are
    longer than the model's own.
    """
    rng = random.Random(f"{seed}/clex/{number}")  # seeded by text, by a hash that is the same everywhere
    factor = rng.randint(1, scaling["max_factor"])
    runs = runs or length
    end = (factor - 1) * length + runs - 1  # of positions, where each run has one
    starts = [0, *sorted(rng.sample(range(1, end), runs - 2)), end]
    cuts = [0, *sorted(rng.sample(range(1, length), runs - 1)), length]
    divisor = max(1, length // window)
    return factor, [
        (start - run + token) / divisor
        for run, start in enumerate(starts)
        for token in range(cuts[run], cuts[run + 1])
    ]
