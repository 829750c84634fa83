#!/usr/bin/env python3
"""table.py OUT: prints what measure.sh wrote to OUT as Markdown tables."""

import json
import math
import sys
from pathlib import Path

import numpy as np

TABLES = ("none", "pi", "ntk", "dynamic-ntk", "yarn", "longrope")
BOOKS = ("The Count of Monte Cristo", "The Moonstone", "On the Origin of Species")  # as measure.sh names them


def row(cells) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"


def searched_on(run: dict, length: int) -> dict:
    """Perplexity on the windows that the stage of that length was searched on, by table."""
    found = {}
    for stage in run["stages"]:
        if stage["target_length"] == length and stage["best_exportable"]:
            found = {entry["method"]: entry["perplexity"] for entry in stage["baselines"]}
            found["longrope"] = stage["best_exportable"]["perplexity"]
    return found


def read(out: Path, kind: str, name: str, length: int) -> list[dict]:
    return [json.loads(path.read_text()) for path in sorted(out.glob(f"{kind}/{name}-{length}*.json"))]


def perplexities(out: Path, length: int, run: dict) -> None:
    seen, yarn = searched_on(run, length), None
    for name in reversed(TABLES):
        if read(out, "unseen", name, length):
            nats = np.load(out / f"unseen/{name}-{length}.npy")
            yarn = nats if name == "yarn" else yarn
    for name in TABLES:
        results = read(out, "unseen", name, length)
        if not results:
            continue
        nats = np.load(out / f"unseen/{name}-{length}.npy")
        books = [f"{math.exp(mean):.3f}" for mean in nats.mean(axis=1)]
        mean = math.exp(nats.mean())
        change = f"{100 * (math.exp((nats - yarn).mean()) - 1):+.2f} %" if yarn is not None else "-"
        of_search = f"{seen[name]:.3f}" if name in seen else "-"
        print(row([length, name, of_search, *books, f"{mean:.3f}", change]))


def keys(out: Path, lengths: list[int]) -> None:
    print(row(["table", *lengths]))
    print(row(["---"] + ["---"] * len(lengths)))
    for name in TABLES:
        cells = []
        for length in lengths:
            answers = [answer for sheet in read(out, "passkeys", name, length) for answer in sheet["answers"]]
            found = sum(answer["found"] for answer in answers)
            cells.append(f"{found} of {len(answers)}" if answers else "-")
        if any(cell != "-" for cell in cells):
            print(row([name, *cells]))


def main(out: Path) -> None:
    lengths = sorted({int(path.stem.split("-")[-1]) for path in out.glob("unseen/*.json")})
    run = json.loads((out / "run.json").read_text())
    print(row(["tokens", "table", "Les Miserables (searched on)", *BOOKS, "unseen, all", "against YaRN"]))
    print(row(["---"] * (5 + len(BOOKS))))
    for length in lengths:
        perplexities(out, length, run)
    print("\nKeys found:\n")
    keys(out, lengths)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
