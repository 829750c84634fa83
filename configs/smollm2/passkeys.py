#!/usr/bin/env python3
"""Pass keys of a model that has only tokenizer.json: prompts for `longrope eval --tokens`, and which keys were found.

    passkeys.py make MODEL OUT LENGTH DEPTH TRIALS   writes OUT/LENGTH-DEPTH-TRIAL.npy, prompts of LENGTH tokens with
                                                     the key behind DEPTH percent of the text, and prints their paths
    passkeys.py found NATS PROMPT...                 prints JSON: the keys found, by the nats that
                                                     `longrope eval --nats NATS` wrote for these prompts

`longrope passkey` makes such prompts for models with tokenizer.model: its wording `published`, and parts of a prompt
that are tokenized one by one, each as if it followed a line end. A prompt ends with the right answer. Here the blank
before the key belongs to the question, because SmolLM2's tokenizer has a token for it, and the answer is the digits.

A key counts as found if each of its digits has a probability above one half: then each is the most likely token, and
greedy decoding gives the key. A digit may be the most likely one with less; such a key is not counted here, so that
numbers may be too low and never too high.
"""

import json
import math
import random
import sys
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

DIGITS = 5
DESCRIPTION = (
    "There is an important info hidden inside a lot of irrelevant text. Find it and memorize them. I will quiz you "
    "about the important information there.\n"
)
FILLER = "The grass is green. The sky is blue. The sun is yellow. Here we go. There and back again."
NEEDLE = "The pass key is {key}. Remember it. {key} is the pass key.\n"
QUESTION = "What is the pass key? The pass key is "


class Prompts:
    def __init__(self, model: Path):
        self.tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))

    def encode(self, text: str) -> list[int]:
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    def line(self, text: str) -> list[int]:
        """Tokens of `text` behind a line end."""
        end, tokens = self.encode("\n"), self.encode("\n" + text)
        return tokens[len(end) :] if tokens[: len(end)] == end else self.encode(text)

    def make(self, length: int, depth: float, key: str) -> tuple[list[int], int]:
        """The prompt's `length` tokens, and how many of them, at its end, are the answer."""
        head, end, needle = self.encode(DESCRIPTION), self.line("\n"), self.line(NEEDLE.format(key=key))
        question, bare = self.line(QUESTION + key), self.line(QUESTION)
        common = next((i for i, (a, b) in enumerate(zip(question, bare)) if a != b), len(bare))
        room = length - len(head) - 2 * len(end) - len(needle) - len(question)
        if room < 0:
            raise ValueError(f"a prompt of {length} tokens has no room for a pass key; take {length - room} or more")
        filler = self.line(" ".join([FILLER] * (room // 10 + 1)))
        before = int(depth * room + 0.5)
        prompt = head + filler[:before] + end + needle + filler[: room - before] + end + question
        assert len(prompt) == length
        return prompt, len(question) - common


def key_of(length: int, depth: int, trial: int) -> str:
    """Equal for all tables and models; seeded by text, by a hash that is the same everywhere."""
    rng = random.Random(f"{length}/{depth}/{trial}")
    return str(rng.randrange(10 ** (DIGITS - 1), 10**DIGITS))


def make(model: Path, out: Path, length: int, depth: int, trials: int) -> None:
    prompts = Prompts(model)
    out.mkdir(parents=True, exist_ok=True)
    for trial in range(trials):
        key = key_of(length, depth, trial)
        tokens, answer = prompts.make(length, depth / 100, key)
        path = out / f"{length}-{depth:03}-{trial:02}.npy"
        np.save(path, np.array(tokens, np.int32))
        path.with_suffix(".json").write_text(json.dumps({"key": key, "depth": depth, "answer": answer}))
        print(path)


def found(nats: Path, paths: list[Path]) -> None:
    rows = np.load(nats)
    if len(rows) != len(paths):
        raise ValueError(f"{nats}: holds {len(rows)} windows, not the {len(paths)} prompts named")
    answers = []
    for row, path in zip(rows, paths):
        prompt = json.loads(path.with_suffix(".json").read_text())
        digits = row[-prompt["answer"] :]
        answers.append({"key": prompt["key"], "depth": prompt["depth"], "nats": float(digits.mean()),
                        "found": bool((digits < math.log(2)).all())})  # fmt: skip
    print(json.dumps({"length": rows.shape[1] + 1, "found": sum(a["found"] for a in answers), "answers": answers}))


if __name__ == "__main__":
    try:
        match sys.argv[1:]:
            case ["make", model, out, length, depth, trials]:
                make(Path(model), Path(out), int(length), int(depth), int(trials))
            case ["found", nats, *paths] if paths:
                found(Path(nats), [Path(path) for path in paths])
            case _:
                sys.exit(__doc__)
    except (OSError, ValueError) as error:
        print(f"passkeys.py: {error}", file=sys.stderr)
        sys.exit(2)
