#!/usr/bin/env python3
"""Fine-tune a model with a table of rescale factors that longrope found.

    python finetune.py --model DIR --factors factors.json --length N --text FILE... --out DIR
    torchrun --nproc-per-node 8 finetune.py ...

Trains all weights on windows of N tokens to predict the next token, with the table in place and fixed,
and writes a Hugging Face folder whose config.json carries the table. `longrope search` runs this where
a stage has a finetune block, and gives the first four options as environment variables.

The defaults are those that the LongRoPE paper (arXiv 2402.13753, section 4.1) states for LLaMA2-7B:
400 steps at 128k tokens with the table searched for 128k, then, from that model, 600 steps at 256k
with the table searched for 256k; learning rate 2e-5 with linear decay, a global batch of 32 windows,
each between a BOS and an EOS token. For Mistral-7B: 400 steps with each table on windows of 16k
(--length 16384 --target-length 131072), constant rate 1e-6, batch 64. The paper says nothing of
warm-up, betas, weight decay and clipping; the defaults are YaRN's (arXiv 2309.00071) where that says
something. A small model wants a higher rate.

--mixed-window trains as LongRoPE2 does (arXiv 2502.20082, section 3.3): a share of the tokens is in windows
of at most the model's own length, with the frequencies that the model had, and the rest in long windows
with the table. config.json then names both, and engines take the one for the length of their input.

--short-teacher keeps what a model was in short windows: there it learns the predictions of the model before the
extension instead of the text (distillation, arXiv 1503.02531; LongReD, arXiv 2502.07365, does so with hidden states).

--key-share puts pass-key prompts among the windows (keys.py). What a model that small learned of copying from far away
it forgets on text alone, where nothing asks for it.

Weights are sharded over the processes of torchrun (FSDP2). A killed run that is started again goes on
from its last checkpoint and ends with the same weights, bit for bit, on as many threads and processes.

Exit status: 0 done, 1 failed, 2 wrong input, 75 stopped by a signal with everything saved: run
the same command again. (torchrun turns each of these but 0 into 1.)
"""

import math
import os
from pathlib import Path

from torch import nn

import store
from keys import Keys
from table import WrongInput, parse_config, read_config, read_table, trained_config
from training import (
    SETTINGS,
    Group,
    Recipe,
    bookends_of,
    build,
    build_teacher,
    carry_out,
    check_training,
    describe_windows,
    main,
    parser_of,
    positive,
    text_options,
    training_options,
)
from windows import Slots, Windows, fingerprint, read_documents, tokenizer_of

# ---- The model ----


class TwoTables(nn.Module):
    """The rotary embedding of long windows and that of short ones; `short` says which is in use."""

    def __init__(self, of_long, of_short):
        super().__init__()
        self.of_long, self.of_short, self.short = of_long, of_short, False

    def forward(self, *arguments, **more):
        return (self.of_short if self.short else self.of_long)(*arguments, **more)


def rotary_of(kind, parsed, args):
    """The rotary embedding of class `kind` with the table; with mixed windows the unchanged model's beside it."""
    if not args.mixed_window:
        return kind(parsed)
    unchanged = kind(read_config(args.model)[1])
    if args.short_attention_factor is not None:
        unchanged.attention_scaling = args.short_attention_factor
    return TwoTables(kind(parsed), unchanged)


def choose_table(rotary, short: bool) -> None:
    if isinstance(rotary, TwoTables):
        rotary.short = short


class ShortTeacher:
    """The model of --short-teacher."""

    def __init__(self, config: dict, slots: Slots, args):
        self.slots, self.model, folder = slots, None, args.short_teacher
        self.config, self.parsed = read_config(folder)
        if self.parsed.vocab_size != config["vocab_size"]:
            raise WrongInput(f"{folder}: has {self.parsed.vocab_size} tokens, and --model has {config['vocab_size']}")
        if self.parsed.max_position_embeddings < args.short_length:
            raise WrongInput(f"{folder}: has a window of {self.parsed.max_position_embeddings}, and short windows have "
                             f"{args.short_length}; give --short-length")  # fmt: skip
        self.weights = store.Weights(folder)

    def build(self, args, group: Group) -> None:
        self.model = build_teacher(self.parsed, self.weights, args, group)

    def lesson(self, slot: int, tokens):
        return self.model(tokens, self.slots.scored(slot)) if self.slots.kind(slot) == "short" else None


# ---- Settings ----


MIXED = ("mixed_window", "short_share", "short_length", "short_attention_factor")
KEYED = ("key_share", "key_lengths", "key_weight")


def settings_of(config: dict, weights, teacher, documents, short_documents, args, group: Group) -> dict:
    """All that the result depends on, but for versions, processor and threads."""
    scaling = config["rope_scaling"]
    prints = group.of_first(
        lambda: (
            weights.fingerprint(),
            fingerprint(documents),
            short_documents and fingerprint(short_documents),
            teacher and teacher.weights.fingerprint(),
        )
    )
    options = (*SETTINGS, *(MIXED if args.mixed_window else ()), *(KEYED if args.key_share else ()))
    return {
        "model": prints[0],
        "data": prints[1],
        **({"short_data": prints[2]} if short_documents else {}),
        **({"short_teacher": prints[3], "short_teacher_config": teacher.config} if teacher else {}),
        **({"short_weight": args.short_weight} if args.short_weight not in (None, 1) else {}),
        "factors": scaling["long_factor"],
        "attention_factor": scaling["attention_factor"],
        **{name: getattr(args, name) for name in options},
        "config": config,  # last: of what differs, the first is named
    }


# ---- Command line ----


def parse():
    parser, option = parser_of("finetune.py", __doc__)
    env = os.environ.get
    option("--model", "folder of the model to start from (or LONGROPE_MODEL)", type=Path, default=env("LONGROPE_MODEL"))
    option("--factors", "factors.json of a longrope run, or a text file of numbers (or LONGROPE_FACTORS)",
           type=Path, default=env("LONGROPE_FACTORS"))  # fmt: skip
    option("--out", "folder to write, and to keep checkpoints in until then (or LONGROPE_OUTPUT)",
           type=Path, default=env("LONGROPE_OUTPUT"))  # fmt: skip
    option("--length", "tokens of a training window (or LONGROPE_LENGTH)", type=positive,
           default=env("LONGROPE_LENGTH"))  # fmt: skip
    option("--target-length", "tokens that the table is for, where windows are shorter (default --length)",
           type=positive)  # fmt: skip
    option("--attention-factor", "instead of the file's; of files that name none, by default sqrt(1 + ln s / ln L0)",
           type=float)  # fmt: skip
    text_options(option)
    option("--mixed-window", "train a share of the tokens in short windows with the frequencies that the model has, as "
           "LongRoPE2 does", action="store_true")  # fmt: skip
    option("--short-share", "of the tokens, with --mixed-window; near enough (default 0.5)", type=float)
    option("--short-length", "tokens of a short window (default: the model's own window)", type=positive)
    option("--short-text", "files or folders to cut short windows from (default: those of long ones)", type=Path,
           nargs="+", default=[])  # fmt: skip
    option("--short-tokens", "the same as .npy files", type=Path, nargs="+", default=[])
    option("--short-attention-factor", "of short windows (default: the unchanged model's, mostly 1)", type=float)
    option("--short-weight", "of a prediction in short windows, in those of the long ones of the same step (default 1)", type=float)
    option("--short-teacher", "folder of a model whose predictions are learned in short windows, instead of the text: the "
           "one before any extension", type=Path)  # fmt: skip
    option("--key-share", "of the windows, to be pass-key prompts (default: none)", type=float)
    option("--key-lengths", "tokens of such prompts (default: --length and its halves down to the model's own window)",
           type=positive, nargs="+")  # fmt: skip
    option("--key-weight", "weight of the keys' digits in one such window, in windows of text of the same step (default 1)", type=float)
    training_options(option, "the paper: 400 at 128k, then 600 at 256k", "highest learning rate", "linear")
    args = parser.parse_args()
    for name, variable in (("model", "MODEL"), ("factors", "FACTORS"), ("out", "OUTPUT"), ("length", "LENGTH")):
        if getattr(args, name) is None:
            parser.error(f"--{name} is missing, and LONGROPE_{variable} is not set")
    return args


def check(args, group: Group) -> None:
    args.target_length = args.target_length or args.length
    if args.target_length < args.length:
        raise WrongInput(f"--length {args.length} is more than --target-length {args.target_length}")
    check_training(args, group)
    if args.attention_factor is not None and not (args.attention_factor > 0 and math.isfinite(args.attention_factor)):
        raise WrongInput(f"--attention-factor {args.attention_factor} is not a positive number")
    check_mixed(args)
    check_keys(args)


def check_mixed(args) -> None:
    """Of the options of mixed windows what can be said without the model."""
    if not args.mixed_window:
        for name in ("short_share", "short_length", "short_text", "short_tokens", "short_attention_factor",
                     "short_weight", "short_teacher"):  # fmt: skip
            if getattr(args, name):
                raise WrongInput(f"--{name.replace('_', '-')} is for --mixed-window, which is not given")
        return
    args.short_share = 0.5 if args.short_share is None else args.short_share
    if not 0 < args.short_share < 1:
        raise WrongInput(f"--short-share {args.short_share} must lie between 0 and 1")
    check_weight("short", args)
    m = args.short_attention_factor
    if m is not None and not (m > 0 and math.isfinite(m)):
        raise WrongInput(f"--short-attention-factor {m} is not a positive number")
    if args.micro_batch != 1:
        raise WrongInput("--micro-batch must be 1 with --mixed-window, where windows differ in length")


def check_weight(kind: str, args) -> None:
    weight = getattr(args, f"{kind}_weight")
    if weight is None:
        return
    if not 0 < weight < math.inf:
        raise WrongInput(f"--{kind}-weight {weight} is not a positive number")
    if args.batch == 1 and weight != 1:
        raise WrongInput(f"--{kind}-weight {weight} changes nothing with --batch 1: it compares the windows of a step")


def check_keys(args) -> None:
    if not args.key_share:
        for name in ("key_lengths", "key_weight"):
            if getattr(args, name):
                raise WrongInput(f"--{name.replace('_', '-')} is for --key-share, which is not given")
        return
    if not 0 < args.key_share < 1:
        raise WrongInput(f"--key-share {args.key_share} must lie between 0 and 1")
    check_weight("key", args)
    args.key_weight = 1.0 if args.key_weight is None else args.key_weight
    if args.micro_batch != 1:
        raise WrongInput("--micro-batch must be 1 with --key-share, where windows differ in length")


def keys_of(config: dict, args) -> dict:
    """What Slots takes of pass keys."""
    if not args.key_share:
        return {}
    if args.key_lengths is None:
        least = min(args.length, config["rope_scaling"]["original_max_position_embeddings"])
        args.key_lengths = [args.length >> halves for halves in range(32) if args.length >> halves >= least]
    if max(args.key_lengths) > args.length:
        raise WrongInput(f"--key-lengths {max(args.key_lengths)} is beyond --length {args.length}")
    tokenize = tokenizer_of(args.model, config["vocab_size"])
    bos, _ = bookends_of(config, args)
    keys = Keys(args.key_lengths, args.length, f"{args.seed}/keys", tokenize, bos)
    return {"keys": keys, "key_share": args.key_share, "key_weight": args.key_weight}


def slots_of(config: dict, documents, short_documents, args) -> Slots:
    bos, eos = bookends_of(config, args)
    long, keys = Windows(documents, args.length, args.seed, bos, eos, args.join), keys_of(config, args)
    if not args.mixed_window:
        return Slots(long, **keys)
    window = config["rope_scaling"]["original_max_position_embeddings"]
    if args.length <= window:
        raise WrongInput(
            f"--length {args.length} is within the model's window of {window}, and with --mixed-window the table is "
            "for longer ones; give a longer --length, or leave out --mixed-window"
        )
    args.short_length = args.short_length or window
    if not 4 <= args.short_length <= window:
        raise WrongInput(f"--short-length {args.short_length} must lie within 4 to the model's window of {window}")
    # Another seed, lest short windows begin where long ones do.
    short = Windows(short_documents or documents, args.short_length, f"{args.seed}/short", bos, eos, args.join)
    return Slots(long, short, args.short_share, args.short_weight or 1.0, **keys)


def introduce(table, config: dict, module, slots: Slots, args, group: Group) -> list[str]:
    scaling, parameters = config["rope_scaling"], sum(p.numel() for p in module.parameters())
    return [
        *(f"note: {note}" for note in notes(table, config, module, args)),
        f"{parameters} parameters, table '{table.name}' for {args.target_length} tokens, {scaling['factor']:g} times "
        f"{scaling['original_max_position_embeddings']}, attention factor {scaling['attention_factor']:.4f}; "
        f"{' and '.join(map(describe_windows, slots.windows()))}{describe_short(args)}{describe_keys(slots)}; "
        f"{group.size} process{'es' * (group.size > 1)} on {group.device.type}, {args.dtype}",
    ]


def describe_short(args) -> str:
    weight = f", each prediction weighing {args.short_weight:g}" if args.short_weight not in (None, 1) else ""
    return weight + (f", learned from {args.short_teacher}" if args.short_teacher else "")


def describe_keys(slots: Slots) -> str:
    if not slots.keys:
        return ""
    return f"; {float(slots.key_share):.0%} pass keys of {', '.join(map(str, slots.keys.lengths))} tokens"


def notes(table, config: dict, module, args) -> list[str]:
    found = []
    if args.mixed_window:
        m, short = config["rope_scaling"]["attention_factor"], module.model.rotary_emb.of_short.attention_scaling
        if not math.isclose(m, short, rel_tol=1e-6):
            found.append(f"short windows are trained with attention factor {short:g}, and engines run them with the "
                         f"table's, {m:g}, because config.json holds one for both; give --attention-factor "
                         f"{short:g}, or --short-attention-factor {m:g}, to train what they run")  # fmt: skip
    if table.max_length and table.max_length != args.target_length:
        found.append(f"table '{table.name}' was found for {table.max_length} tokens, not {args.target_length}")
    sliding = config.get("sliding_window")
    if sliding and sliding < args.length and config.get("use_sliding_window", True):
        found.append(f"the model sees {sliding} tokens back (sliding_window), whatever its table; "
                     "set it to null in its config.json to train it to see all")  # fmt: skip
    return found


def run(args, group: Group) -> int:
    check(args, group)
    table = read_table(args.factors, args.target_length)
    config = trained_config(args.model, table, args.target_length, args.attention_factor, args.mixed_window)
    documents = read_documents(args.text, args.tokens, args.model, config["vocab_size"])
    short_documents = None
    if args.short_text or args.short_tokens:
        short_documents = read_documents(args.short_text, args.short_tokens, args.model, config["vocab_size"])
    slots = slots_of(config, documents, short_documents, args)
    weights = store.Weights(args.model)
    teacher = ShortTeacher(config, slots, args) if args.short_teacher else None
    parsed, window = parse_config(config), config["rope_scaling"]["original_max_position_embeddings"]
    # With mixed windows, all that fits into the model's own window is short, pass keys among it.
    prepare = lambda module, slot: choose_table(module.model.rotary_emb, slots.length_of(slot) <= window)

    def construct():
        if teacher:
            teacher.build(args, group)
        return build(parsed, weights, args, group, lambda _, kind: rotary_of(kind, parsed, args))

    return carry_out(
        Recipe(
            config,
            settings_of(config, weights, teacher, documents, short_documents, args, group),
            slots,
            build=construct,
            introduce=lambda module: introduce(table, config, module, slots, args, group),
            prepare=prepare,
            **({"lesson": teacher.lesson} if teacher else {}),
        ),
        args,
        group,
    )


if __name__ == "__main__":
    main("finetune.py", parse, run)
