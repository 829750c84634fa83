"""Small models of every family with random weights, saved by transformers' own classes.

Weights are large enough that every tensor moves the nats (test_families.py sees to it), and small
enough that float32 does not blow its own noise up.
"""

from dataclasses import dataclass, field

import numpy as np
import torch
from transformers import (
    AutoModelForCausalLM,
    Gemma3TextConfig,
    LlamaConfig,
    Ministral3Config,
    MistralConfig,
    MixtralConfig,
    Olmo2Config,
    Phi3Config,
    Qwen2Config,
    Qwen3Config,
    Qwen3MoeConfig,
    SmolLM3Config,
)

VOCABULARY = 211
WINDOW = 256  # max_position_embeddings
ORIGINAL = 64  # original_max_position_embeddings, where a rope type has it
SLIDING = 37  # keys

SHORT_FACTORS = [round(1 + 0.03 * i, 2) for i in range(12)]
LONG_FACTORS = [round(1 + 0.35 * i, 2) for i in range(12)]


def rope(rope_type="default", **parameters):
    return {"rope_type": rope_type, "rope_theta": 10000.0, **parameters}


def yarn(**parameters):
    return rope("yarn", factor=4.0, original_max_position_embeddings=ORIGINAL, **parameters)


def longrope(pairs=12, **parameters):
    factors = {"short_factor": SHORT_FACTORS[:pairs], "long_factor": LONG_FACTORS[:pairs]}
    return rope("longrope", original_max_position_embeddings=ORIGINAL, **factors, **parameters)


LLAMA3 = rope("llama3", rope_theta=500000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
              original_max_position_embeddings=ORIGINAL)  # fmt: skip


@dataclass
class Family:
    config: type
    heads: int
    kv_heads: int
    hidden: int
    dtype: torch.dtype = torch.float32
    sharded: bool = False
    more: dict = field(default_factory=dict)  # of the configuration


FAMILIES = {
    "llama-2": Family(LlamaConfig, 4, 4, 64, torch.float16, more=dict(rope_parameters=rope())),
    "llama-3": Family(
        LlamaConfig, 6, 2, 96, torch.bfloat16, sharded=True, more=dict(rope_parameters=LLAMA3, tie_word_embeddings=True)
    ),
    "llama-biases": Family(
        LlamaConfig, 5, 1, 80, more=dict(attention_bias=True, mlp_bias=True, head_dim=24, rope_parameters=rope())
    ),
    "mistral": Family(
        MistralConfig, 4, 2, 64, torch.bfloat16, sharded=True,
        more=dict(sliding_window=SLIDING, rope_parameters=rope(rope_theta=1000000.0)),
    ),
    "mistral-full": Family(
        MistralConfig, 4, 4, 64, more=dict(sliding_window=None, head_dim=24, rope_parameters=yarn())
    ),
    "qwen2": Family(Qwen2Config, 6, 2, 96, torch.bfloat16, more=dict(tie_word_embeddings=True, rope_parameters=rope())),
    "qwen2-yarn": Family(Qwen2Config, 4, 4, 64, torch.float16, more=dict(rope_parameters=yarn())),
    "qwen3": Family(
        Qwen3Config, 5, 1, 80, torch.bfloat16, sharded=True,
        more=dict(head_dim=24, tie_word_embeddings=True, rope_parameters=rope(rope_theta=1000000.0)),
    ),
    "qwen3-biases": Family(
        Qwen3Config, 4, 2, 64, more=dict(head_dim=32, attention_bias=True, rope_parameters=yarn())
    ),
    "smollm3": Family(
        SmolLM3Config, 4, 2, 64, torch.bfloat16,
        more=dict(no_rope_layers=[1, 0, 1], tie_word_embeddings=True, rope_parameters=rope(rope_theta=5000000.0)),
    ),
    "smollm3-sliding": Family(  # its second layer slides and is not rotated
        SmolLM3Config, 5, 1, 80, torch.float16, sharded=True,
        more=dict(no_rope_layer_interval=2, use_sliding_window=True, sliding_window=SLIDING, head_dim=24,
                  attention_bias=True, mlp_bias=True, rope_parameters=yarn()),
    ),
    "smollm3-rotated-slides": Family(  # layer_types that do not follow from the layers that are not rotated
        SmolLM3Config, 4, 4, 64,
        more=dict(no_rope_layers=[0, 1, 1], use_sliding_window=True, sliding_window=SLIDING,
                  layer_types=["full_attention", "sliding_attention", "full_attention"], rope_parameters=rope()),
    ),
    "olmo2": Family(
        Olmo2Config, 6, 2, 96, torch.bfloat16, sharded=True, more=dict(rope_parameters=rope(rope_theta=500000.0)),
    ),
    "olmo2-biases": Family(Olmo2Config, 8, 2, 64, torch.float16, more=dict(attention_bias=True, rope_parameters=yarn())),
    "qwen3_moe": Family(
        Qwen3MoeConfig, 4, 2, 64, torch.bfloat16, sharded=True,
        more=dict(head_dim=24, num_experts=8, num_experts_per_tok=2, moe_intermediate_size=40, norm_topk_prob=True,
                  rope_parameters=rope(rope_theta=1000000.0)),
    ),
    "qwen3_moe-some-layers": Family(  # of three layers, the second has experts
        Qwen3MoeConfig, 5, 1, 80,
        more=dict(head_dim=24, num_experts=5, num_experts_per_tok=3, moe_intermediate_size=33, attention_bias=True,
                  decoder_sparse_step=2, tie_word_embeddings=True, rope_parameters=yarn()),
    ),
    "qwen3_moe-dense-layer": Family(
        Qwen3MoeConfig, 4, 4, 64, torch.float16,
        more=dict(num_experts=6, num_experts_per_tok=1, moe_intermediate_size=48, mlp_only_layers=[1],
                  rope_parameters=rope()),
    ),
    "mixtral": Family(
        MixtralConfig, 4, 2, 64, torch.bfloat16, sharded=True,
        more=dict(num_local_experts=4, sliding_window=SLIDING, rope_parameters=rope(rope_theta=1000000.0)),
    ),
    "mixtral-full": Family(
        MixtralConfig, 5, 1, 80, more=dict(num_local_experts=7, num_experts_per_tok=3, head_dim=24,
                                           rope_parameters=longrope())
    ),
    "gemma3": Family(
        Gemma3TextConfig, 4, 2, 64, torch.bfloat16, sharded=True,
        more=dict(head_dim=32, query_pre_attn_scalar=32, sliding_window=SLIDING, tie_word_embeddings=True,
                  layer_types=["sliding_attention", "full_attention", "sliding_attention"],
                  rope_parameters={"full_attention": rope(rope_theta=1000000.0), "sliding_attention": rope()}),
    ),
    "gemma3-scaled": Family(
        Gemma3TextConfig, 5, 1, 80, torch.float16,
        more=dict(head_dim=24, query_pre_attn_scalar=24, sliding_window=SLIDING, attention_bias=True,
                  layer_types=["full_attention", "full_attention", "sliding_attention"],
                  rope_parameters={"full_attention": rope("linear", rope_theta=1000000.0, factor=2.5),
                                   "sliding_attention": rope("linear", factor=1.5)}),
    ),
    "gemma3-longrope": Family(
        Gemma3TextConfig, 4, 4, 64,
        more=dict(head_dim=24, query_pre_attn_scalar=16, sliding_window=SLIDING,
                  layer_types=["sliding_attention", "full_attention", "full_attention"],
                  rope_parameters={"full_attention": longrope(), "sliding_attention": rope(rope_theta=500.0)}),
    ),
    "ministral3": Family(
        Ministral3Config, 4, 2, 64, torch.bfloat16, sharded=True,
        more=dict(head_dim=24, rope_parameters=yarn(llama_4_scaling_beta=0.4, mscale=1.0, mscale_all_dim=1.0,
                                                    max_position_embeddings=WINDOW)),
    ),
    "ministral3-sliding": Family(
        Ministral3Config, 5, 1, 80, torch.float16,
        more=dict(head_dim=24, sliding_window=SLIDING, rope_parameters=longrope(llama_4_scaling_beta=0.1)),
    ),
    "phi3": Family(
        Phi3Config, 4, 2, 128, torch.bfloat16,
        more=dict(original_max_position_embeddings=ORIGINAL, rope_parameters=longrope(partial_rotary_factor=0.75)),
    ),
    "phi3-sliding": Family(
        Phi3Config, 4, 4, 64, torch.float16, sharded=True,
        more=dict(sliding_window=SLIDING, original_max_position_embeddings=ORIGINAL, tie_word_embeddings=True,
                  rope_parameters=longrope(8)),
    ),
}  # fmt: skip

# Every rope type that a model may have of its own, on one small llama with 12 pairs.
ROPE_TYPES = {
    "default": rope(),
    "linear": rope("linear", factor=2.5),
    "dynamic": rope("dynamic", factor=2.0),
    "llama3": LLAMA3,
    "yarn": yarn(),
    "yarn-attention-factor": yarn(attention_factor=0.9),
    "yarn-mscale": yarn(mscale=0.8, mscale_all_dim=0.5),
    "yarn-mscale-alone": yarn(mscale=0.8),
    "yarn-betas": yarn(beta_fast=4.0, beta_slow=0.25),
    "yarn-no-truncation": yarn(beta_fast=4.0, truncate=False),
    "longrope": longrope(),
    "longrope-factor": longrope(factor=16.0),
    "longrope-attention-factor": longrope(attention_factor=1.3),
}


def of_rope_type(name):
    return Family(LlamaConfig, 4, 2, 96, more=dict(head_dim=24, rope_parameters=ROPE_TYPES[name]))


def make(family, seed=11, layers=3):
    config = family.config(
        **{"tie_word_embeddings": False, **family.more},
        vocab_size=VOCABULARY,
        hidden_size=family.hidden,
        intermediate_size=3 * family.hidden // 2,
        num_hidden_layers=layers,
        num_attention_heads=family.heads,
        num_key_value_heads=family.kv_heads,
        max_position_embeddings=WINDOW,
        rms_norm_eps=1e-5,
        bos_token_id=None,
        eos_token_id=None,
        pad_token_id=None,
    )
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.normal_(0, 0.3)
            elif parameter.dim() == 1:
                parameter.uniform_(0.5, 1.5)  # norms, which begin as ones
                if config.model_type == "gemma3_text" and name.endswith("norm.weight"):
                    parameter.sub_(1)  # or as zeros
            else:
                parameter.normal_(0, 0.15)  # sharper than the usual beginnings
    return model.to(family.dtype)


def save(family, path):
    """Writes a model of that family, in several files where they are wanted."""
    model = make(family)
    model.save_pretrained(path, max_shard_size="100KB" if family.sharded else "1GB")
    assert (path / "model.safetensors.index.json").exists() == family.sharded
    return path


def random_tokens(path, length, seed=3):
    """Saves tokens as .npy for longrope, and returns them."""
    tokens = np.random.default_rng(seed).integers(0, VOCABULARY, length)
    np.save(path, tokens.astype([np.uint16, np.int32, np.int64][length % 3]))
    return tokens
