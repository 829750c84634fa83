"""GGUF files as models: nats are those of the folder with the same numbers, tokens those of the libraries.

Families are converted with the names of the Python package gguf. SmolLM2, a real model of q4_1 and q8_0, comes from
../shared/real_models.py and is kept in build/models; without that file its tests are skipped.
"""

import json
import subprocess
import sys

import families
import gguf
import numpy as np
import pytest
import sentencepiece
import torch
from gguf_model import neighbours
from program import CORPUS, LONGROPE, SOURCE, TEXT, nats as longrope_nats
from reference import hold_together, load, nats, rotary_of
from safetensors.torch import load_file, save_file
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

STRANGE = ("  Two  blanks,\ta tab\r\n\n\nlines; na\u00efve \ufb01ligature \u2167 \U0001f600 e\u0301 ABC 1234567 "
           "it's IT'LL x_y <|end|> \u0e01\u0e33 \u4e2d\u6587\u3002\n \n  end ")  # fmt: skip

# ---- Families ----

ARCHITECTURES = {"llama": "llama", "mistral": "llama", "qwen2": "qwen2", "qwen3": "qwen3", "phi3": "phi3"}


def head_width(config):
    return getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads


def add_rope(writer, config):
    rope = config.rope_parameters
    writer.add_rope_freq_base(rope["rope_theta"])
    width = int(head_width(config) * rope.get("partial_rotary_factor", 1.0))
    writer.add_rope_dimension_count(width)
    kind = rope["rope_type"]
    if kind in ("linear", "yarn"):
        writer.add_rope_scaling_type(gguf.RopeScalingType(kind))
        writer.add_rope_scaling_factor(rope["factor"])
    if kind == "yarn":
        writer.add_rope_scaling_orig_ctx_len(rope["original_max_position_embeddings"])
    if kind == "longrope":
        original = config.original_max_position_embeddings
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


def convert(folder, path):
    """The folder of a model of families.py as a GGUF in f32."""
    model = load(folder, torch.float32)
    config = model.config
    name = ARCHITECTURES[config.model_type]
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
    if getattr(config, "sliding_window", None) and name == "phi3":
        writer.add_sliding_window(config.sliding_window)
    add_rope(writer, config)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH[name.upper()], config.num_hidden_layers)
    for key, weight in model.state_dict().items():
        x = weight.numpy()
        if key == "lm_head.weight" and config.tie_word_embeddings:
            continue
        if name == "llama" and ("q_proj" in key or "k_proj" in key):
            x = neighbours(x.reshape(x.shape[0], -1), x.shape[0] // head).reshape(x.shape)
        writer.add_tensor(names.get_name(key, try_suffixes=(".weight", ".bias")), np.ascontiguousarray(x))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def ours(tmp_path, model, tokens, length):
    return longrope_nats(tmp_path, "--model", model, "--tokens", tokens, "--length", length, "--method", "none",
                         "--dtype", "f32")[0]  # fmt: skip


@pytest.mark.parametrize("name", [name for name in families.FAMILIES if name != "mistral"])  # its window slides
def test_family(saved, tmp_path, name):
    path = tmp_path / "model.gguf"
    convert(saved(name), path)
    for length in (families.ORIGINAL, families.WINDOW + 1):
        families.random_tokens(tmp_path / "tokens.npy", length)
        of_folder = ours(tmp_path, saved(name), tmp_path / "tokens.npy", length)
        of_gguf = ours(tmp_path, path, tmp_path / "tokens.npy", length)
        rounded = families.FAMILIES[name].more["rope_parameters"]["rope_type"] in ("llama3", "longrope")
        assert np.abs(of_folder - of_gguf).max() <= (1e-4 if rounded else 0)  # their divisors are f32 in the file


# ---- SmolLM2 ----

LENGTH = 300


@pytest.fixture(scope="session")
def smollm2():
    script = SOURCE.parent / "shared/real_models.py"
    if not script.exists():
        pytest.skip("there is no ../shared/real_models.py")
    out = SOURCE / "build/models"
    subprocess.run([sys.executable, script, "smollm2", out], check=True)
    return out


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


# ---- Tokenizers ----

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


def write_tokenizer(path, model, tokens, types, **more):
    writer = gguf.GGUFWriter(str(path), "llama")
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


@pytest.mark.parametrize("prefix", [True, False])
def test_sentencepiece(tmp_path, prefix):
    sentencepiece.SentencePieceTrainer.train(
        input=",".join(map(str, CORPUS)), model_prefix=str(tmp_path / "tokenizer"), vocab_size=500, minloglevel=2,
        num_threads=1, model_type="bpe", byte_fallback=True, normalization_rule_name="identity",
        remove_extra_whitespaces=False, split_digits=True, add_dummy_prefix=prefix,
    )  # fmt: skip
    library = sentencepiece.SentencePieceProcessor(str(tmp_path / "tokenizer.model"))
    ids = range(library.get_piece_size())
    types = [2 if library.is_unknown(i) else 3 if library.is_control(i) else 6 if library.is_byte(i) else 1
             for i in ids]  # fmt: skip
    write_tokenizer(tmp_path / "t.gguf", "llama", [library.id_to_piece(i) for i in ids], types,
                    token_scores=[library.get_score(i) for i in ids], add_space_prefix=prefix, add_bos_token=True,
                    bos_token_id=1)  # fmt: skip
    (tmp_path / "strange.txt").write_text(STRANGE, newline="")
    for text in (TEXT, tmp_path / "strange.txt"):
        wanted = [1, *library.encode(text.read_bytes().decode())]
        assert tokenize(tmp_path, "--tokenizer", tmp_path / "t.gguf", text=text).tolist() == wanted
