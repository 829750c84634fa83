"""Pass keys against true greedy decoding: transformers' generate() on the prompts that longrope made, prompt for prompt.

longrope computes one pass over a prompt with its answer. generate() decodes the answer token by token from the prompt
without it. They agree where every token up to the first wrong one, and whether there is one, are the same.
"""

import importlib.util
import json
import subprocess

import numpy as np
import pytest
import torch
from program import DEMO, LONGROPE, SOURCE
from reference import load, rotary_of, rotary_of_table, rotary_replaced
from test_tokens import TRAININGS, VOCABULARY, save_model, train

DEPTHS = 5


def passkey(tmp_path, *arguments):
    """longrope's only result, and the prompts as tokens [prompts][length]."""
    path = tmp_path / "prompts.npy"
    path.unlink(missing_ok=True)  # of an earlier call
    command = [LONGROPE, "passkey", "--json", "--prompts", "--dtype", "f32", "--save-tokens", path, *arguments]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (result,) = json.loads(done.stdout)["results"]
    tokens = np.load(path)
    assert tokens.dtype == np.int32 and tokens.shape == (len(result["depths"]) * result["trials"], result["length"])
    answers = [answer for depth in result["depths"] for answer in depth["prompts"]]
    assert len(answers) == len(tokens)
    return result, answers, tokens


def training_prompts():
    """The module that makes pass-key prompts for the demo model's training."""
    spec = importlib.util.spec_from_file_location("training_prompts", SOURCE / "configs/demo/train/passkey.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def decode(model, rotary, prompt, count):
    """The next `count` tokens, each the likeliest."""
    ids = torch.as_tensor(prompt.astype(np.int64))[None]
    with torch.inference_mode(), rotary_replaced(model, rotary):
        out = model.generate(
            ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=count, min_new_tokens=count,
            eos_token_id=None, pad_token_id=0,
        )  # fmt: skip
    return out[0, len(prompt) :].tolist()


def hold_together(model, rotary, answers, tokens):
    """Returns how many keys were found."""
    for answer, prompt in zip(answers, tokens):
        right, said = answer["answer"], answer["arg_max"]
        assert prompt[-len(right) :].tolist() == right
        decoded = decode(model, rotary, prompt[: -len(right)], len(right))
        same = [a == b for a, b in zip(right, said)]
        known = same.index(False) + 1 if False in same else len(right)  # beyond it they see different texts
        assert decoded[:known] == said[:known]
        assert answer["correct"] == (decoded == right)
    return sum(answer["correct"] for answer in answers)


@pytest.mark.parametrize(
    "method, length, wording, trials",
    [("none", 310, "demo", 5), ("yarn", 512, "demo", 5), ("ntk", 700, "demo", 5), ("dynamic-ntk", 420, "published", 5)],
)
def test_demo(tmp_path, method, length, wording, trials):
    """100 prompts of the demo model in all, some of each kind right and some wrong."""
    options = ["--model", DEMO, "--length", length, "--method", method, "--prompt", wording, "--trials", trials]
    result, answers, tokens = passkey(tmp_path, *options)
    model = load(DEMO, torch.float32)
    found = hold_together(model, rotary_of(model, method, result["scale"], length), answers, tokens)
    print(f"\n  {method} at {length}, {wording}: {found} of {len(answers)} found by both", end="")
    assert len(answers) == DEPTHS * trials
    assert 0 < found < len(answers)


def test_table(tmp_path):
    """A table of numbers, with start tokens and an attention factor."""
    factors = np.round(1 + np.cumsum(np.linspace(0.0, 0.12, 32)), 2)
    options = ["--model", DEMO, "--length", 600, "--factors", ",".join(map(str, factors)), "--prompt", "demo",
               "--start-tokens", 8, "--attention-factor", 1.07, "--trials", 3]  # fmt: skip
    _, answers, tokens = passkey(tmp_path, *options)
    model = load(DEMO, torch.float32)
    found = hold_together(model, rotary_of_table(model, 600, factors, 1.07, 8), answers, tokens)
    print(f"\n  table at 600: {found} of {len(answers)} found by both", end="")


def test_demo_wording(tmp_path):
    """Prompts of the form "demo" are worded as the demo model was trained."""
    options = ["--model", DEMO, "--length", 800, "--method", "none", "--prompt", "demo", "--trials", 3]
    _, answers, tokens = passkey(tmp_path, *options)
    trained = training_prompts()
    for answer, prompt in zip(answers, tokens):
        statement = trained.KEY.format(answer["key"]) + "\n"
        before, rest = bytes(prompt.tolist()).decode().split(statement)
        after = rest[: rest.index(trained.QUESTION.split()[0])].rstrip("\n")
        sentences = (before + after).splitlines()
        assert set(sentences) <= set(trained.FILLER)
        at = before.count("\n")
        assert trained.assemble(sentences[:at], sentences[at:], answer["key"]) + answer["key"] == before + statement + rest


@pytest.mark.parametrize("training", ["llama", "unigram"])
@pytest.mark.parametrize("wording", ["published", "demo"])
def test_sentencepiece(tmp_path, training, wording):
    """Prompts are the tokens of one text, of exactly the length that was asked for; a model of random weights, which
    finds nothing, says the same wrong tokens."""
    tokenizer = train(tmp_path, **{**TRAININGS[training], "byte_fallback": True})
    save_model(tmp_path, VOCABULARY)
    options = ["--model", tmp_path, "--length", 400, "--method", "none", "--prompt", wording, "--trials", 2]
    _, answers, tokens = passkey(tmp_path, *options, "--depths", "0,30,100")
    for answer, prompt in zip(answers, tokens):
        assert prompt[0] == tokenizer.bos_id()
        text = tokenizer.decode(prompt[1:].tolist())
        assert text.count(f"The pass key is {answer['key']}") == 2
        assert text.endswith(f"What is the pass key? The pass key is {answer['key']}")
        if training == "llama" and wording == "published":  # which begins with a text's beginning
            assert [tokenizer.bos_id(), *tokenizer.encode(text)] == prompt.tolist()
        assert tokenizer.decode(answer["answer"]).strip() == answer["key"]
    model = load(tmp_path, torch.float32)
    hold_together(model, model.model.rotary_emb, answers, tokens)
