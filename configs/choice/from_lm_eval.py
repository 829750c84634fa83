#!/usr/bin/env python3
"""Turns samples that lm-evaluation-harness logged into items for `longrope choice`.

    lm_eval run --model dummy --tasks arc_easy,hellaswag,mmlu,truthfulqa_mc1 --output_path logged --log_samples
    from_lm_eval.py $(find logged -name 'samples_*.jsonl') >items.jsonl

`--model dummy` answers at random, so no model is required: the prompts are what counts, few-shot examples included.
Any task of multiple choice whose choices follow one context can be read, such as ARC, HellaSwag, MMLU and TruthfulQA
(mc1). Tasks whose context differs between choices, as WinoGrande's, cannot.
"""

import argparse
import json
import re
import sys
from pathlib import Path

NAME = re.compile(r"samples_(.+)_\d{4}-\d{2}-\d{2}T[\d.:-]+$")


class Unusable(Exception):
    """Why a sample is no item."""


def arguments_of(sample):
    """The pairs (context, continuation), one per choice."""
    arguments = sample["arguments"]
    if isinstance(arguments, dict):  # {"gen_args_0": {"arg_0": context, "arg_1": continuation}, ...}
        arguments = [list(arguments[f"gen_args_{i}"].values()) for i in range(len(arguments))]
    if not all(len(pair) == 2 and all(isinstance(text, str) for text in pair) for pair in arguments):
        raise Unusable("its arguments are not pairs of context and continuation: is this a task of multiple choice?")
    return arguments


def answer_of(target, choices):
    index = int(target) if re.fullmatch(r"\d+", str(target)) and int(target) < len(choices) else None
    if isinstance(target, str) and index is not None and target in choices and choices[index] != target:
        raise Unusable(f"its target {target!r} is the index of one choice and the text of another")
    if index is not None:
        return index
    if choices.count(target) == 1:
        return choices.index(target)
    raise Unusable(f"its target {target!r} is neither the index nor the text of one choice")


def item_of(sample, task):
    pairs = arguments_of(sample)
    contexts = {context for context, _ in pairs}
    if len(contexts) != 1:
        raise Unusable("its choices have different contexts, or none")
    continuations = [continuation for _, continuation in pairs]
    delimiter = " " if all(text.startswith(" ") for text in continuations) else ""
    choices = [text[len(delimiter) :] for text in continuations]
    return {"context": contexts.pop(), "choices": choices, "answer": answer_of(sample["target"], choices),
            "task": task, "delimiter": delimiter}  # fmt: skip


def items_of(path, task):
    """One item per document, though the file has a line per filter."""
    match = NAME.match(path.stem)
    task = task or (match.group(1) if match else path.stem)
    seen = set()
    with path.open(encoding="utf-8", newline="\n") as lines:
        for number, line in enumerate(lines, 1):
            try:
                sample = json.loads(line)
                if sample["doc_id"] in seen:
                    continue
                seen.add(sample["doc_id"])
                yield item_of(sample, task)
            except (ValueError, KeyError, TypeError, Unusable) as error:
                why = f"has no {error}" if isinstance(error, KeyError) else error
                sys.exit(f"{path}:{number}: {why}; name files that `lm_eval run --log_samples` wrote")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("samples", nargs="+", type=Path, metavar="SAMPLES.jsonl")
    parser.add_argument("--task", help="name of the task (default: as the file's name says)")
    parser.add_argument("--limit", type=int, help="take the first so many items of each file")
    arguments = parser.parse_args()
    try:
        for path in arguments.samples:
            for count, item in enumerate(items_of(path, arguments.task)):
                if count == arguments.limit:
                    break
                print(json.dumps(item, ensure_ascii=False))
    except OSError as error:
        sys.exit(f"{path}: {error.strerror}")


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")
    main()
