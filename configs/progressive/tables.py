#!/usr/bin/env python3
"""Prints what the experiment measured as Markdown: perplexity, pass keys and multiple choice, and how far each bar is met.

    python tables.py --out OUT [--window 256] [--tuned 16384]

Reads OUT/perplexity.json, OUT/passkeys.json and OUT/choice.json, which sweep.sh, passkeys.sh and choice.sh write. Requires
nothing but Python.
"""

import argparse
import json
import statistics
from pathlib import Path

FINAL = "tuned-longrope"

# Name in the files, and what is said of it; rows stand in this order.
METHODS = {
    "base-none": "untouched model",
    "base-pi": "untouched, PI",
    "base-ntk": "untouched, NTK",
    "base-yarn": "untouched, YaRN",
    "base-longrope": "untouched, LongRoPE's table for the fine-tuning",
    "pi-tuned": "fine-tuned with PI, beyond that PI once more",
    "yarn-tuned": "fine-tuned with YaRN, beyond that YaRN once more",
    "yarn-tuned-dynamic-ntk": "fine-tuned with YaRN, then dynamic NTK",
    "tuned-as-is": "fine-tuned with LongRoPE, as it is",
    "tuned-pi": "fine-tuned with LongRoPE, then PI",
    "tuned-ntk": "fine-tuned with LongRoPE, then NTK",
    "tuned-yarn": "fine-tuned with LongRoPE, then YaRN",
    "tuned-dynamic-ntk": "fine-tuned with LongRoPE, then dynamic NTK",
    "tuned-longrope-unrecovered": "LongRoPE, the last table at all lengths",
    FINAL: "LongRoPE, recovered",
}


def print_table(rows: list[dict], text_of) -> None:
    """Methods by lengths; `text_of(row)` is what a cell shows."""
    lengths = sorted({row["length"] for row in rows})
    print("| |", " | ".join(f"{length:,}".replace(",", " ") for length in lengths), "|")
    print("| --- |", " | ".join("---:" for _ in lengths), "|")
    for name, title in METHODS.items():
        cells = {row["length"]: text_of(row) for row in rows if row["method"] == name}
        if cells:
            print(f"| {title} |", " | ".join(cells.get(length, "") for length in lengths), "|")
    print()


def find(rows: list[dict], method: str, length: int) -> dict:
    return next(row for row in rows if row["method"] == method and row["length"] == length)


def say(met: bool, text: str) -> None:
    print(f"- **{'met' if met else 'not met'}**: {text}")


def compare_longest(rows: list[dict]) -> None:
    """The final table against each other one, window by window: their texts differ far more than the tables do."""
    longest = max(row["length"] for row in rows)
    ours = find(rows, FINAL, longest)["windows"]
    for name, title in METHODS.items():
        others = [row for row in rows if row["method"] == name and row["length"] == longest and name != FINAL]
        if not others:
            continue
        gains = [theirs - mine for theirs, mine in zip(others[0]["windows"], ours)]
        gain, spread = statistics.mean(gains), statistics.stdev(gains) if len(gains) > 1 else 0.0
        say(gain > spread, f"at {longest} bytes {gain:.4f} nats below '{title}'; over {len(gains)} windows the difference "
            f"has a standard deviation of {spread:.4f} and lies within {min(gains):.4f} to {max(gains):.4f}")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--window", type=int, default=256, help="of the untouched model (default %(default)s)")
    parser.add_argument("--tuned", type=int, default=16384, help="last length of the fine-tuning (default %(default)s)")
    args = parser.parse_args()
    sweep, keys, choice = (
        json.loads((args.out / f"{name}.json").read_text()) for name in ("perplexity", "passkeys", "choice")
    )

    print("## Perplexity per byte\n")
    most = {row["length"]: row["samples"] for row in sweep if row["method"] == FINAL}
    print_table(sweep, lambda row: f"{row['perplexity']:.3f}" + " \\*" * (row["samples"] < most[row["length"]]))
    print(f"Windows: {', '.join(map(str, most.values()))}, and with \\* fewer, at the beginning of the same books.\n")
    print("## Pass keys found\n")
    print_table(keys, lambda row: f"{100 * row['correct'] / row['prompts']:.0f} %")
    print("## Multiple choice: which sentence comes next\n")
    print_table(choice, lambda row: f"{100 * row['accuracy']:.1f} ± {100 * (row['standard_error'] or 0):.1f} %")

    print("## Bars\n")
    compare_longest(sweep)
    cost = find(sweep, FINAL, args.window)["perplexity"] / find(sweep, "base-none", args.window)["perplexity"] - 1
    say(abs(cost) <= 0.01, f"perplexity at {args.window} bytes {cost:+.2%} of the untouched model's")
    found = {row["length"]: row["correct"] / row["prompts"] for row in keys if row["method"] == FINAL}
    least = min((share, length) for length, share in found.items() if length <= args.tuned)
    say(least[0] >= 0.9, f"pass keys through {args.tuned} bytes: {least[0]:.0%} at least, at {least[1]} bytes")
    before, after = find(choice, "base-none", args.window), find(choice, FINAL, args.window)
    change, error = after["accuracy"] - before["accuracy"], before["standard_error"] or 0.0
    say(abs(change) <= 2 * error, f"multiple choice {100 * change:+.1f} points of the untouched model's "
        f"{100 * before['accuracy']:.1f} %; two standard errors are {200 * error:.1f} points")  # fmt: skip


if __name__ == "__main__":
    main()
