"""Pass-key prompts: filler sentences, one line that states a five-digit key, a question, the answer.

The task is Mohtashami and Jaggi's (2023); the wording is this repository's own.
"""

import random

FILLER = (
    "The tide goes out and the tide comes in.",
    "A cart rolls slowly down the lane.",
    "Smoke rises straight from the chimney.",
    "The old dog sleeps beside the gate.",
    "Rain falls softly on the slate roofs.",
    "A bell rings twice across the fields.",
    "The miller counts his sacks of flour.",
    "Gulls walk about on the wet sand.",
    "The baker lights his oven before dawn.",
    "Wind moves the long grass on the hill.",
    "Two boys throw stones into the pond.",
    "The ferry waits at the wooden stairs.",
)
KEY = "The pass key is {}."
QUESTION = "What is the pass key? The pass key is "
DIGITS = 5
SHORTEST = len(KEY.format("") + "\n\n" + QUESTION) + 2 * DIGITS  # bytes of a prompt without filler, with its key


def assemble(before: list[str], after: list[str], key: str) -> str:
    """A prompt that ends just before the key: filler sentences before and after the line that states it.

    With none after it an empty line stands before the question.
    """
    return "\n".join([*before, KEY.format(key), "\n".join(after), QUESTION])


def prompt(rng: random.Random, length: int) -> tuple[str, str]:
    """A prompt that ends just before the key, and the key.

    `length` bounds the bytes of both together; the key's line stands at a random depth
    among as many filler sentences as fit. Raises ValueError where not even the key fits.
    """
    key = "".join(rng.choice("0123456789") for _ in range(DIGITS))
    room = length - SHORTEST
    if room < 0:
        raise ValueError(f"a pass-key prompt does not fit in {length} bytes")
    filler = []
    while True:
        sentence = rng.choice(FILLER)
        if len(sentence) + 1 > room:
            break
        filler.append(sentence)
        room -= len(sentence) + 1
    depth = rng.randint(0, len(filler))
    return assemble(filler[:depth], filler[depth:], key), key
