"""GGUF files as models: nats are those of the folder with the same numbers, tokens those of the libraries.

Families are converted with the names of the Python package gguf. SmolLM2 (q4_1 and q8_0) and Gemma 3 270M (Q4_K_M), two
real models, come from ../shared/real_models.py and are kept in build/models; without that file their tests are skipped.
GEMMA3_LENGTHS=2048,6000 compares the nats of Gemma 3 on so many tokens of a book instead of a few hundred of the demo
model's text.
"""

import json
import os
import re
import subprocess
from pathlib import Path

import families
import gguf
import numpy as np
import pytest
import sentencepiece
import torch
from gguf_model import neighbours
from program import CORPUS, LONGROPE, SOURCE, TEXT, nats as longrope_nats
from reference import MEAN_TOLERANCE, compare, hold_together, load, nats, rotary_of, rotary_replaced, searched_parameters
from safetensors.torch import load_file, save_file
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers
from torch.nn.functional import cross_entropy
from test_minicpm import SCALES as MINICPM_SCALES, save as save_minicpm
from transformers import AutoConfig, AutoModelForCausalLM, Gemma3TextConfig
from transformers.convert_slow_tokenizer import generate_merges
from transformers.initialization import no_init_weights

STRANGE = ("  Two  blanks,\ta tab\r\n\n\nlines; na\u00efve \ufb01ligature \u2167 \U0001f600 e\u0301 ABC 1234567 "
           "it's IT'LL x_y <|end|> \u0e01\u0e33 \u4e2d\u6587\u3002\n \n  end ")  # fmt: skip

GEMMA_STRANGE = STRANGE + 40 * " " + "a" + 3 * "\n" + "<s><bos> <unk>\u2581\u2581 \u2581" + 7 * "-" + "\t\tx<e>y"

# ---- Families ----

ARCHITECTURES = {"llama": "llama", "mistral": "llama", "mixtral": "llama", "qwen2": "qwen2", "qwen3": "qwen3",
                 "qwen3_moe": "qwen3moe", "smollm3": "smollm3", "olmo2": "olmo2", "ministral3": "mistral3",
                 "minicpm": "minicpm", "phi3": "phi3", "gemma3_text": "gemma3"}  # fmt: skip
NEIGHBOURS = ("llama", "smollm3", "mistral3", "minicpm")


def head_width(config):
    return getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads


def add_rope(writer, config):
    rope = searched_parameters(config)
    writer.add_rope_freq_base(rope["rope_theta"])
    width = int(head_width(config) * rope.get("partial_rotary_factor", 1.0))
    writer.add_rope_dimension_count(width)
    kind = rope["rope_type"]
    if kind in ("linear", "yarn"):
        writer.add_rope_scaling_type(gguf.RopeScalingType(kind))
        writer.add_rope_scaling_factor(rope["factor"])
    if kind == "yarn":
        writer.add_rope_scaling_orig_ctx_len(rope["original_max_position_embeddings"])
    if "llama_4_scaling_beta" in rope:
        writer.add_rope_scaling_yarn_log_mul(rope["mscale_all_dim"])
        writer.add_attn_temperature_scale(rope["llama_4_scaling_beta"])
    if kind == "longrope":
        original = rope["original_max_position_embeddings"]
        writer.add_rope_scaling_type(gguf.RopeScalingType.LONGROPE)
        writer.add_rope_scaling_orig_ctx_len(original)
        scale = config.max_position_embeddings / original
        writer.add_rope_scaling_attn_factors(float(np.sqrt(1 + np.log(scale) / np.log(original))))
        for length in ("long", "short"):
            writer.add_tensor(f"rope_factors_{length}.weight", np.array(rope[f"{length}_factor"], np.float32))
    if kind == "llama3":
        writer.add_tensor("rope_freqs.weight", llama3_divisors(rope, width))


def llama3_divisors(rope, width):
    """What convert_hf_to_gguf.py writes."""
    frequencies = rope["rope_theta"] ** -(np.arange(0, width, 2) / width)
    turns = rope["original_max_position_embeddings"] * frequencies / (2 * np.pi)
    low, high, factor = rope["low_freq_factor"], rope["high_freq_factor"], rope["factor"]
    kept = np.clip((turns - low) / (high - low), 0, 1)
    return (1 / ((1 - kept) / factor + kept)).astype(np.float32)


def add_scales(writer, said):
    """MiniCPM's; its converter writes by what logits are divided."""
    writer.add_embedding_scale(said["scale_emb"])
    writer.add_residual_scale(said["scale_depth"] / said["num_hidden_layers"] ** 0.5)
    writer.add_logit_scale(said["hidden_size"] / said["dim_model_base"])


def add_weights(writer, name, weights, config, kind):
    """float32 arrays by the checkpoint's names; matrices in the number type `kind`, experts of a layer in one tensor."""
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH[name.upper()], config.num_hidden_layers)
    experts = {}
    for key, x in weights.items():
        if key == "lm_head.weight" and config.tie_word_embeddings:
            continue
        if name == "gemma3" and key.endswith("norm.weight"):
            x = x + 1
        if name in NEIGHBOURS and ("q_proj" in key or "k_proj" in key):
            x = neighbours(x.reshape(x.shape[0], -1), x.shape[0] // head_width(config)).reshape(x.shape)
        if number := re.search(r"experts\.(\d+)\.", key):
            of_layer = key.replace(number[0], "experts.").replace("block_sparse_moe", "feed_forward")
            key = of_layer.removeprefix("model.") if "feed_forward" in of_layer else of_layer
            experts.setdefault(key, {})[int(number[1])] = x
            continue
        add_tensor(writer, names.get_name(key, try_suffixes=(".weight", ".bias")), x, kind)
    for key, parts in experts.items():
        stacked = np.stack([parts[i] for i in range(len(parts))])
        add_tensor(writer, names.get_name(key, try_suffixes=(".weight",)), stacked, kind)


def add_tensor(writer, name, x, kind):
    quantised = kind != gguf.GGMLQuantizationType.F32 and x.ndim > 1 and "ffn_gate_inp" not in name
    x = np.ascontiguousarray(x)
    writer.add_tensor(name, gguf.quantize(x, kind) if quantised else x, raw_dtype=kind if quantised else None)


def weights_of(folder):
    files = sorted(folder.glob("*.safetensors"))
    return {key: x.float().numpy() for file in files for key, x in load_file(file).items()}


def convert(folder, path, kind=gguf.GGMLQuantizationType.F32):
    """The folder of a model of families.py as a GGUF, following llama.cpp's converter."""
    said = json.loads((folder / "config.json").read_text())
    config = AutoConfig.from_pretrained(folder / "llama" if said["model_type"] == "minicpm" else folder)
    name = ARCHITECTURES[said["model_type"]]
    writer = gguf.GGUFWriter(str(path), name)
    head = head_width(config)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(head)
    writer.add_value_length(head)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    if experts := getattr(config, "num_local_experts", getattr(config, "num_experts", None)):
        writer.add_expert_count(experts)
        writer.add_expert_used_count(config.num_experts_per_tok)
    if getattr(config, "moe_intermediate_size", None):
        writer.add_expert_feed_forward_length(config.moe_intermediate_size)
    if getattr(config, "sliding_window", None) and name in ("phi3", "gemma3"):
        writer.add_sliding_window(config.sliding_window)
    if name == "gemma3":
        writer.add_uint32("gemma3.attention.sliding_window_pattern", 2)
    if name == "minicpm":
        add_scales(writer, said)
    add_rope(writer, config)
    add_weights(writer, name, weights_of(folder), config, kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def ours(tmp_path, model, tokens, length):
    return longrope_nats(tmp_path, "--model", model, "--tokens", tokens, "--length", length, "--method", "none",
                         "--dtype", "f32")[0]  # fmt: skip


# What a GGUF cannot say: Mistral's window, other patterns of layers, other scales of queries, dense layers between those
# with experts.
CANNOT = ["mistral", "mixtral", "ministral3-sliding", "smollm3-sliding", "smollm3-rotated-slides", "smollm3",
          "qwen3_moe-some-layers", "qwen3_moe-dense-layer", "gemma3-scaled", "gemma3-longrope"]  # fmt: skip


def hold_gguf(tmp_path, folder, path, allowed):
    for length in (families.ORIGINAL, families.WINDOW + 1):
        families.random_tokens(tmp_path / "tokens.npy", length)
        of_folder = ours(tmp_path, folder, tmp_path / "tokens.npy", length)
        of_gguf = ours(tmp_path, path, tmp_path / "tokens.npy", length)
        assert np.abs(of_folder - of_gguf).max() <= allowed


@pytest.mark.parametrize(
    "name",
    [name for name, family in families.FAMILIES.items()
     if name not in CANNOT and family.config.model_type in ARCHITECTURES],
)
def test_family(saved, tmp_path, name):
    convert(saved(name), tmp_path / "model.gguf")
    parameters = families.FAMILIES[name].more["rope_parameters"]
    rounded = parameters.get("full_attention", parameters)["rope_type"] in ("llama3", "longrope")
    hold_gguf(tmp_path, saved(name), tmp_path / "model.gguf", 1e-4 if rounded else 0)  # their divisors are f32 there


MORE = {  # what the families of families.py are not: layers without rotation, and numbers that are f32 in the file
    "smollm3-five-layers": (families.Family(families.SmolLM3Config, 4, 2, 64, more=dict(
        attention_bias=True, rope_parameters=families.rope(rope_theta=5000000.0))), 0),
    "mixtral-all-keys": (families.Family(families.MixtralConfig, 4, 2, 64, more=dict(
        num_local_experts=4, sliding_window=None, rope_parameters=families.rope())), 0),
    "ministral3-mscale": (families.Family(families.Ministral3Config, 4, 2, 64, more=dict(
        head_dim=24, rope_parameters=families.yarn(llama_4_scaling_beta=0.25, mscale=1.0, mscale_all_dim=0.5))), 0),
}  # fmt: skip


@pytest.mark.parametrize("name", MORE)
def test_more_families(tmp_path, name):
    family, allowed = MORE[name]
    families.make(family, layers=5).save_pretrained(tmp_path / "model")
    convert(tmp_path / "model", tmp_path / "model.gguf")
    hold_gguf(tmp_path, tmp_path / "model", tmp_path / "model.gguf", allowed)


def test_minicpm(tmp_path):
    folder = save_minicpm(tmp_path / "model", torch.float32, families.rope(), MINICPM_SCALES, head_dim=24)
    convert(folder, tmp_path / "model.gguf")
    hold_gguf(tmp_path, folder, tmp_path / "model.gguf", 1e-5)  # scales are f32 in the file


def test_quantised_experts(tmp_path):
    """Rows of a quantised expert, against a folder with the same numbers."""
    family = families.Family(families.Qwen3MoeConfig, 4, 2, 64, more=dict(
        num_experts=3, num_experts_per_tok=2, moe_intermediate_size=32, head_dim=32, norm_topk_prob=True,
        rope_parameters=families.rope()))  # fmt: skip
    folder, kind = tmp_path / "model", gguf.GGMLQuantizationType.Q8_0
    families.make(family).save_pretrained(folder)
    convert(folder, tmp_path / "model.gguf", kind)
    exact = {key: x if x.ndim == 1 or "mlp.gate.weight" in key else gguf.dequantize(gguf.quantize(x, kind), kind)
             for key, x in weights_of(folder).items()}  # fmt: skip
    save_file({key: torch.from_numpy(x) for key, x in exact.items()}, folder / "model.safetensors", {"format": "pt"})
    hold_gguf(tmp_path, folder, tmp_path / "model.gguf", 0)


# ---- SmolLM2 ----

LENGTH = 300


@pytest.fixture(scope="session")
def dequantised(smollm2, tmp_path_factory):
    """The folder with the numbers of the GGUF in f32, not rounded to f16."""
    folder = tmp_path_factory.mktemp("smollm2")
    weights = {key: weight.float() for key, weight in load_file(smollm2 / "smollm2/model.safetensors").items()}
    config = json.loads((smollm2 / "smollm2/config.json").read_text()) | {"torch_dtype": "float32"}
    inner = {"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
             "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
             "mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm"}
    outer = {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight"}
    heads = {"attn_q": config["num_attention_heads"], "attn_k": config["num_key_value_heads"]}
    exact = {tensor.name: gguf.dequantize(tensor.data, tensor.tensor_type)
             for tensor in gguf.GGUFReader(smollm2 / "smollm2.gguf").tensors}  # fmt: skip
    for key, rounded in weights.items():
        words = key.split(".")
        name = outer.get(key) or f"blk.{words[2]}.{inner['.'.join(words[3:-1])]}.weight"
        x = exact[name]
        if name.split(".")[-2] in heads:
            n = heads[name.split(".")[-2]]
            x = x.reshape(n, x.shape[0] // n // 2, 2, x.shape[1]).swapaxes(1, 2).reshape(x.shape)
        weights[key] = torch.from_numpy(np.array(x, np.float32))
        assert torch.equal(weights[key].half(), rounded.half())
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def tokenize(tmp_path, *arguments, text=TEXT):
    out = tmp_path / "out.npy"
    subprocess.run([LONGROPE, "tokenize", *arguments, "--text", text, "--out", out, "--force"], check=True,
                   capture_output=True)  # fmt: skip
    return np.load(out)


def test_smollm2(smollm2, dequantised, tmp_path):
    tokens = tokenize(tmp_path, "--model", smollm2 / "smollm2.gguf")[:LENGTH]
    np.save(tmp_path / "tokens.npy", tokens)
    of_gguf = ours(tmp_path, smollm2 / "smollm2.gguf", tmp_path / "tokens.npy", LENGTH)
    of_folder = ours(tmp_path, dequantised, tmp_path / "tokens.npy", LENGTH)
    print(f"gguf and folder: largest difference {np.abs(of_gguf - of_folder).max():.1e}")
    assert np.abs(of_gguf - of_folder).max() < 1e-4
    theirs = []
    for dtype in (torch.float32, torch.float64):
        model = load(dequantised, dtype)
        theirs.append(nats(model, tokens, rotary_of(model, "none", 1.0, LENGTH)))
    print(f"gguf and transformers in f64: mean {of_gguf.mean() - theirs[1].mean():.1e}, "
          f"largest {np.abs(of_gguf - theirs[1]).max():.1e}")  # fmt: skip
    hold_together("SmolLM2.gguf", of_gguf, *theirs)


def test_smollm2_tokens(smollm2, tmp_path):
    library = Tokenizer.from_file(str(smollm2 / "smollm2/tokenizer.json"))
    (tmp_path / "strange.txt").write_text(STRANGE, newline="")
    for text in (*CORPUS, tmp_path / "strange.txt"):
        wanted = library.encode(text.read_bytes().decode(), add_special_tokens=False).ids
        assert tokenize(tmp_path, "--model", smollm2 / "smollm2.gguf", text=text).tolist() == wanted


# ---- Gemma 3 ----


def gemma_reference(tokens, types):
    """The tokenizer of Gemma 3's tokenizer.json, from the tokens and types of its GGUF: its merges are what transformers'
    converter of tokenizer.model makes (GemmaSentencePieceExtractor)."""
    texts = [text.replace(" ", "\u2581") if kind == USER_DEFINED else text for text, kind in zip(tokens, types)]
    vocabulary = {text: i for i, text in enumerate(texts)}
    merges = generate_merges(vocabulary, None)
    library = Tokenizer(models.BPE(vocab=vocabulary, merges=merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    library.normalizer = normalizers.Replace(" ", "\u2581")
    library.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    for kind, add in ((CONTROL, library.add_special_tokens), (USER_DEFINED, library.add_tokens)):
        add([AddedToken(text, normalized=False, special=kind == CONTROL) for text, of in zip(texts, types) if of == kind])
    assert library.get_vocab_size() == len(texts)
    return library


def hold_gemma_tokens(tmp_path, path, library, bos):
    """On the demo model's texts, this file and strange things, as one text."""
    text = GEMMA_STRANGE + "".join(file.read_bytes().decode() for file in (*CORPUS, Path(__file__)))
    (tmp_path / "text.txt").write_text(text, newline="")
    wanted = [bos, *library.encode(text, add_special_tokens=False).ids]
    assert tokenize(tmp_path, "--tokenizer", path, text=tmp_path / "text.txt").tolist() == wanted


@pytest.fixture(scope="session")
def gemma3_file(gemma3):
    """Read once, as the package takes half a minute for its 262 144 tokens."""
    return gguf.GGUFReader(gemma3)


def gemma3_in_transformers(file):
    """Gemma3ForCausalLM in f32 with the numbers of the GGUF, dequantised by the Python package gguf."""
    said = {key.removeprefix("gemma3."): field.contents() for key, field in file.fields.items() if "gemma3." in key}
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.GEMMA3, said["block_count"])
    weights = {tensor.name: gguf.dequantize(tensor.data, tensor.tensor_type) for tensor in file.tensors}
    config = Gemma3TextConfig(
        vocab_size=len(weights["token_embd.weight"]), hidden_size=said["embedding_length"],
        intermediate_size=said["feed_forward_length"], num_hidden_layers=said["block_count"],
        num_attention_heads=said["attention.head_count"], num_key_value_heads=said["attention.head_count_kv"],
        head_dim=said["attention.key_length"], max_position_embeddings=said["context_length"],
        sliding_window=said["attention.sliding_window"], rms_norm_eps=said["attention.layer_norm_rms_epsilon"],
    )  # fmt: skip
    with no_init_weights():
        model = AutoModelForCausalLM.from_config(config, dtype=torch.float32, attn_implementation="sdpa").eval()
    model.tie_weights()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            x = torch.from_numpy(np.array(weights.pop(names.get_name(name, try_suffixes=(".weight",)))))
            parameter.copy_(x - 1 if name.endswith("norm.weight") else x)
    assert not weights and model.lm_head.weight is model.model.embed_tokens.weight
    return model


def nats_by_rows(model, tokens, rows=256):
    """As nats(), without all logits at once: a row has 262 144 of them."""
    ids = torch.as_tensor(tokens.astype(np.int64))[None]
    with torch.inference_mode(), rotary_replaced(model, rotary_of(model, "none", 1.0, len(tokens))):
        hidden = model.model(ids, use_cache=False).last_hidden_state[0, :-1]
        parts = zip(hidden.split(rows), ids[0, 1:].split(rows))
        return torch.cat([cross_entropy(model.lm_head(h).double(), t, reduction="none") for h, t in parts]).numpy()


def test_gemma3(gemma3, gemma3_file, tmp_path):
    lengths = [int(length) for length in os.environ.get("GEMMA3_LENGTHS", "600").split(",")]  # its window is 512
    book = SOURCE.parent / "shared/books/valid/moby-dick-melville.txt"
    tokens = tokenize(tmp_path, "--model", gemma3, text=book if "GEMMA3_LENGTHS" in os.environ else TEXT)
    model = gemma3_in_transformers(gemma3_file)
    for length in lengths:
        assert len(tokens) >= length
        np.save(tmp_path / "tokens.npy", tokens[:length])
        _, mean = compare(f"Gemma 3, {length} tokens: longrope - transformers",
                          ours(tmp_path, gemma3, tmp_path / "tokens.npy", length), nats_by_rows(model, tokens[:length]))
        assert mean < MEAN_TOLERANCE


def test_gemma3_tokens(gemma3, gemma3_file, tmp_path):
    said = {key: gemma3_file.fields[f"tokenizer.ggml.{key}"].contents() for key in ("tokens", "token_type")}
    hold_gemma_tokens(tmp_path, gemma3, gemma_reference(said["tokens"], said["token_type"]), bos=2)


# ---- Tokenizers ----

CONTROL, USER_DEFINED = 3, 4  # types of tokens

CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
WORDS = CONTRACTIONS + r"|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|{}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def split_by(digits):
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(WORDS.format(digits)), "isolated"),
                                    pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])  # fmt: skip


def digits_first():
    return pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True),
                                    pre_tokenizers.ByteLevel(add_prefix_space=False)])  # fmt: skip


# tokenizer.ggml.pre: normalizer, pre-tokenizer, ignore_merges.
KINDS = {
    "gpt-2": (None, lambda: pre_tokenizers.ByteLevel(add_prefix_space=False), False),
    "smollm": (None, digits_first, False),
    "starcoder": (None, digits_first, False),
    "llama-bpe": (None, lambda: split_by(r"\p{N}{1,3}"), True),
    "dbrx": (None, lambda: split_by(r"\p{N}{1,3}"), False),
    "qwen2": (normalizers.NFC(), lambda: split_by(r"\p{N}"), False),
}


def write_tokenizer(path, model, tokens, types, architecture="llama", **more):
    writer = gguf.GGUFWriter(str(path), architecture)
    writer.add_tokenizer_model(model)
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    for name, value in more.items():
        getattr(writer, f"add_{name}")(value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@pytest.mark.parametrize("pre", KINDS)
def test_bpe(tmp_path, pre):
    normalizer, pre_tokenizer, ignore_merges = KINDS[pre]
    library = Tokenizer(models.BPE())
    library.pre_tokenizer = pre_tokenizer()
    if normalizer:
        library.normalizer = normalizer
    trainer = trainers.BpeTrainer(vocab_size=600, special_tokens=["<|end|>"], show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())  # fmt: skip
    library.train([str(path) for path in CORPUS], trainer)
    if ignore_merges:
        said = json.loads(library.to_str())
        said["model"]["ignore_merges"] = True
        library = Tokenizer.from_str(json.dumps(said))
    said = json.loads(library.to_str())["model"]
    tokens = sorted(said["vocab"], key=said["vocab"].get)
    types = [3 if token == "<|end|>" else 1 for token in tokens]
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in said["merges"]]
    write_tokenizer(tmp_path / "t.gguf", "gpt2", tokens, types, tokenizer_pre=pre, token_merges=merges)
    (tmp_path / "strange.txt").write_text(STRANGE, newline="")
    for text in (TEXT, tmp_path / "strange.txt"):
        wanted = library.encode(text.read_bytes().decode()).ids
        assert tokenize(tmp_path, "--tokenizer", tmp_path / "t.gguf", text=text).tolist() == wanted


def train_pieces(tmp_path, **more):
    sentencepiece.SentencePieceTrainer.train(
        input=",".join(map(str, CORPUS)), model_prefix=str(tmp_path / "tokenizer"), vocab_size=500, minloglevel=2,
        num_threads=1, model_type="bpe", byte_fallback=True, normalization_rule_name="identity",
        remove_extra_whitespaces=False, split_digits=True, **more,
    )  # fmt: skip
    return sentencepiece.SentencePieceProcessor(str(tmp_path / "tokenizer.model"))


@pytest.mark.parametrize("added", [True, False])
@pytest.mark.parametrize("prefix", [True, False])
def test_sentencepiece(tmp_path, prefix, added):
    """`added`: as converters write what tokenizer_config.json lists: the unknown token is a control token."""
    library = train_pieces(tmp_path, add_dummy_prefix=prefix)
    ids = range(library.get_piece_size())
    unknown = CONTROL if added else 2
    types = [unknown if library.is_unknown(i) else CONTROL if library.is_control(i) else 6 if library.is_byte(i) else 1
             for i in ids]  # fmt: skip
    write_tokenizer(tmp_path / "t.gguf", "llama", [library.id_to_piece(i) for i in ids], types,
                    token_scores=[library.get_score(i) for i in ids], add_space_prefix=prefix, add_bos_token=True,
                    bos_token_id=1, unk_token_id=0)  # fmt: skip
    (tmp_path / "strange.txt").write_text(STRANGE, newline="")
    for text in (TEXT, tmp_path / "strange.txt"):
        wanted = [1, *library.encode(text.read_bytes().decode())]
        assert tokenize(tmp_path, "--tokenizer", tmp_path / "t.gguf", text=text).tolist() == wanted


def test_gemma(tmp_path):
    """A small tokenizer with the kinds of tokens that Gemma 3's has."""
    spaces, lines = [n * "\u2581" for n in range(2, 8)], [n * "\n" for n in range(1, 4)]
    library = train_pieces(tmp_path, add_dummy_prefix=False, pad_id=0, eos_id=1, bos_id=2, unk_id=3, bos_piece="<bos>",
                           user_defined_symbols=["<e>", *lines, *spaces])  # fmt: skip
    ids, defined = range(library.get_piece_size()), {"<e>", *lines, *spaces}
    pieces = [library.id_to_piece(i) for i in ids]
    types = [CONTROL if library.is_control(i) or library.is_unknown(i) else 6 if library.is_byte(i) else
             USER_DEFINED if pieces[i] in defined else 1 for i in ids]  # fmt: skip
    tokens = [piece.replace("\u2581", " ") if kind == USER_DEFINED else piece for piece, kind in zip(pieces, types)]
    write_tokenizer(tmp_path / "t.gguf", "llama", tokens, types, architecture="gemma3", add_space_prefix=False,
                    token_scores=[-1000.0 if kind in (CONTROL, USER_DEFINED) else -1.0 * i for i, kind in enumerate(types)],
                    add_bos_token=True, bos_token_id=2, unk_token_id=3)  # fmt: skip
    hold_gemma_tokens(tmp_path, tmp_path / "t.gguf", gemma_reference(tokens, types), bos=2)
