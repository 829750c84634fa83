"""Documents, and the training windows cut from them."""

import hashlib
import random
from fractions import Fraction
from pathlib import Path

import numpy as np

from table import WrongInput

BYTE_VOCABULARY = 384  # at most: a model with so few tokens and no tokenizer reads bytes
TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json")


def read_documents(text: list[Path], tokens: list[Path], model: Path, vocabulary: int) -> list[np.ndarray]:
    """One integer array a document. A folder among `text` stands for its .txt files."""
    files = []
    for path in text:
        found = sorted(path.rglob("*.txt")) if path.is_dir() else [path]
        if not found:
            raise WrongInput(f"{path}: holds no .txt file")
        files += found
    tokenize = tokenizer_of(model, vocabulary) if files else None
    documents = [read_text(path, tokenize) for path in files] + [read_npy(path) for path in tokens]
    if not documents:
        raise WrongInput("nothing to train on; give --text or --tokens")
    for path, document in zip([*files, *tokens], documents):
        if len(document) and not 0 <= int(document.min()) <= int(document.max()) < vocabulary:
            raise WrongInput(
                f"{path}: tokens reach from {document.min()} to {document.max()}, and the model has {vocabulary}; "
                "tokenize it with the model's own tokenizer"
            )
    return documents


def tokenizer_of(model: Path, vocabulary: int):
    """bytes -> array of tokens."""
    if any((model / name).exists() for name in TOKENIZERS):
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(model, local_files_only=True)
        # Windows get their own BOS and EOS.
        return lambda data: np.array(tokenizer(data.decode("utf-8"), add_special_tokens=False)["input_ids"], np.int32)
    if vocabulary <= BYTE_VOCABULARY:
        return lambda data: np.frombuffer(data, np.uint8)
    raise WrongInput(f"{model}: has no tokenizer ({', '.join(TOKENIZERS)}); give --tokens instead of --text")


def read_text(path: Path, tokenize) -> np.ndarray:
    try:
        return tokenize(path.read_bytes())
    except (OSError, UnicodeDecodeError) as error:
        raise WrongInput(f"{path}: cannot be read as UTF-8 text: {error}") from None


def read_npy(path: Path) -> np.ndarray:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise WrongInput(f"{path}: cannot be read as .npy: {error}") from None
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise WrongInput(f"{path}: holds {array.dtype} {list(array.shape)}; one dimension of integers is wanted")
    return array


def fingerprint(documents: list[np.ndarray]) -> str:
    digest = hashlib.sha256()
    for document in documents:
        digest.update(f"{document.dtype} {len(document)};".encode())
        for start in range(0, len(document), 1 << 24):
            digest.update(np.ascontiguousarray(document[start : start + (1 << 24)]))
    return digest.hexdigest()


class Windows:
    """Window number k, for every k >= 0, of `length` tokens.

    Documents are cut into windows end to end and these are shuffled; when all were used, the next epoch
    cuts at other places and shuffles anew. Window k depends on the seed and k alone, so that neither
    interruptions nor the number of processes change what is trained on.
    """

    def __init__(self, documents, length, seed, bos=None, eos=None, join=False):
        self.length, self.seed, self.bos, self.eos = length, seed, bos, eos
        self.inner = length - (bos is not None) - (eos is not None)
        if join:
            documents = [np.concatenate([np.asarray(d, np.int32) for d in documents])]
        self.documents = [d for d in documents if len(d) >= self.inner]
        self.per_epoch = sum(len(d) // self.inner for d in self.documents)
        if not self.per_epoch:
            longest = max(len(d) for d in documents)
            raise WrongInput(
                f"no document has {self.inner} tokens, the longest {longest}; give longer ones, or join them (--join)"
            )
        self.epoch, self.starts = None, None

    def __getitem__(self, k: int) -> np.ndarray:
        """int64 [length]"""
        epoch, place = divmod(k, self.per_epoch)
        if epoch != self.epoch:
            self.epoch, self.starts = epoch, self.cut(epoch)
        document, start = self.starts[place]
        inner = self.documents[document][start : start + self.inner].astype(np.int64)
        bos = [] if self.bos is None else [self.bos]
        eos = [] if self.eos is None else [self.eos]
        return np.concatenate([np.array(bos, np.int64), inner, np.array(eos, np.int64)])

    def cut(self, epoch: int) -> list[tuple[int, int]]:
        rng = random.Random(f"{self.seed}/{epoch}")  # seeded by text, by a hash that is the same everywhere
        starts = []
        for number, document in enumerate(self.documents):
            count = len(document) // self.inner
            first = rng.randrange(len(document) - count * self.inner + 1)
            starts += [(number, first + i * self.inner) for i in range(count)]
        rng.shuffle(starts)
        return starts


class Slots:
    """Slot number k, for every k >= 0: what a process computes at a time, a long window or several short ones.

    Without `short` and `keys` slot k is window k. With `keys`, `key_share` of the slots hold pass-key prompts; with
    `short`, `share` of the others hold as many short windows as have no more tokens than a long one. Both are evenly
    spread. Slot k depends on k alone, as windows do.
    """

    def __init__(self, long: Windows, short: Windows | None = None, share=0.0, short_weight=1.0, *, keys=None, key_share=0.0,
                 key_weight=1.0):  # fmt: skip
        self.long, self.short, self.share, self.short_weight = long, short, Fraction(str(share)), short_weight
        self.keys, self.key_share, self.key_weight = keys, Fraction(str(key_share)), key_weight
        self.rows = long.length // short.length if short else 0  # windows of a short slot

    def windows(self) -> list[Windows]:
        return [self.long, self.short] if self.short else [self.long]

    def keys_before(self, k: int) -> int:
        return int(k * self.key_share)

    def shorts_before(self, k: int) -> int:
        return int((k - self.keys_before(k)) * self.share)

    def kind(self, k: int) -> str:
        """long, short or key"""
        if self.keys_before(k + 1) > self.keys_before(k):
            return "key"
        return "short" if self.shorts_before(k + 1) > self.shorts_before(k) else "long"

    def kinds(self) -> list[str]:
        return ["long", *(["short"] if self.short else []), *(["key"] if self.keys else [])]

    def length_of(self, k: int) -> int:
        """Tokens of each window of the slot."""
        kind = self.kind(k)
        if kind == "key":
            return self.keys.length_of(self.keys_before(k))
        return self.short.length if kind == "short" else self.long.length

    def __getitem__(self, k: int) -> np.ndarray:
        """int64 [windows, length]"""
        kind, before = self.kind(k), self.shorts_before(k)
        if kind == "key":
            return self.keys[self.keys_before(k)]
        if kind == "short":
            return np.stack([self.short[before * self.rows + row] for row in range(self.rows)])
        return self.long[k - self.keys_before(k) - before][None]

    def scored(self, k: int) -> int:
        """Of each window of the slot, how many of the last tokens are predicted."""
        return self.keys.answer if self.kind(k) == "key" else self.length_of(k) - 1

    def predicted(self, k: int) -> int:
        """Tokens that are predicted in all windows of the slot."""
        kind = self.kind(k)
        rows = self.keys.rows(self.keys_before(k)) if kind == "key" else self.rows if kind == "short" else 1
        return rows * self.scored(k)

    def weight(self, k: int) -> float:
        """Of one of the slot's predictions. A slot of pass keys weighs `key_weight` times as much as a long window."""
        kind = self.kind(k)
        if kind == "key":
            return self.key_weight * (self.long.length - 1) / self.predicted(k)
        return self.short_weight if kind == "short" else 1

    def predictions(self, slots: range) -> dict[str, int]:
        """Tokens that are predicted in these slots, by kind."""
        return {kind: sum(self.predicted(k) for k in slots if self.kind(k) == kind) for kind in self.kinds()}

    def total_weight(self, slots: range) -> float:
        return sum(self.predicted(k) * self.weight(k) for k in slots)
