"""Windows of pass-key prompts, worded as `longrope passkey --prompt demo` words them."""

import random
import sys
from pathlib import Path

import numpy as np

from table import WrongInput

sys.path.append(str(Path(__file__).resolve().parents[1] / "demo/train"))
import passkey  # noqa: E402

END = 0.125  # the share of keys that stand before all sentences, and of those behind all: far ends are rare otherwise


class Keys:
    """What slot number k of pass keys holds, for every k >= 0: prompts of one length, each ending with its key.

    The lengths take turns in random order. Of a shorter one there are more prompts, so that a slot has no more than
    `room` tokens. A prompt has exactly its length: the first sentence of its haystack lacks its beginning. Slot k depends
    on the seed and k alone.
    """

    def __init__(self, lengths, room, seed, tokenize, bos=None):
        self.lengths, self.room, self.seed, self.tokenize = sorted(lengths), room, seed, tokenize
        self.head = np.array([] if bos is None else [bos], np.int64)
        self.line_end = self.tokens("\n")
        self.filler = [self.tokens(sentence + "\n") for sentence in passkey.FILLER]
        self.question = self.tokens(passkey.QUESTION)
        self.answer = len(self.tokens("1" * passkey.DIGITS))  # tokens of a key, the last ones of a prompt
        key, answer = self.draw_key(random.Random(0))
        least = sum(map(len, (self.head, self.statement(key), self.line_end, self.question, answer)))
        if self.lengths[0] < least:
            raise WrongInput(f"a pass-key prompt has {least} tokens at least, and cannot have {self.lengths[0]}")

    def tokens(self, text: str) -> np.ndarray:
        return np.asarray(self.tokenize(text.encode()), np.int64)

    def length_of(self, k: int) -> int:
        """Tokens of each prompt of slot k."""
        turn, place = divmod(k, len(self.lengths))
        order = list(self.lengths)
        random.Random(f"{self.seed}/lengths/{turn}").shuffle(order)
        return order[place]

    def rows(self, k: int) -> int:
        return self.room // self.length_of(k)

    def __getitem__(self, k: int) -> np.ndarray:
        """int64 [prompts, length]"""
        rng, length = random.Random(f"{self.seed}/{k}"), self.length_of(k)
        return np.stack([self.prompt(rng, length) for _ in range(self.rows(k))])

    def statement(self, key: str) -> np.ndarray:
        return self.tokens(passkey.KEY.format(key) + "\n")

    def draw_key(self, rng: random.Random) -> tuple[str, np.ndarray]:
        """A key, and its tokens, which are as many for each key."""
        while True:
            key = str(rng.randrange(10 ** (passkey.DIGITS - 1), 10**passkey.DIGITS))
            if len(tokens := self.tokens(key)) == self.answer:
                return key, tokens

    def prompt(self, rng: random.Random, length: int) -> np.ndarray:
        """int64 [length]"""
        key, answer = self.draw_key(rng)
        place = rng.random()
        # An empty line follows a key behind the last sentence, as in the training of the demo model.
        last = [self.line_end] if place >= 1 - END else []
        fixed = [self.head, self.statement(key), *last, self.question, answer]
        room, lines, filled = length - sum(map(len, fixed)), [], 0
        while filled < room:
            lines.insert(0, rng.choice(self.filler))
            filled += len(lines[0])
        if lines:
            lines[0] = lines[0][filled - room :]
        depth = len(lines) if last else 0 if place < END else rng.randrange(len(lines))
        return np.concatenate([fixed[0], *lines[:depth], fixed[1], *lines[depth:], *fixed[2:]])
