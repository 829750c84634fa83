"""tokenizer.json as longrope reads it against the tokenizers library.

Small tokenizers of each kind are trained here. `longrope tokenize` writes the tokens of texts, which must be those of
Tokenizer.encode(): of prose, source code, random Unicode strings, and special tokens within texts. With ../shared it
reads books and the tokenizer of SmolLM2 too. TOKENIZER_JSON_STRINGS is how many random strings each kind gets (1500),
TOKENIZER_JSON_BYTES how many bytes of books (300000).
"""

import json
import os
import random
import subprocess
import unicodedata

import numpy as np
import pytest
from program import CORPUS, LONGROPE, SOURCE
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

SHARED = SOURCE.parent / "shared"
STRINGS = int(os.environ.get("TOKENIZER_JSON_STRINGS", 1500))
BYTES = int(os.environ.get("TOKENIZER_JSON_BYTES", 300_000))
VOCABULARY = 1200
SEPARATOR = "<|sep|>"  # a special token: what stands between two of them is tokenized alone

CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
LLAMA3 = CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = LLAMA3.replace("{1,3}", "")
DEEPSEEK3 = (
    r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*"""
    r"""|\s*[\r\n]+|\s+(?!\S)|\s+"""
)
DEEPSEEK1 = [
    r"[\r\n]",
    r"\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕ𐐀-𐑏𐒰-𐓓𞤀-𞥃]+",
    r"\s?[!-/:-~！-／：-～‘-‟　-。]+",
    r"\s+$",
    r"[一-龥ࠀ-一가-퟿]+",
]  # fmt: skip
GPT4O = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+" + CONTRACTIONS + "?"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*" + CONTRACTIONS + "?"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
TEKKEN = GPT4O.replace(CONTRACTIONS + "?", "").replace("{1,3}", "")


def split(pattern, behavior="isolated", invert=False):
    return pre_tokenizers.Split(Regex(pattern), behavior, invert)


def sequence(*steps):
    return pre_tokenizers.Sequence(list(steps))


BYTE_LEVEL = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)

# Byte-level tokenizers: a normalizer and a pre-tokenizer each.
BYTE_LEVEL_KINDS = {
    "gpt2": (None, pre_tokenizers.ByteLevel(add_prefix_space=False)),
    "gpt2-prefix": (None, pre_tokenizers.ByteLevel(add_prefix_space=True)),
    "smollm": (None, sequence(pre_tokenizers.Digits(True), pre_tokenizers.ByteLevel(add_prefix_space=False))),
    "digits": (None, sequence(pre_tokenizers.Digits(False), BYTE_LEVEL)),
    "llama3": (None, sequence(split(LLAMA3), BYTE_LEVEL)),
    "qwen2": (normalizers.NFC(), sequence(split(QWEN2), BYTE_LEVEL)),
    "deepseek3": (normalizers.Sequence([]), sequence(split(r"\p{N}{1,3}"), split("[一-龥\u3040-ゟ゠-ヿ]+"),
                                                     split(DEEPSEEK3), BYTE_LEVEL)),
    "deepseek1": (None, sequence(*map(split, DEEPSEEK1), pre_tokenizers.Digits(True), BYTE_LEVEL)),
    "phi4": (None, sequence(split(GPT4O, "removed", True), BYTE_LEVEL)),
    "tekken": (None, sequence(split(TEKKEN), BYTE_LEVEL)),
    "previous": (None, sequence(split(r"\s", "merged_with_previous"), BYTE_LEVEL)),
    "next": (None, sequence(split(r"[\r\n]+|\p{P}", "merged_with_next"), BYTE_LEVEL)),
    "contiguous": (None, sequence(split(r"\p{Lu}", "contiguous"), split(r"\d\d", "contiguous", True), BYTE_LEVEL)),
    "removed": (None, sequence(split(r"[aeiou]|\p{M}", "removed"), BYTE_LEVEL)),
    "inverted": (None, sequence(split(r"\p{L}+", "merged_with_previous", True), split("th?e", "merged_with_next", True),
                                BYTE_LEVEL)),
}  # fmt: skip

SPIECE = "\u2581"
# Tokenizers of characters, with bytes for what is no token: the same, and whether there are bytes at all.
CHARACTER_KINDS = {
    "llama2": (normalizers.Sequence([normalizers.Prepend(SPIECE), normalizers.Replace(" ", SPIECE)]), None, True),
    "llama2-first": (None, pre_tokenizers.Metaspace(SPIECE, "first", split=False), True),
    "gemma": (normalizers.Replace(" ", SPIECE), pre_tokenizers.Split(" ", "merged_with_previous"), True),
    "metaspace": (normalizers.NFC(), pre_tokenizers.Metaspace(SPIECE, "always", split=True), True),
    "never": (None, pre_tokenizers.Metaspace(SPIECE, "never", split=True), False),
    "fused": (normalizers.Replace(Regex(r"\s+|x(?=y)"), " "), pre_tokenizers.Metaspace(SPIECE, "first"), False),
    "unfused": (normalizers.Prepend("ab"), None, False),
}
KINDS = [*BYTE_LEVEL_KINDS, *CHARACTER_KINDS]


def source_code():
    return [path.read_text(encoding="utf-8") for path in sorted((SOURCE / "search/cli").glob("*.c"))]


def prose():
    return [path.read_text(encoding="utf-8") for path in CORPUS]


def trained(normalizer, pre_tokenizer, special, alphabet):
    tokenizer = Tokenizer(models.BPE())
    if normalizer:
        tokenizer.normalizer = normalizer
    if pre_tokenizer:
        tokenizer.pre_tokenizer = pre_tokenizer
    trainer = trainers.BpeTrainer(vocab_size=VOCABULARY, special_tokens=special, initial_alphabet=alphabet,
                                  max_token_length=12, show_progress=False)  # fmt: skip
    lines = [line for text in [*prose()[:3], *source_code()[:4]] for line in text.splitlines(keepends=True)]
    tokenizer.train_from_iterator(lines, trainer)
    return tokenizer


def byte_level(name):
    tokenizer = trained(*BYTE_LEVEL_KINDS[name], ["<|begin|>", "<|end|>"], pre_tokenizers.ByteLevel.alphabet())
    tokenizer.add_special_tokens([SEPARATOR, "<|end|>more"])
    if name == "llama3":
        template = processors.TemplateProcessing(
            single="<|begin|> $A", pair="<|begin|> $A $B", special_tokens=[("<|begin|>", 0)])  # fmt: skip
        tokenizer.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), template])
    if name == "qwen2":
        tokenizer.post_processor = processors.TemplateProcessing(
            single="$A <|end|>", pair="$A $B", special_tokens=[("<|end|>", 1)])  # fmt: skip
    document = json.loads(tokenizer.to_str())
    document["model"]["ignore_merges"] = name in ("llama3", "tekken")
    if name.startswith("gpt2"):  # older files
        document["model"]["merges"] = [" ".join(pair) for pair in document["model"]["merges"]]
        document["model"]["continuing_subword_prefix"] = document["model"]["end_of_word_suffix"] = ""
    return document


def character_level(name):
    normalizer, pre_tokenizer, has_bytes = CHARACTER_KINDS[name]
    special = ["<unk>", "<s>", "</s>", *[f"<0x{byte:02X}>" for byte in range(256) if has_bytes]]
    tokenizer = trained(normalizer, pre_tokenizer, special, [])
    tokenizer.add_special_tokens([SEPARATOR])
    if name == "llama2":
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<s> $A", pair="<s> $A $B", special_tokens=[("<s>", 1)])  # fmt: skip
    document = json.loads(tokenizer.to_str())
    document["added_tokens"] = [token for token in document["added_tokens"] if not token["content"].startswith("<0x")]
    model = document["model"]
    model["byte_fallback"] = has_bytes
    model["unk_token"] = None if name == "never" else "<unk>"
    model["fuse_unk"] = name in ("llama2", "llama2-first", "gemma", "fused")
    return document


@pytest.fixture(scope="session")
def tokenizers_of(tmp_path_factory):
    """tokenizers_of(KIND): the path of its tokenizer.json."""
    root, made = tmp_path_factory.mktemp("tokenizers"), {}

    def make(kind):
        if kind not in made:
            document = byte_level(kind) if kind in BYTE_LEVEL_KINDS else character_level(kind)
            made[kind] = root / kind / "tokenizer.json"
            made[kind].parent.mkdir()
            made[kind].write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
        return made[kind]

    return make


# ---- texts ----

SPACES = "\t\n\v\f\r \x85\xa0\u1680\u2000\u2007\u200a\u2028\u2029\u202f\u205f\u3000"
NEAR_SPACES = "\u180e\u200b\u200c\u200d\u2060\ufeff\x1c\x1f"
MARKS = "".join(chr(c) for c in range(0x110000) if unicodedata.combining(chr(c)))
EMOJI = ["\U0001f600", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001f1e9\U0001f1ea", "\u2764\ufe0f",
         "\U0001f44d\U0001f3fd"]  # fmt: skip
WORDS = ["the", "The", "don't", "DON'T", "I'll", "we've", "it\u2019s", "'\u017f", "'re", "x'LL", "12345", "\u0661\u0662",
         "\u216b", "\u00bd", "\u4e2d\u6587", "\u3053\u3093\u306b\u3061\u306f", "\ud55c\uad6d\uc5b4", "\u1112\u1161\u11ab",
         "na\u00efve", "e\u0301\u0323", "a\u0345\u0301", "\ufb01", "\u212b", "\u1e9b\u0323", "\u01c5", "\u02b0", "_", "::",
         "->", "!=", "/*", "//", "{}", "\\n", "\r\n", "\n\n", "    ", "\t\t", "xy", "<s>", "</s>", "<0x0A>", "\u2581",
         "\u2581\u2581", "<|", "|>", "<|end|>", "<|begin|>"]  # fmt: skip


def random_character(generator):
    kind = generator.randrange(10)
    if kind < 3:
        return chr(generator.randrange(1, 128))
    if kind == 3:
        return generator.choice(SPACES + NEAR_SPACES)
    if kind == 4:
        return generator.choice(MARKS)
    if kind == 5:
        return chr(generator.randrange(0x80, 0x800))
    if kind == 6:
        code = generator.randrange(0x800, 0xF800)
        return chr(code if code < 0xD800 else code + 0x800)  # no surrogates
    if kind == 7:
        return chr(generator.randrange(0x10000, 0x20000))
    return chr(generator.randrange(0x20000, 0x110000)) if kind == 8 else chr(generator.randrange(1, 32))


def random_string(generator):
    parts = []
    for _ in range(generator.randrange(1, 12)):
        kind = generator.randrange(8)
        if kind < 3:
            parts.append(generator.choice(WORDS))
        elif kind == 3:
            parts.append(generator.choice(EMOJI))
        elif kind == 4:
            parts.append(generator.choice(SPACES + "    \n") * generator.choice([1, 1, 2, 3, 5, 30]))
        else:
            parts += [random_character(generator) for _ in range(generator.randrange(1, 6))]
    return "".join(parts)


def strings(count, seed=3):
    generator = random.Random(seed)
    return [random_string(generator) for _ in range(count)]


# ---- comparing ----


def tokenize(folder, path, texts):
    """What `longrope tokenize` makes of each text."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for i, text in enumerate(texts):
        files.append(folder / f"{i:05}.txt")
        files[-1].write_bytes(text.encode())
    several = len(texts) > 1
    out = folder / ("out" if several else "out.npy")
    done = subprocess.run([LONGROPE, "tokenize", "--tokenizer", path, "--text", *files, "--out", out, "--force"],
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [np.load(out / f"{file.stem}.npy" if several else out).tolist() for file in files]


def assert_equal(path, texts, tokens):
    reference = Tokenizer.from_file(str(path))
    for text, ours in zip(texts, tokens):
        theirs = reference.encode(text)
        if ours == theirs.ids:
            continue
        at = next((i for i, (a, b) in enumerate(zip(ours, theirs.ids)) if a != b), min(len(ours), len(theirs.ids)))
        place = theirs.offsets[min(at, len(theirs.ids) - 1)][0]
        near = text[max(0, place - 30) : place + 30]
        pytest.fail(f"{path.parent.name}: token {at} near {near!a}: {ours[at - 2 : at + 5]}, not {theirs.ids[at - 2 : at + 5]}")


def assert_same(folder, path, texts):
    assert_equal(path, texts, tokenize(folder, path, texts))


@pytest.mark.parametrize("kind", KINDS)
def test_kinds(tmp_path, tokenizers_of, kind):
    path = tokenizers_of(kind)
    together = SEPARATOR.join(strings(STRINGS))
    alone = [*strings(60, seed=4), " ", "\n", "a", "  a", SPIECE, f"{SEPARATOR} a", "x y", "xyx"]
    few = [text + SEPARATOR for text in alone]  # a text without tokens is refused
    assert_same(tmp_path, path, [*prose(), *source_code(), together, *few])


def books():
    paths = sorted((SHARED / "books").glob("*/*.txt"))
    if not paths:
        pytest.skip("../shared/books is absent")
    texts, size = [], 0
    for path in paths:
        texts.append(path.read_bytes()[: BYTES - size].decode(errors="ignore"))
        size += len(texts[-1].encode())
        if size + 4 > BYTES:
            break
    return texts


@pytest.mark.parametrize("kind", ["gpt2", "llama3", "qwen2", "deepseek3", "llama2", "gemma"])
def test_books(tmp_path, tokenizers_of, kind):
    assert_same(tmp_path, tokenizers_of(kind), books())


def test_smollm2(tmp_path, smollm2):
    path = smollm2 / "smollm2/tokenizer.json"
    assert_same(tmp_path, path, [*books(), *prose(), *source_code(), *strings(40)])
    assert_same(tmp_path, path, ["\n".join(strings(STRINGS, seed=5))])


# ---- sets of characters: each one alone, also those that Unicode assigned lately ----

# Planes 0 and 1 without the middles of large blocks, and the ends of the blocks of plane 2 and 3.
CHARACTERS = [*range(1, 0x3500), *range(0x9F00, 0xAC80), *range(0xD780, 0xD800), *range(0xF8F0, 0x17100),
              *range(0x18C00, 0x20100), *range(0x2A6D0, 0x2A750), *range(0x2B730, 0x2B830), *range(0x2CEA0, 0x2CEC0),
              *range(0x2EBD0, 0x2EE70), *range(0x2F7F0, 0x2FA30), *range(0x30000, 0x30010), *range(0x31340, 0x31360),
              *range(0x323A0, 0x323C0), 0xE0001, 0xE0100, 0xF0000, 0x10FFFF]  # fmt: skip
PROPERTIES = """L Lu Ll Lt Lm Lo M N Nd Nl No P Pc Pd Ps Pe Pi Pf Po S Sm Sc Sk So Z Zs Zl Zp Han Hiragana
    Katakana""".split()
SETS = [*(rf"\p{{{name}}}" for name in PROPERTIES), r"\d", r"\s", r"\D", r"\S", r"\P{L}", r"[^\s\p{Lu}]",
        r"[\S]", r"[\d\-]", ".", "(?i:s)", "(?i:[skx])", "[\u0100-\u2000]"]  # fmt: skip


def write(path, pre_tokenizer, normalizer=None, added=()):
    """A tokenizer in which each piece is "x" and then one unknown token for all else."""
    tokenizer = Tokenizer(models.BPE({"<unk>": 0, "x": 1}, [], unk_token="<unk>", fuse_unk=True))
    if normalizer:
        tokenizer.normalizer = normalizer
    if pre_tokenizer:
        tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.add_special_tokens([SEPARATOR])
    tokenizer.add_tokens([*added])
    tokenizer.save(str(path))
    return path


@pytest.mark.parametrize("regex", SETS)
def test_sets(tmp_path, regex):
    """Where a character is of the set, it is a piece of its own."""
    path = write(tmp_path / "tokenizer.json", split(regex))
    assert_same(tmp_path, path, ["".join(f"x{chr(c)}{chr(c)}" for c in CHARACTERS)])


def test_digits(tmp_path):
    path = write(tmp_path / "tokenizer.json", pre_tokenizers.Digits(True))
    assert_same(tmp_path, path, ["".join(f"x{chr(c)}{chr(c)}" for c in CHARACTERS)])


def test_characters_beside_added_tokens(tmp_path):
    """Which are of words, and which are white space."""
    added = [AddedToken("QQ", single_word=True, normalized=False), AddedToken("LL", lstrip=True, normalized=False),
             AddedToken("RR", rstrip=True, normalized=False)]  # fmt: skip
    path = write(tmp_path / "tokenizer.json", None, None, added)
    for pattern in ("{}QQ", "QQ{}", "x{}LL", "RR{}x"):
        assert_same(tmp_path, path, ["".join(SEPARATOR + pattern.format(chr(c)) for c in CHARACTERS)])


def test_nfc(tmp_path):
    """Each character beside marks that it could be exchanged with or be composed with."""
    tokenizer = Tokenizer(models.BPE({c: i for i, c in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}, []))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizers.NFC(), BYTE_LEVEL
    path = tmp_path / "tokenizer.json"
    tokenizer.save(str(path))
    for pattern in ("a\u0345{}", "a{}\u0334", "{}\u0307\u0301", "{}\u0323\u0301"):
        assert_same(tmp_path, path, [" ".join(pattern.format(chr(c)) for c in CHARACTERS)])
    composed = [c for c in range(0xA0, 0x30000) if not 0xD800 <= c < 0xE000 and unicodedata.decomposition(chr(c))]
    assert_same(tmp_path, path, [" ".join(unicodedata.normalize("NFD", chr(c)) for c in composed)])
    assert_same(tmp_path, path, ["a" + "\u0345\u0301\u0323" * 5000 + "\u1112\u1161\u11ab" * 100])


# ---- added tokens ----


def test_added_tokens(tmp_path):
    added = [
        AddedToken("<a>", normalized=False), AddedToken("<a><b>", normalized=False), AddedToken("<b>x", normalized=False),
        AddedToken("left", lstrip=True, normalized=False), AddedToken("right", rstrip=True, normalized=False),
        AddedToken("both", lstrip=True, rstrip=True, normalized=False), AddedToken("\n\n", normalized=False),
        AddedToken("word", single_word=True, normalized=False), AddedToken("\u00e9", normalized=True),
        AddedToken("two words", normalized=True), AddedToken("\u4e2d", single_word=True, lstrip=True, normalized=True),
        AddedToken("\u00a0", lstrip=True, rstrip=True, normalized=False),
    ]  # fmt: skip
    normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Replace(" ", SPIECE)])
    kinds = {"both": (normalizer, pre_tokenizers.Metaspace(SPIECE, "first")), "none": (None, None),
             "prepend": (normalizers.Prepend("x"), None), "always": (None, pre_tokenizers.Metaspace(SPIECE, "always"))}  # fmt: skip
    words = ["<a>", "<b>", "x", " ", "  ", "\n", "\n\n", "left", "right", "both", "word", "words", "two words", "two", "e\u0301",
             "\u00e9", "\u4e2d", "a", "_", ".", "\u3000", "\u00a0", "\U0001f600"]  # fmt: skip
    generator = random.Random(8)
    texts = ["".join(generator.choice(words) for _ in range(generator.randrange(1, 30))) + SEPARATOR for _ in range(60)]
    for name, (normalizer, pre_tokenizer) in kinds.items():
        (tmp_path / name).mkdir()
        path = write(tmp_path / name / "tokenizer.json", pre_tokenizer, normalizer, added)
        assert_same(tmp_path / name, path, texts)


# ---- the tokens around a text, as transformers puts them ----


@pytest.mark.parametrize("template", ["none", "begin", "both"])
@pytest.mark.parametrize("config", [
    {}, {"add_bos_token": True}, {"add_bos_token": False}, {"add_bos_token": None}, {"add_eos_token": True},
    {"add_bos_token": True, "add_eos_token": True}, {"add_bos_token": True, "bos_token": None},
    {"add_bos_token": True, "bos_token": {"__type": "AddedToken", "content": "<|end|>"}},
])  # fmt: skip
def test_ends(tmp_path, tokenizers_of, template, config):
    transformers = pytest.importorskip("transformers")
    document = json.loads(tokenizers_of("gpt2").read_text(encoding="utf-8"))
    begin, text, end = ({"SpecialToken": {"id": "<|begin|>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                        {"SpecialToken": {"id": "<|end|>", "type_id": 0}})  # fmt: skip
    single = {"none": [text], "begin": [begin, text], "both": [begin, text, end]}[template]
    specials = {name: {"id": name, "ids": [i], "tokens": [name]} for i, name in enumerate(["<|begin|>", "<|end|>"])}
    document["post_processor"] = {"type": "TemplateProcessing", "single": single, "pair": [
        text, {"Sequence": {"id": "B", "type_id": 1}}], "special_tokens": specials}  # fmt: skip
    (tmp_path / "tokenizer.json").write_text(json.dumps(document))
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<|begin|>", "eos_token": "<|end|>", **config}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)("some text")["input_ids"]
    (ours,) = tokenize(tmp_path / "text", tmp_path / "tokenizer.json", ["some text"])
    assert ours == theirs
