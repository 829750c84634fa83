#!/usr/bin/env python3
"""Figures of the demo model's card: bits per byte on held-out books, and pass-key accuracy.

    python evaluate.py --model DIR --text DIR [--windows N] [--prompts N]

Both are computed by transformers from the exported files, so that the export is checked too. Bits
per byte: windows of 256 bytes, spread evenly over all books and each predicted from its own first
byte on (255 predictions), weighted equally. Pass keys: fresh prompts of 96 to 256 bytes, greedy
decoding, right when all five digits are.
"""

import argparse
import math
import random
from pathlib import Path

import torch
import torch.nn.functional as F
from transformers import AutoModelForCausalLM

import passkey

WINDOW = 256


def bits_per_byte(model, folder: Path, windows: int) -> dict[str, float]:
    """Mean over `windows` windows a book, for each book."""
    bits = {}
    for path in sorted(folder.rglob("*.txt")):
        text = torch.frombuffer(bytearray(path.read_bytes()), dtype=torch.uint8).long()
        starts = torch.linspace(0, len(text) - WINDOW, windows).long().tolist()
        batch = torch.stack([text[s : s + WINDOW] for s in starts])
        nats = 0.0
        for rows in batch.split(32):
            logits = model(rows).logits.float()
            nats += F.cross_entropy(logits[:, :-1].flatten(0, 1), rows[:, 1:].flatten(), reduction="sum").item()
        bits[path.stem] = nats / math.log(2) / (windows * (WINDOW - 1))
    return bits


def pass_keys(model, prompts: int, seed: int) -> int:
    rng, right = random.Random(seed), 0
    for _ in range(prompts):
        prompt, key = passkey.prompt(rng, rng.randint(96, WINDOW))
        tokens = torch.tensor([list(prompt.encode())])
        for _ in key:
            tokens = torch.cat((tokens, model(tokens).logits[:, -1:].argmax(-1)), dim=1)
        right += bytes(tokens[0, -len(key) :].tolist()) == key.encode()
    return right


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True, help="folder of config.json and model.safetensors")
    parser.add_argument("--text", type=Path, required=True, help="folder of held-out .txt files")
    parser.add_argument("--windows", type=int, default=256, help="windows a book (default %(default)s)")
    parser.add_argument("--prompts", type=int, default=100, help="pass-key prompts (default %(default)s)")
    parser.add_argument("--seed", type=int, default=20_000_003, help="of the pass-key prompts")
    args = parser.parse_args()
    model = AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32)
    bits = bits_per_byte(model, args.text, args.windows)
    for book, value in bits.items():
        print(f"{value:.4f} bits per byte  {book}")
    print(f"{sum(bits.values()) / len(bits):.4f} bits per byte  mean of {len(bits)} books")
    print(f"{pass_keys(model, args.prompts, args.seed)} of {args.prompts} pass keys right")


if __name__ == "__main__":
    main()
