#!/usr/bin/env python3
"""Makes items of multiple choice from any text: which sentence comes next?

The context of an item is a passage of a text that ends with a sentence. The choices are the sentence behind it and
others from elsewhere in the same text, in random order. Nothing but the text is required, so a model can be tested in
its own language and subject; a text that the model was not trained on says most.

    continuations.py BOOK.txt... >sentences.jsonl
    longrope choice --model MODEL --tasks sentences.jsonl --method none,yarn

Equal arguments give equal items, also with another version of Python.
"""

import argparse
import json
import re
import sys
from pathlib import Path

# A sentence ends with a mark, perhaps closing quotes, and white space before a capital, a digit or an opening quote.
BORDER = re.compile(r"(?<=[.!?…])([\"'”’»)\]]*)\s+(?=[\"'“‘«(\[]*[^\W\d_a-z]|[\"'“‘«(\[]*\d)")


class Draws:
    """Random numbers of splitmix64, which do not depend on the version of Python."""

    def __init__(self, seed):
        self.state = seed

    def next(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) % 2**64
        z = self.state
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
        return z ^ (z >> 31)

    def below(self, count):
        """0..count-1; count is so small against 2^64 that the remainder is as good as uniform."""
        return self.next() % count

    def shuffle(self, items):
        for i in range(len(items) - 1, 0, -1):
            j = self.below(i + 1)
            items[i], items[j] = items[j], items[i]


def sentences_of(text):
    """The sentences in order, with blanks and line ends in a row as one blank."""
    pieces = BORDER.split(re.sub(r"\s+", " ", text).strip())  # sentence, closing quotes, sentence, ...
    ends = pieces[1::2] + [""]
    return [sentence + end for sentence, end in zip(pieces[::2], ends)]


def context_before(sentences, index, characters):
    """The sentences before `index`, as many as are needed for so many characters; None where there are too few."""
    first, size = index, 0
    while first > 0 and size < characters:
        first -= 1
        size += len(sentences[first]) + 1
    return " ".join(sentences[first:index]) if size >= characters else None


def draw_item(sentences, usable, arguments, draws):
    """None if the draw is not usable."""
    right = usable[draws.below(len(usable))]
    context = context_before(sentences, right, arguments.context)
    if context is None:
        return None
    choices = [sentences[right]]
    for _ in range(100 * arguments.choices):
        other = usable[draws.below(len(usable))]
        if sentences[other] not in choices and sentences[other] not in context:
            choices.append(sentences[other])
        if len(choices) == arguments.choices:
            break
    else:
        return None
    order = list(range(len(choices)))
    draws.shuffle(order)
    return right, {"context": context, "choices": [choices[i] for i in order], "answer": order.index(0),
                   "delimiter": " "}  # fmt: skip


def items_of(path, arguments, draws):
    sentences = sentences_of(path.read_text(encoding="utf-8"))
    usable = [i for i, s in enumerate(sentences) if arguments.least <= len(s) <= arguments.most]
    items, taken = [], set()
    for _ in range(50 * arguments.items):
        if len(items) == arguments.items or not usable:
            break
        drawn = draw_item(sentences, usable, arguments, draws)
        if drawn and drawn[0] not in taken:
            taken.add(drawn[0])
            items.append(drawn[1] | {"task": arguments.task})
    if len(items) < arguments.items:
        sys.exit(f"{path}: gives only {len(items)} of {arguments.items} items; lower --items or --context, or name a longer text")
    return items


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("texts", nargs="+", type=Path, metavar="TEXT", help="texts in UTF-8")
    parser.add_argument("--items", type=int, default=100, help="items per text (100)")
    parser.add_argument("--choices", type=int, default=4, help="choices per item (4)")
    parser.add_argument("--context", type=int, default=400, help="characters of context, at least (400)")
    parser.add_argument("--least", type=int, default=30, help="characters of a choice, at least (30)")
    parser.add_argument("--most", type=int, default=200, help="characters of a choice, at most (200)")
    parser.add_argument("--task", default="next-sentence", help="name of the task (next-sentence)")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    if arguments.items < 1 or arguments.choices < 2 or arguments.context < 1:
        parser.error("--items and --context must be at least 1, --choices at least 2")
    draws = Draws(arguments.seed)
    try:
        for path in arguments.texts:
            for item in items_of(path, arguments, draws):
                print(json.dumps(item, ensure_ascii=False))
    except (OSError, UnicodeDecodeError) as error:
        sys.exit(f"{path}: {error}")


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")
    main()
