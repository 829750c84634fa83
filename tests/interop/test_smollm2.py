"""configs/smollm2: its pass-key prompts are those of `longrope passkey`, and it counts no key that is not found."""

import json
import subprocess
import sys

import numpy as np
import pytest
from program import DEMO, SOURCE, result
from test_passkey import passkey
from tokenizers import Tokenizer, models, pre_tokenizers

RECIPE = SOURCE / "configs/smollm2"
sys.path.insert(0, str(RECIPE))
import passkeys  # noqa: E402


@pytest.fixture
def reads_bytes(tmp_path):
    """A folder with a tokenizer.json whose tokens are the bytes of a text, as the demo model reads them."""
    printable = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    names = {byte: chr(byte) for byte in printable} | {byte: chr(256 + i) for i, byte in enumerate(others)}
    tokenizer = Tokenizer(models.BPE({names[byte]: byte for byte in range(256)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    return tmp_path


def test_prompts_are_those_of_longrope_passkey(reads_bytes, tmp_path):
    _, answers, tokens = passkey(tmp_path, "--model", DEMO, "--prompt", "published", "--length", 600, "--method", "none",
                                 "--depths", "0,30,100", "--trials", 2)  # fmt: skip
    prompts = passkeys.Prompts(reads_bytes)
    for i, (answer, prompt) in enumerate(zip(answers, tokens)):
        made, digits = prompts.make(600, (0, 0.3, 1)[i // 2], answer["key"])
        assert made == prompt.tolist()
        assert digits == passkeys.DIGITS == len(answer["key"])
    with pytest.raises(ValueError, match="a prompt of 100 tokens has no room for a pass key; take 2"):
        prompts.make(100, 0.5, "12345")


def test_only_keys_that_greedy_decoding_finds_are_counted(tmp_path):
    """On the prompts that the demo model answers."""
    _, answers, tokens = passkey(tmp_path, "--model", DEMO, "--prompt", "demo", "--length", 256, "--method", "none",
                                 "--trials", 2, "--digits", passkeys.DIGITS)  # fmt: skip
    paths = []
    for i, (answer, prompt) in enumerate(zip(answers, tokens)):
        paths.append(tmp_path / f"256-{i:02}.npy")
        np.save(paths[-1], prompt)
        paths[-1].with_suffix(".json").write_text(json.dumps({"key": answer["key"], "depth": 0, "answer": 5}))
    nats = tmp_path / "nats.npy"
    result("--model", DEMO, "--length", 256, "--method", "none", "--dtype", "f32", "--nats", nats, "--tokens", *paths)
    said = subprocess.run([sys.executable, RECIPE / "passkeys.py", "found", nats, *paths], capture_output=True,
                          text=True, check=True)  # fmt: skip
    sheet = json.loads(said.stdout)
    assert [a["key"] for a in sheet["answers"]] == [a["key"] for a in answers]
    assert all(b["correct"] for a, b in zip(sheet["answers"], answers) if a["found"])
    assert sheet["found"] == sum(a["found"] for a in sheet["answers"]) >= 7  # of ten; longrope passkey finds nearly all
