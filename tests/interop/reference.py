"""Nats of single tokens as transformers computes them, and what both programs are compared with.

Angles. longrope computes them in double precision, transformers in float32, and that alone moves
nats by up to 1e-2 at position 4096 (a float32 angle of 4096 radians is off by up to 2e-4). So the
model's rotary embedding is replaced by one that computes angles in float64 and rounds cosine and
sine to float32, as longrope does. Its frequencies are those of transformers' own rope functions,
run in float64. What --angles f32 does is held against transformers as it is, in test_angles.py.
"""

import contextlib

import numpy as np
import torch
import torch.nn.functional as F
from transformers import AutoModelForCausalLM, LlamaConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding
from transformers.utils import logging

torch.set_num_threads(1)
logging.set_verbosity_error()
logging.disable_progress_bar()

BASELINES = ["none", "pi", "ntk", "dynamic-ntk", "yarn"]
METHODS = [*BASELINES, "ntk-pi", "resonance-yarn"]
# Nats in f32. Beyond a model's window a few tokens are that sensitive to the order of sums: with the demo model, method
# none and 1000 tokens, transformers' largest difference to float64 is 5e-5, ours 4e-5 to 1.1e-4 by instruction set, and
# the root mean square of ours is 6e-6 with each of them.
TOKEN_TOLERANCE = 2e-4
ROOT_MEAN_SQUARE_TOLERANCE = 2e-5
MEAN_TOLERANCE = 1e-5


# ---- Tables ----


@contextlib.contextmanager
def float_is_double():
    """transformers asks for single precision by name: in rope functions, in norms and in softmax."""
    names, method = (torch.float, torch.float32), torch.Tensor.float
    torch.float = torch.float32 = torch.float64
    torch.Tensor.float = torch.Tensor.double
    try:
        yield
    finally:
        torch.float, torch.float32 = names
        torch.Tensor.float = method


def searched_parameters(config):
    """The rotary settings of the layers that a factor table rescales."""
    return config.rope_parameters.get("full_attention", config.rope_parameters)


def pairs_of(model):
    rotary = model.model.rotary_emb
    return len(getattr(rotary, "full_attention_inv_freq" if has_kinds(model.config) else "inv_freq"))


def has_kinds(config):
    """Whether there are rotary settings per kind of layer."""
    return "full_attention" in config.rope_parameters


def own_table(config, rotary, length, kind=None):
    """Inverse frequencies [pairs] and attention factor of a model itself, for an input of that length.
    `rotary` is the class of its rotary embedding, `kind` that of the layers if their settings differ."""
    if kind is None and has_kinds(config):
        kind = "full_attention"
    of_kind = {"layer_type": kind} if kind else {}
    rope_type = (config.rope_parameters[kind] if kind else config.rope_parameters)["rope_type"]
    if rope_type == "default":
        return rotary.compute_default_rope_parameters(config, **of_kind)
    return ROPE_INIT_FUNCTIONS[rope_type](config, device="cpu", seq_len=length, **of_kind)


def ntk_pi(own, window, scale):
    """Factors [pairs]: NTK's curve up to s at the first pair whose period is no shorter than the window (LongRoPE2, arXiv
    2502.20082, eq. 6 and 10), and s from there on. At least one pair lies before it, and it is a pair."""
    periods = 2 * np.pi / own.double().numpy()
    critical = min(max(1, int(np.sum(np.minimum.accumulate(periods < window)))), len(periods) - 1)
    return torch.tensor([scale ** min(1.0, i / critical) for i in range(len(periods))], dtype=torch.float64)


def resonance(own, factors):
    """Factors [pairs] with which wavelengths are whole tokens (Resonance RoPE, arXiv 2403.00071, algorithm 1)."""
    wavelengths = 2 * np.pi * factors.double().numpy() / own.double().numpy()
    return torch.from_numpy(np.rint(wavelengths) / wavelengths) * factors.double()


def rope_table(theta, width, window, method, scale, length):
    """Those of a closed-form method on a model without scaling of its own, of that rotary width and
    trained on that window."""
    if method in ("ntk-pi", "resonance-yarn"):
        with float_is_double():
            own, _ = rope_table(theta, width, window, "none", 1.0, length)
            factors, attention_factor = beyond_transformers(own, theta, width, window, method, scale, length)
        return (own / factors).to(torch.float), attention_factor
    rope_type = {"pi": "linear", "dynamic-ntk": "dynamic", "yarn": "yarn"}.get(method, "default")
    if method == "ntk":
        theta = theta * scale ** (width / (width - 2))
    parameters = {"rope_type": rope_type, "rope_theta": theta}
    if rope_type != "default":
        parameters["factor"] = scale
    if rope_type == "yarn":
        parameters["original_max_position_embeddings"] = window
    config = LlamaConfig(
        hidden_size=width, num_attention_heads=1, max_position_embeddings=window, rope_parameters=parameters
    )
    return own_table(config, LlamaRotaryEmbedding, length)


def beyond_transformers(own, theta, width, window, method, scale, length):
    """Factors and attention factor of methods that depend on the model's own frequencies, its scaling included, and that
    transformers does not have."""
    if method == "ntk-pi":
        return ntk_pi(own, window, scale), 1.0
    plain, _ = rope_table(theta, width, window, "none", 1.0, length)
    yarn, attention_factor = rope_table(theta, width, window, "yarn", scale, length)
    return resonance(own, plain / yarn), attention_factor


class DoubleRotary(torch.nn.Module):
    """Stands in for a model's rotary embedding: angles in float64, and n_hat start tokens."""

    def __init__(self, base, rescaled, attention_factor, start_tokens=0):
        super().__init__()
        self.base, self.rescaled = base, rescaled  # [pairs], radians per token
        self.attention_factor, self.start_tokens = attention_factor, start_tokens
        assert base.dtype == rescaled.dtype == torch.float64

    def forward(self, x, position_ids):
        at = position_ids[..., None].to(torch.float64)
        half = torch.where(at < self.start_tokens, at * self.base, at * self.rescaled)
        angles = torch.cat((half, half), dim=-1)
        cos, sin = angles.cos() * self.attention_factor, angles.sin() * self.attention_factor
        return cos.to(x.dtype), sin.to(x.dtype)


class RotaryPerKind(torch.nn.Module):
    """The same for models with rotary settings per kind of layer."""

    def __init__(self, full, sliding):
        super().__init__()
        self.of_kind = {"full_attention": full, "sliding_attention": sliding}

    def forward(self, x, position_ids, layer_type):
        return self.of_kind[layer_type](x, position_ids)


def rotary_of_table(model, length, factors=1.0, attention_factor=1.0, start_tokens=0):
    """The model's own frequencies divided by rescale factors [pairs]."""
    with float_is_double():
        own, own_attention_factor = own_table(model.config, type(model.model.rotary_emb), length)
    factors = torch.as_tensor(factors, dtype=torch.float64)
    searched = DoubleRotary(own, own / factors, own_attention_factor * attention_factor, start_tokens)
    if not has_kinds(model.config):
        return searched
    with float_is_double():
        kept, m = own_table(model.config, type(model.model.rotary_emb), length, "sliding_attention")
    return RotaryPerKind(searched, DoubleRotary(kept, kept, m))


def rotary_of(model, method, scale, length):
    """A closed-form method on top of the model's own scaling."""
    config, pairs = model.config, pairs_of(model)
    plain = searched_parameters(config)["rope_theta"], 2 * pairs, config.max_position_embeddings
    with float_is_double():
        if method not in BASELINES:
            own, _ = own_table(config, type(model.model.rotary_emb), length)
            return rotary_of_table(model, length, *beyond_transformers(own, *plain, method, scale, length))
        base, _ = rope_table(*plain, "none", 1.0, length)
        rescaled, attention_factor = rope_table(*plain, method, scale, length)
    return rotary_of_table(model, length, base / rescaled, attention_factor)


# ---- Nats ----


def load(path, dtype, attention="sdpa"):
    return AutoModelForCausalLM.from_pretrained(
        path, dtype=dtype, attn_implementation=attention, experts_implementation="eager"  # others lack float64
    ).eval()


@contextlib.contextmanager
def rotary_replaced(model, rotary):
    own = model.model.rotary_emb
    model.model.rotary_emb = rotary
    try:
        yield
    finally:
        model.model.rotary_emb = own


def nats(model, tokens, rotary=None):
    """float64 [len(tokens) - 1], with the rotary embedding that is given, or the model's own; softmax in
    float64 whatever the model computes in. A float64 model computes all of it in float64."""
    ids = torch.as_tensor(np.asarray(tokens, dtype=np.int64))[None]
    precision = float_is_double() if model.dtype == torch.float64 else contextlib.nullcontext()
    with torch.inference_mode(), rotary_replaced(model, rotary or model.model.rotary_emb), precision:
        logits = model(ids, use_cache=False).logits[0, :-1]
    return F.cross_entropy(logits.double(), ids[0, 1:], reduction="none").numpy()


# ---- Comparisons ----


def compare(what, ours, theirs):
    """Prints and returns the largest difference of a token and the difference of the means."""
    token, mean = np.abs(ours - theirs).max(), abs(ours.mean() - theirs.mean())
    print(f"\n  {what}: token {token:.2e}, root mean square {root_mean_square(ours, theirs):.2e}, mean {mean:.2e}", end="")
    return token, mean


def root_mean_square(ours, theirs):
    return np.sqrt(np.mean((ours - theirs) ** 2))


def hold_together(label, ours, single, double):
    """longrope's nats against those of transformers in float32 and in float64."""
    print(f"\n{label}", end="")
    compare("transformers - float64 ", single, double)
    for what, theirs in [("longrope - float64     ", double), ("longrope - transformers", single)]:
        token, mean = compare(what, ours, theirs)
        assert token < TOKEN_TOLERANCE, what
        assert root_mean_square(ours, theirs) < ROOT_MEAN_SQUARE_TOLERANCE, what
        assert mean < MEAN_TOLERANCE, what
