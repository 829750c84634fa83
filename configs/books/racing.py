#!/usr/bin/env python3
"""What racing risks: of the candidates that it gave up, how many would have become parents.

    python3 configs/books/racing.py [--stage NAME] [--books FOLDER] [--longrope PROGRAM] RUN...

Scores what racing cut short on all windows of the stage, with the model, the text and the number type of the run, and prints
for each run
  windows   scored, and saved by racing: those that a candidate that was cut short was not scored on
  stopped   candidates that were cut short
  mistakes  those of them that are better, on all windows, than the last of the best `parents` before them
  better    those of them that are better than the result of the search
"""

import argparse
import csv
import heapq
import json
import subprocess
import tempfile
from pathlib import Path


def longrope(program, *arguments):
    """What the program prints."""
    return subprocess.run([program, *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout


def whole_score(program, books, stage, row):
    """Nats per token, on all windows of the stage, of a candidate of `show --scores`."""
    documents = [books / name for name in dict.fromkeys(sample["document"] for sample in stage["samples"])]
    dtype = stage["settings"]["dtype (LONGROPE_KERNELS)"].split()[0]
    pairs = sum(name.startswith("lambda_") for name in row)
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as factors:
        print(*(row[f"lambda_{pair}"] for pair in range(pairs)), sep="\n", file=factors, flush=True)
        printed = longrope(
            program, "eval", "--json", "--model", stage["model"], "--dtype", dtype, "--tokenizer", "bytes",
            "--text", *documents, "--length", str(stage["target_length"]), "--samples", str(len(stage["samples"])),
            "--factors", factors.name, "--start-tokens", row["start_tokens"],
            "--attention-factor", row["attention_factor"],
        )  # fmt: skip
    return json.loads(printed)["results"][0]["nll"]


def race(program, books, run, name):
    """Scored, saved, stopped, mistakes and better of a run's stage."""
    shown = json.loads(longrope(program, "show", run, "--json"))
    stage = next((stage for stage in shown["stages"] if stage["name"] == name), None)
    if stage is None or stage["state"] != "done":
        raise SystemExit(f"{run}: stage '{name}' is not done")
    rows = csv.DictReader(longrope(program, "show", run, "--scores").splitlines())
    rows = [row for row in rows if row["stage"] == name and row["kind"] == "individual" and row["failed"] == "0"]
    windows, parents = len(stage["samples"]), int(stage["settings"]["search.parents"])
    end = min(float(row["nats_per_token"]) for row in rows if row["nats_per_token"])
    best = []  # of the candidates so far, negative: the last of the best `parents` is the first of the heap
    scored = saved = stopped = mistakes = better = 0
    for row in sorted(rows, key=lambda row: int(row["id"])):
        scored += int(row["windows"])
        if row["stopped"] == "0":
            heapq.heappush(best, -float(row["nats_per_token"]))
            if len(best) > parents:
                heapq.heappop(best)
            continue
        score = whole_score(program, books, stage, row)
        stopped += 1
        saved += windows - int(row["windows"])
        mistakes += score < -best[0]
        better += score < end
    return scored, saved, stopped, mistakes, better


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", metavar="RUN", help="folders of runs")
    parser.add_argument("--stage", default="paper-blocks", help="stage of the runs (default: %(default)s)")
    parser.add_argument("--longrope", default="build/release/longrope", help="the program (default: %(default)s)")
    books = Path(__file__).parent / "../../../shared/books/valid"
    parser.add_argument("--books", type=Path, default=books, metavar="FOLDER", help="folder of their text (default: %(default)s)")
    arguments = parser.parse_args()
    print("| run | windows scored | saved | stopped | mistakes | better than the result |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for run in arguments.runs:
        scored, saved, stopped, mistakes, better = race(arguments.longrope, arguments.books, run, arguments.stage)
        share = saved / (scored + saved)
        print(f"| {Path(run).name} | {scored} | {share:.1%} | {stopped} | {mistakes} | {better} |")


if __name__ == "__main__":
    main()
