#!/usr/bin/env python3
"""Draw what the scaled recipe found: lambda against pair, and perplexity against length.

    python plot.py --out OUT

Reads OUT/perplexity.json (sweep.sh writes it) and OUT/factors.json; writes OUT/lambda.svg and
OUT/perplexity.svg.
"""

import argparse
import json
import math
from pathlib import Path

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "longrope"  # the same input gives the same file
import matplotlib.pyplot as plt

# Name in the sweep: label, colour, line. The base model is grey, the fine-tuned one in colour.
CURVES = {
    "base-none": ("base model", "#999999", "-"),
    "base-pi": ("base, PI", "#999999", ":"),
    "base-ntk": ("base, NTK", "#999999", "-."),
    "base-yarn": ("base, YaRN", "#999999", "--"),
    "base-longrope": ("base, LongRoPE", "#555555", "-"),
    "pi-tuned": ("fine-tuned with PI, then PI", "#009e73", ":"),
    "yarn-tuned": ("fine-tuned with YaRN, then YaRN", "#0072b2", "--"),
    "yarn-tuned-dynamic-ntk": ("fine-tuned with YaRN, then dynamic NTK", "#0072b2", "-"),
    "tuned-as-is": ("fine-tuned with LongRoPE, as it is", "#e69f00", "-"),
    "tuned-pi": ("fine-tuned, then PI", "#56b4e9", ":"),
    "tuned-ntk": ("fine-tuned, then NTK", "#56b4e9", "-."),
    "tuned-dynamic-ntk": ("fine-tuned, then dynamic NTK", "#56b4e9", "-"),
    "tuned-yarn": ("fine-tuned, then YaRN", "#56b4e9", "--"),
    "tuned-longrope-unrecovered": ("LongRoPE, no recovery", "#d55e00", "--"),
    "tuned-longrope": ("LongRoPE, recovered", "#d55e00", "-"),
}


def save(figure, path: Path) -> None:
    figure.savefig(path, metadata={"Date": None}, bbox_inches="tight")
    print(f"wrote {path}")


def draw_perplexity(rows, out: Path) -> None:
    figure, axes = plt.subplots(figsize=(8, 5))
    for name, (label, colour, line) in CURVES.items():
        points = sorted((r["length"], r["perplexity"]) for r in rows if r["method"] == name)
        if points:
            axes.plot(*zip(*points), line, color=colour, label=label, marker=".", linewidth=1.5)
    axes.set(xscale="log", yscale="log", xlabel="length, bytes", ylabel="perplexity a byte, unseen books")
    axes.set_xscale("log", base=2)
    lengths = sorted({r["length"] for r in rows})
    axes.set_xticks(lengths, [f"{n // 1024}k" if n >= 1024 else str(n) for n in lengths])
    ticks = [3, 3.5, 4, 5, 6, 8, 10, 15, 20, 30]
    axes.set_yticks(ticks, [f"{t:g}" for t in ticks])
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    save(figure, out / "perplexity.svg")


def draw_lambda(rows, file, out: Path) -> None:
    figure, axes = plt.subplots(figsize=(8, 5))
    longest, pairs = max(r["length"] for r in rows), len(file["tables"][0]["factors"])
    scale = longest / file["original_length"]
    yarn = next(r["factors"] for r in rows if r["length"] == longest and r["method"] == "base-yarn")
    ntk = [scale ** (i / (pairs - 1)) for i in range(pairs)]
    for factors, label, line in [([scale] * pairs, "PI", ":"), (ntk, "NTK", "-."), (yarn, "YaRN", "--")]:
        axes.plot(factors, line, color="#0072b2", label=f"{label} at {longest // 1024}k")
    colours = plt.cm.inferno([0.75, 0.6, 0.45, 0.2])
    for table, colour in zip(file["tables"], colours):
        n_hat = f", n_hat {table['start_tokens']}" if table["start_tokens"] else ""
        axes.plot(table["factors"], color=colour, label=f"{table['name']}{n_hat}")
    # The first pair that does not turn once within the window of 256.
    turns = [file["original_length"] * file["rope_theta"] ** (-i / pairs) / (2 * math.pi) for i in range(pairs)]
    axes.axvline(next(i for i, t in enumerate(turns) if t < 1), color="#999999", linewidth=0.8)
    axes.set(yscale="log", xlabel="rotary pair, fastest first (the line: wavelength beyond the window)", ylabel="lambda")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    save(figure, out / "lambda.svg")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    rows = json.loads((args.out / "perplexity.json").read_text())
    draw_perplexity(rows, args.out)
    draw_lambda(rows, json.loads((args.out / "factors.json").read_text()), args.out)


if __name__ == "__main__":
    main()
