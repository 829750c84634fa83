#!/usr/bin/env python3
"""How many tokens are enough to tell tables apart: what part of a search's windows ranks its best tables as all of them do.

    python3 configs/books/tokens.py [--stage NAME] [--best N] RUN...

Reads the nats per block of 128 tokens that a run keeps, of the N best tables of each run that were scored on all windows.
For w windows of which the first t tokens are scored, over all choices of w windows and all runs, the mean of
  tau    Kendall's rank correlation with the order on all tokens of all windows (1: the same order, 0: no relation)
  loss   perplexity, on all of them, of the table that the part ranks first, above that of the best table, in percent
"""

import argparse
import itertools
import math
import sqlite3
import statistics
import struct
from pathlib import Path

BLOCK = 128  # tokens; nats_blocks() in eval/perplexity.h


def best_tables(run, stage, count):
    """[table][window][block] sums of nats of the best tables, best first, and their mean nats per token."""
    database = sqlite3.connect(f"{Path(run, 'run.db').absolute().as_uri()}?mode=ro", uri=True)
    rows = database.execute(
        "SELECT i.stage, i.id, i.nats_per_token FROM individuals AS i JOIN stages AS s ON i.stage = s.id"
        " WHERE s.name = ? AND i.nats_per_token NOTNULL ORDER BY i.nats_per_token, i.id LIMIT ?",
        (stage, count),
    ).fetchall()
    if not rows:
        raise SystemExit(f"{run}: stage '{stage}' has no table that was scored on all windows")
    tables, nats = [], []
    for number, individual, mean in rows:
        blobs = database.execute(
            "SELECT blocks FROM sample_nats WHERE stage = ? AND individual = ? ORDER BY sample", (number, individual)
        ).fetchall()
        if any(blob is None for (blob,) in blobs):
            raise SystemExit(f"{run}: stage '{stage}' has no sums per block of tokens: an older longrope scored it")
        tables.append([struct.unpack(f"<{len(blob) // 4}f", blob) for (blob,) in blobs])
        nats.append(mean)
    return tables, nats


def kendall_tau(left, right):
    """Kendall's tau-a of two lists of scores."""
    pairs = list(itertools.combinations(range(len(left)), 2))
    signs = (math.copysign(1, left[a] - left[b]) * math.copysign(1, right[a] - right[b]) for a, b in pairs)
    return sum(signs) / len(pairs)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", metavar="RUN", help="folders of runs")
    parser.add_argument("--stage", default="bayesian", help="stage of the runs (default: %(default)s)")
    parser.add_argument("--best", type=int, default=32, metavar="N", help="tables of each run (default: %(default)s)")
    arguments = parser.parse_args()
    if arguments.best < 2:
        parser.error("--best: at least 2 tables are required")

    runs = [best_tables(run, arguments.stage, arguments.best) for run in arguments.runs]
    windows = min(len(table) for tables, _ in runs for table in tables)
    blocks = min(len(window) for tables, _ in runs for table in tables for window in table)
    lengths = [blocks >> halvings for halvings in range(blocks.bit_length() - 1, -1, -1)]
    print("| windows | tokens of each | share of all | tau | loss |\n| ---: | ---: | ---: | ---: | ---: |")
    for count, length in itertools.product(range(1, windows + 1), lengths):
        taus, losses = [], []
        for tables, nats in runs:
            for chosen in itertools.combinations(range(windows), count):
                part = [sum(sum(table[window][:length]) for window in chosen) for table in tables]
                taus.append(kendall_tau(part, nats))
                first = min(range(len(part)), key=part.__getitem__)
                losses.append(math.expm1(nats[first] - nats[0]))
        share = count * length / (windows * blocks)
        tau, loss = statistics.mean(taus), statistics.mean(losses)
        print(f"| {count} | {length * BLOCK} | {share:.0%} | {tau:.2f} | {loss:.2%} |")


if __name__ == "__main__":
    main()
