#!/usr/bin/env python3
"""tokenize_books.py MODEL OUT TEXT...: writes OUT/NAME.npy, the tokens of each TEXT (NAME.txt).

`longrope eval --tokens` and `data.tokens` read these files. MODEL is a folder with tokenizer.json. A text that has its
file already is not tokenized again. Exit status: 0 done, 2 a file cannot be read.
"""

import os
import sys
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer


def main(model: Path, out: Path, texts: list[Path]) -> None:
    path = model / "tokenizer.json"
    if not path.is_file():
        sys.exit(f"tokenize_books.py: there is no {path}; name the model's folder, see README.md beside this script")
    tokenizer = Tokenizer.from_file(str(path))
    out.mkdir(parents=True, exist_ok=True)
    for text in texts:
        tokens = out / f"{text.stem}.npy"
        if tokens.exists():
            continue
        # Line ends stay as they are, and no BOS is added: SmolLM2 was trained without.
        ids = tokenizer.encode(text.read_bytes().decode("utf-8"), add_special_tokens=False).ids
        aside = tokens.with_name(tokens.name + ".part")
        with aside.open("wb") as file:
            np.save(file, np.array(ids, np.int32))
        os.replace(aside, tokens)
        print(f"{tokens}: {len(ids)} tokens")


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    try:
        main(Path(sys.argv[1]), Path(sys.argv[2]), [Path(word) for word in sys.argv[3:]])
    except (OSError, UnicodeDecodeError) as error:
        print(f"tokenize_books.py: {error}", file=sys.stderr)
        sys.exit(2)
