"""Text as tokens against Python's sentencepiece and transformers, and sliding windows against
transformers' loop.

Tokenizers are trained here, on the demo's corpus. What longrope makes of a text is held against .npy files of the tokens
that it should be, by nats of every token, bit for bit. test_tokenizer_json.py has tokenizer.json.

    LONGROPE=build/release/longrope pytest -q tests/interop/test_tokens.py
"""

import json
import subprocess

import numpy as np
import pytest
import sentencepiece
import torch
from program import CORPUS, LONGROPE, result
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

torch.set_num_threads(1)

VOCABULARY = 500
STRANGE = "  Two  blanks,\ta tab\r\n\n\nlines; na\u00efve \ufb01ligature \u2167 \U0001f600 \u2581<s></s> \u00e9e\u0301 ABC\x00."

# What a model file may say of text; llama's is "llama".
TRAININGS = {
    "llama": dict(model_type="bpe", byte_fallback=True, normalization_rule_name="identity",
                  remove_extra_whitespaces=False, split_digits=True),
    "unigram": dict(model_type="unigram"),  # nmt_nfkc, blanks in a row made one
    "folded": dict(model_type="bpe", normalization_rule_name="nfkc_cf", add_dummy_prefix=False),
    "symbols": dict(model_type="unigram", byte_fallback=True, user_defined_symbols=["the", "ther", "<s"]),
}  # fmt: skip


def train(folder, **settings):
    """A tokenizer.model in the folder."""
    sentencepiece.SentencePieceTrainer.train(
        input=",".join(map(str, CORPUS)), model_prefix=str(folder / "tokenizer"), vocab_size=VOCABULARY,
        minloglevel=2, num_threads=1, **settings,
    )  # fmt: skip
    return sentencepiece.SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))


def save_model(folder, vocabulary=VOCABULARY):
    """A small random llama with that vocabulary."""
    torch.manual_seed(5)
    config = LlamaConfig(
        vocab_size=vocabulary, hidden_size=32, intermediate_size=48, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=1, max_position_embeddings=128, initializer_range=0.4,
    )  # fmt: skip
    LlamaForCausalLM(config).to(torch.float32).save_pretrained(folder)


def longrope(*arguments):
    """The only result of `longrope eval --json`."""
    return result("--dtype", "f32", "--method", "none", *arguments)


def nats_of(folder, length, *documents):
    path = folder / "nats.npy"
    path.unlink(missing_ok=True)  # of an earlier call
    longrope("--model", folder, "--length", length, "--nats", path, *documents)
    return np.load(path)


def assert_tokens(folder, text, tokens):
    """The tokens of a text, neither more nor fewer nor others."""
    np.save(folder / "tokens.npy", np.array(tokens, dtype=np.int32))
    (folder / "text.txt").write_bytes(text.encode())
    ours = nats_of(folder, len(tokens), "--text", folder / "text.txt")
    theirs = nats_of(folder, len(tokens), "--tokens", folder / "tokens.npy")
    assert np.array_equal(ours, theirs)
    longer = [LONGROPE, "eval", "--model", folder, "--text", folder / "text.txt", "--method", "none", "--length",
              str(len(tokens) + 1)]  # fmt: skip
    done = subprocess.run(longer, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and f"has {len(tokens)};" in done.stderr


# ---- sentencepiece ----


@pytest.mark.parametrize("training", TRAININGS)
def test_sentencepiece(tmp_path, training):
    processor = train(tmp_path, **TRAININGS[training])
    save_model(tmp_path)
    for text in [STRANGE, CORPUS[0].read_text(encoding="utf-8")[:4000], "x", "\n"]:
        assert_tokens(tmp_path, text, [processor.bos_id(), *processor.encode(text)])
    (tmp_path / "tokenizer_config.json").write_text('{"add_bos_token": false}')
    assert_tokens(tmp_path, STRANGE, processor.encode(STRANGE))


def test_whole_corpus(tmp_path):
    """Documents of many tokens, each with its own beginning."""
    processor = train(tmp_path, **TRAININGS["llama"])
    save_model(tmp_path)
    paths = []
    for i, path in enumerate(CORPUS):
        paths.append(tmp_path / f"{i}.npy")
        tokens = [processor.bos_id(), *processor.encode(path.read_bytes().decode())]
        np.save(paths[-1], np.array(tokens, dtype=np.int32))
    ours = longrope("--model", tmp_path, "--length", 256, "--stride", 128, "--text", *CORPUS)
    theirs = longrope("--model", tmp_path, "--length", 256, "--stride", 128, "--tokens", *paths)
    assert ours["tokens"] == theirs["tokens"] and ours["nll"] == theirs["nll"]
    assert ours["documents"] == len(CORPUS)


# ---- transformers ----


@pytest.mark.parametrize("add_bos_token, add_eos_token", [(True, False), (False, False), (True, True), (False, True)])
@pytest.mark.parametrize("prefix", [{}, {"add_prefix_space": None}, {"add_prefix_space": True}, {"add_prefix_space": False}])
def test_transformers(tmp_path, add_bos_token, add_eos_token, prefix):
    """A folder as llama 2 ships it, through transformers' AutoTokenizer."""
    train(tmp_path, **TRAININGS["llama"])
    save_model(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({
        "tokenizer_class": "LlamaTokenizer", "add_bos_token": add_bos_token, "add_eos_token": add_eos_token,
        "bos_token": {"__type": "AddedToken", "content": "<s>", "lstrip": False, "normalized": False,
                      "rstrip": False, "single_word": False},
        "eos_token": "</s>", "unk_token": "<unk>", "legacy": True, **prefix,
    }))  # fmt: skip
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    text = CORPUS[1].read_text(encoding="utf-8")[:4000]
    tokens = tokenizer(text)["input_ids"]
    assert (tokens[0] == 1) == add_bos_token
    assert (tokens[-1] == 2) == add_eos_token
    assert_tokens(tmp_path, text, tokens)


# ---- sliding windows ----


def published_loop(model, tokens, length, stride):
    """Nats of every prediction, by the loop of transformers' page on fixed-length models. The page adds
    up each window's mean times one prediction less than a window with context has; here every
    prediction counts the same."""
    tokens = torch.as_tensor(np.asarray(tokens, dtype=np.int64))[None]
    nats, prev_end_loc, seq_len = [], 0, tokens.size(1)
    for begin_loc in range(0, seq_len, stride):
        end_loc = min(begin_loc + length, seq_len)
        trg_len = end_loc - prev_end_loc
        input_ids = tokens[:, begin_loc:end_loc]
        target_ids = input_ids.clone()
        target_ids[:, :-trg_len] = -100
        with torch.no_grad():
            logits = model(input_ids, use_cache=False).logits
        losses = torch.nn.functional.cross_entropy(
            logits[0, :-1].double(), target_ids[0, 1:], ignore_index=-100, reduction="none"
        )
        nats.append(losses[target_ids[0, 1:] != -100].numpy())
        prev_end_loc = end_loc
        if end_loc == seq_len:
            break
    return np.concatenate(nats)


@pytest.mark.parametrize("length, stride", [(128, 64), (128, 1), (100, 99), (100, 100), (64, 17), (5000, 300)])
def test_stride(tmp_path, length, stride):
    save_model(tmp_path, 97)
    model = LlamaForCausalLM.from_pretrained(tmp_path, attn_implementation="eager").eval()
    tokens = np.random.default_rng(9).integers(0, 97, 301)
    np.save(tmp_path / "tokens.npy", tokens)
    arguments = "--model", tmp_path, "--tokens", tmp_path / "tokens.npy", "--length", length, "--stride", stride
    row = longrope(*arguments, "--nats", tmp_path / "nats.npy", "--scale", 1)
    ours, theirs = np.load(tmp_path / "nats.npy")[0], published_loop(model, tokens, length, stride)
    assert row["tokens"] == len(theirs) and (stride == length or len(theirs) == 300)
    assert ours.shape == theirs.shape
    print(f"\n  {length} {stride}: token {np.abs(ours - theirs).max():.2e}", end="")
    assert np.abs(ours - theirs).max() < 1e-4
    assert abs(row["nll"] - theirs.mean()) < 1e-5
