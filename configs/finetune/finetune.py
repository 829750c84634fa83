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

Weights are sharded over the processes of torchrun (FSDP2). A killed run that is started again goes on
from its last checkpoint and ends with the same weights, bit for bit, on as many threads and processes.

Exit status: 0 done, 1 failed, 2 wrong input, 75 stopped by a signal with everything saved: run
the same command again. (torchrun turns each of these but 0 into 1.)
"""

import argparse
import copy
import json
import math
import os
import signal
import sys
import time
from pathlib import Path

# Deterministic matrix products on GPUs need this before CUDA starts.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")

import numpy as np
import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import nn
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor
from torch.utils.checkpoint import checkpoint
from transformers import CONFIG_MAPPING, AutoModelForCausalLM

import store
from table import WrongInput, read_config, read_table, trained_config
from windows import Slots, Windows, fingerprint, read_documents

LOGITS = 1 << 26  # at most that many at a time: 256 MiB in f32
STOPPED = 75


class Failed(Exception):
    """Training cannot go on: the program ends with 1."""


# ---- Processes ----


class Group:
    """The processes of this run: one, or those of torchrun."""

    def __init__(self):
        self.size = int(os.environ.get("WORLD_SIZE", "1"))
        self.rank = int(os.environ.get("RANK", "0"))
        self.device = torch.device("cpu")
        if torch.cuda.is_available():
            self.device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
            torch.cuda.set_device(self.device)
        self.mesh = None
        if self.size > 1:
            dist.init_process_group("nccl" if self.device.type == "cuda" else "gloo")
            self.mesh = dist.device_mesh.init_device_mesh(self.device.type, (self.size,))

    def barrier(self):
        if self.size > 1:
            dist.barrier()

    def sum(self, value: float) -> float:
        if self.size == 1:
            return value
        total = torch.tensor(value, dtype=torch.float64, device=self.device)
        dist.all_reduce(total)
        return total.item()

    def of_first(self, function):
        """function() of the first process, for all."""
        result = [function() if self.rank == 0 else None]
        if self.size > 1:
            dist.broadcast_object_list(result, src=0)
        return result[0]

    def close(self):
        if self.size > 1:
            dist.destroy_process_group()


class Stop:
    """Whether a signal that asks to stop has come, to whichever process: one of those that longrope heeds."""

    def __init__(self, group: Group):
        self.group, self.seen = group, False
        for name in ("SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGXCPU", "SIGALRM"):
            number = getattr(signal, name)
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # as nohup wants it
                signal.signal(number, self.handle)

    def handle(self, number, frame):
        self.seen = True

    def __call__(self) -> bool:
        return self.group.sum(float(self.seen)) > 0


# ---- The model ----


class TwoTables(nn.Module):
    """The rotary embedding of long windows and that of short ones; `short` says which is in use."""

    def __init__(self, of_long, of_short):
        super().__init__()
        self.of_long, self.of_short, self.short = of_long, of_short, False

    def forward(self, *arguments, **more):
        return (self.of_short if self.short else self.of_long)(*arguments, **more)


class NextToken(nn.Module):
    """Nats of predicting each next token. Parameters have the names that they have in the checkpoint."""

    def __init__(self, causal):
        super().__init__()
        self.model = causal.model
        # Of tied embeddings there is one tensor, and so no question of keeping two alike.
        self.lm_head = None if causal.config.tie_word_embeddings else causal.lm_head

    def forward(self, tokens, short=False):  # [windows, length] -> sum over windows and length - 1 predictions
        if isinstance(self.model.rotary_emb, TwoTables):
            self.model.rotary_emb.short = short
        hidden = self.model(input_ids=tokens, use_cache=False).last_hidden_state[:, :-1].flatten(0, 1)
        targets = tokens[:, 1:].flatten()
        weight = self.model.embed_tokens.weight if self.lm_head is None else self.lm_head.weight
        rows = max(1, LOGITS // weight.shape[0])
        if len(hidden) <= rows:
            return nats_of(hidden, weight, targets)
        # Logits of a long window are larger than all else; they are made in blocks, and made again in
        # the backward pass.
        parts = [
            checkpoint(nats_of, h, weight, t, use_reentrant=False)
            for h, t in zip(hidden.split(rows), targets.split(rows))
        ]
        return torch.stack(parts).sum()


def nats_of(hidden, weight, targets):
    return F.cross_entropy(F.linear(hidden, weight).float(), targets, reduction="sum")


def build(config: dict, weights: store.Weights, args, group: Group):
    """The model with its weights, sharded over the processes, and the types they are stored in."""
    kind = CONFIG_MAPPING[config["model_type"]]
    parsed = kind.from_dict(copy.deepcopy(config))  # it adds to the blocks within what it is given
    number = torch.bfloat16 if args.dtype == "bf16-weights" else torch.float32
    with torch.device("meta"):
        module = NextToken(AutoModelForCausalLM.from_config(parsed, attn_implementation="sdpa", dtype=number))
    if group.size > 1:
        for layer in module.model.layers:
            fully_shard(layer, mesh=group.mesh)
        fully_shard(module, mesh=group.mesh)
    module.to_empty(device=group.device)
    # Frequencies are no parameters, and were not computed on the meta device.
    module.model.rotary_emb = rotary_of(type(module.model.rotary_emb), parsed, args).to(group.device)
    types = store.load_weights(module, weights)
    if args.gradient_checkpointing:
        module.model.activation_checkpointing_enable({"use_reentrant": False})
    module.train()
    return module, types


def rotary_of(kind, parsed, args):
    """The rotary embedding of class `kind` with the table; with mixed windows the unchanged model's beside it."""
    if not args.mixed_window:
        return kind(parsed)
    unchanged = kind(read_config(args.model)[1])
    if args.short_attention_factor is not None:
        unchanged.attention_scaling = args.short_attention_factor
    return TwoTables(kind(parsed), unchanged)


# ---- Training ----


def rate(step: int, args) -> float:
    """The learning rate of a step: linear warm-up, then constant or falling linearly to zero."""
    if step < args.warmup:
        return args.lr * (step + 1) / args.warmup
    if args.decay == "constant":
        return args.lr
    return args.lr * (args.steps - step) / (args.steps - args.warmup)


def accumulate(module, slots: Slots, step: int, args, group: Group, stop: Stop) -> dict | None:
    """Gradients of the mean loss of a step's batch, and that loss; None if told to stop.

    With mixed windows also the losses of long and of short ones, None where the batch has none.
    """
    mine = args.batch // group.size
    first = step * args.batch + group.rank * mine
    predicted = slots.predictions(range(step * args.batch, (step + 1) * args.batch))
    predictions = sum(predicted) / group.size
    total = [0.0, 0.0]  # of long windows and of short ones
    for start in range(first, first + mine, args.micro_batch):
        short = slots.is_short(start)
        rows = [slots[k] for k in range(start, min(start + args.micro_batch, first + mine))]
        tokens = torch.from_numpy(np.concatenate(rows)).to(group.device)
        with torch.autocast(group.device.type, torch.bfloat16, args.dtype == "bf16", cache_enabled=False):
            nats = module(tokens, short)
        (nats / predictions).backward()  # FSDP takes the mean over the processes
        total[short] += nats.item()
        if stop():
            return None
    if not args.mixed_window:
        return {"losses": group.sum(total[0]) / predicted[0]}
    total = [group.sum(nats) for nats in total]
    of_kind = [nats / count if count else None for nats, count in zip(total, predicted)]
    return {"losses": sum(total) / sum(predicted), "long_losses": of_kind[0], "short_losses": of_kind[1]}


def clip(module, highest: float) -> float:
    """Scales the gradients down to that norm; the norm that they had."""
    norm = nn.utils.clip_grad_norm_(module.parameters(), highest if highest > 0 else math.inf)
    return (norm.full_tensor() if isinstance(norm, DTensor) else norm).item()


def describe(loss: dict) -> str:
    kinds = {"short": loss.get("short_losses"), "long": loss.get("long_losses")}
    parts = ", ".join(f"{name} {value:.5f}" for name, value in kinds.items() if value is not None)
    return f"{loss['losses']:.5f} nats/token" + (f" ({parts})" if parts else "")


def train(module, optimizer, slots: Slots, done: int, losses: dict, save, args, group: Group) -> bool:
    """Steps done..steps-1; `save` is called with the number of steps done. False if stopped."""
    stop = Stop(group)
    began = time.monotonic()
    for step in range(done, args.steps):
        torch.manual_seed(args.seed * 1_000_003 + step)  # for models that drop out
        lr = rate(step, args)
        for parameters in optimizer.param_groups:
            parameters["lr"] = lr
        loss = accumulate(module, slots, step, args, group, stop)
        if loss is None:
            if step > done:
                save(step)
            return False
        if not math.isfinite(loss["losses"]):
            raise Failed(f"the loss of step {step + 1} is {loss['losses']}; lower --lr or lengthen --warmup")
        norm = clip(module, args.clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        for kind, value in loss.items():
            losses.setdefault(kind, []).append(value)
        pace = (time.monotonic() - began) / (step + 1 - done)
        if group.rank == 0:
            left = round(pace * (args.steps - step - 1))
            print(
                f"step {step + 1}/{args.steps}  {describe(loss)}  rate {lr:.2e}  gradient {norm:.3f}  "
                f"{args.batch * args.length / pace:.0f} tokens/s  {pace:.2f} s/step  "
                f"{left // 3600}:{left // 60 % 60:02}:{left % 60:02} left",
                flush=True,
            )
        if (step + 1) % args.save_every == 0 and step + 1 < args.steps:
            save(step + 1)
    return True


# ---- Settings ----


MIXED = ("mixed_window", "short_share", "short_length", "short_attention_factor")


def settings_of(config: dict, weights, documents, short_documents, args, group: Group) -> dict:
    """All that the result depends on, but for versions, processor and threads."""
    scaling = config["rope_scaling"]
    prints = group.of_first(
        lambda: (weights.fingerprint(), fingerprint(documents), short_documents and fingerprint(short_documents))
    )
    options = ("length", "steps", "batch", "micro_batch", "lr", "warmup", "decay", "beta1", "beta2",
               "weight_decay", "clip", "dtype", "seed", "bookends", "join",
               *(MIXED if args.mixed_window else ()))  # fmt: skip
    return {
        "model": prints[0],
        "data": prints[1],
        **({"short_data": prints[2]} if short_documents else {}),
        "factors": scaling["long_factor"],
        "attention_factor": scaling["attention_factor"],
        **{name: getattr(args, name) for name in options},
        "config": config,  # last: of what differs, the first is named
    }


def check_same(path: Path, saved: dict, settings: dict) -> None:
    for key, value in settings.items():
        if saved.get(key) == value:
            continue
        change = f" ({saved.get(key)} there, {value} now)" if isinstance(value, (int, float, str)) else ""
        raise WrongInput(
            f"{path}: was made with another {key.replace('_', '-')}{change}; give the same settings, name another "
            "--out, or remove that folder to begin again"
        )


def find_record(path: Path) -> dict:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WrongInput(f"{path}: cannot be read: {error}; name another --out, or remove its folder") from None


def already_done(out: Path, settings: dict) -> bool:
    if not (out / "config.json").exists():
        return False
    if not (out / store.RECORD).exists():
        raise WrongInput(f"{out}: holds a model that this program has not written; name another --out")
    check_same(out, find_record(out / store.RECORD)["settings"], settings)
    return True


def resume(out: Path, module, optimizer, settings: dict, group: Group) -> tuple[int, dict]:
    """Steps done and their losses, by kind."""
    path = store.find_checkpoint(out)
    if path is None:
        return 0, {}
    saved = find_record(path / "state.json")
    check_same(path, saved["settings"], settings)
    if saved["processes"] != group.size:
        raise WrongInput(
            f"{path}: was made by {saved['processes']} processes, and this is {group.size}; "
            "start as many, or remove it to begin again"
        )
    store.load_checkpoint(path, module, optimizer, saved["step"], group)
    if group.rank == 0:
        threads = torch.get_num_threads()
        other = f"; it was made on {saved['threads']} threads, and last bits differ on {threads}"
        print(f"going on from step {saved['step']}{other if saved['threads'] != threads else ''}", flush=True)
    return saved["step"], {kind: values for kind, values in saved.items() if kind.endswith("losses")}


def bookends_of(config: dict, args) -> tuple[int | None, int | None]:
    """BOS and EOS that a window stands between, where the model has them."""
    if not args.bookends:
        return None, None
    ends = [config.get("bos_token_id"), config.get("eos_token_id")]
    ends = [end[0] if isinstance(end, list) and end else end for end in ends]
    return tuple(end if isinstance(end, int) else None for end in ends)


# ---- Command line ----


def parse():
    parser = argparse.ArgumentParser(
        prog="finetune.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    env = os.environ.get

    def option(name, help, **more):
        if more.get("default") not in (None, []) and "action" not in more:
            help += " (default %(default)s)"
        parser.add_argument(name, help=help, **more)

    def positive(word):
        if (value := int(word)) < 1:
            raise ValueError
        return value

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
    option("--text", "UTF-8 files, a document each, or folders of .txt files; a byte is a token where the model has no "
           "tokenizer and at most 384 tokens", type=Path, nargs="+", default=[])  # fmt: skip
    option("--tokens", "one-dimensional integer .npy files, a document each", type=Path, nargs="+", default=[])
    option("--join", "make one document of all, so that windows may reach over several", action="store_true")
    option("--no-bookends", "do not put BOS and EOS around windows", dest="bookends", action="store_false")
    option("--mixed-window", "train a share of the tokens in short windows with the frequencies that the model has, as "
           "LongRoPE2 does", action="store_true")  # fmt: skip
    option("--short-share", "of the tokens, with --mixed-window; near enough (default 0.5)", type=float)
    option("--short-length", "tokens of a short window (default: the model's own window)", type=positive)
    option("--short-text", "files or folders to cut short windows from (default: those of long ones)", type=Path,
           nargs="+", default=[])  # fmt: skip
    option("--short-tokens", "the same as .npy files", type=Path, nargs="+", default=[])
    option("--short-attention-factor", "of short windows (default: the unchanged model's, mostly 1)", type=float)
    option("--steps", "the paper: 400 at 128k, then 600 at 256k", type=positive, default=400)
    option("--batch", "windows a step, over all processes", type=positive, default=32)
    option("--micro-batch", "windows at a time on each process", type=positive, default=1)
    option("--lr", "highest learning rate", type=float, default=2e-5)
    option("--warmup", "steps in which the rate rises", type=int, default=20)
    option("--decay", "of the rate after warm-up", choices=("linear", "constant"), default="linear")
    option("--beta1", "of AdamW", type=float, default=0.9)
    option("--beta2", "of AdamW", type=float, default=0.95)
    option("--weight-decay", "of AdamW", type=float, default=0.0)
    option("--clip", "highest norm of gradients; 0 for none", type=float, default=1.0)
    option("--dtype", "bf16: weights in f32, matrix products in bf16; bf16-weights: all in bf16, which takes half the "
           "memory and rounds small steps away", choices=("bf16", "f32", "bf16-weights"), default="bf16")  # fmt: skip
    option("--gradient-checkpointing", "keep each layer's input only and compute the rest again", action="store_true")
    option("--seed", "of the windows' order", type=int, default=1)
    option("--threads", "CPU threads of each process (default: PyTorch's choice)", type=positive)
    option("--save-every", "steps between checkpoints", type=positive, default=10)
    args = parser.parse_args()
    for name, variable in (("model", "MODEL"), ("factors", "FACTORS"), ("out", "OUTPUT"), ("length", "LENGTH")):
        if getattr(args, name) is None:
            parser.error(f"--{name} is missing, and LONGROPE_{variable} is not set")
    return args


def check(args, group: Group) -> None:
    args.target_length = args.target_length or args.length
    if args.target_length < args.length:
        raise WrongInput(f"--length {args.length} is more than --target-length {args.target_length}")
    if args.length < 4:
        raise WrongInput(f"--length {args.length} leaves nothing to predict")
    if args.batch % group.size:
        raise WrongInput(f"--batch {args.batch} is not a multiple of the {group.size} processes")
    if not 0 <= args.warmup < args.steps:
        raise WrongInput(f"--warmup {args.warmup} must lie within 0 to --steps ({args.steps}), which it must not reach")
    if not args.lr > 0 or not 0 <= args.beta1 < 1 or not 0 <= args.beta2 < 1 or args.weight_decay < 0 or args.clip < 0:
        raise WrongInput("--lr must be positive, betas within 0 to 1, --weight-decay and --clip not negative")
    if args.attention_factor is not None and not (args.attention_factor > 0 and math.isfinite(args.attention_factor)):
        raise WrongInput(f"--attention-factor {args.attention_factor} is not a positive number")
    if args.out.resolve() == args.model.resolve():
        raise WrongInput(f"--out {args.out} is the folder of --model; name another")
    check_mixed(args)


def check_mixed(args) -> None:
    """Of the options of mixed windows what can be said without the model."""
    if not args.mixed_window:
        for name in ("short_share", "short_length", "short_text", "short_tokens", "short_attention_factor"):
            if getattr(args, name):
                raise WrongInput(f"--{name.replace('_', '-')} is for --mixed-window, which is not given")
        return
    args.short_share = 0.5 if args.short_share is None else args.short_share
    if not 0 < args.short_share < 1:
        raise WrongInput(f"--short-share {args.short_share} must lie between 0 and 1")
    m = args.short_attention_factor
    if m is not None and not (m > 0 and math.isfinite(m)):
        raise WrongInput(f"--short-attention-factor {m} is not a positive number")
    if args.micro_batch != 1:
        raise WrongInput("--micro-batch must be 1 with --mixed-window, where windows differ in length")


def slots_of(config: dict, documents, short_documents, args) -> Slots:
    bos, eos = bookends_of(config, args)
    long = Windows(documents, args.length, args.seed, bos, eos, args.join)
    if not args.mixed_window:
        return Slots(long)
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
    return Slots(long, short, args.short_share)


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


def describe_windows(windows: Windows) -> str:
    return f"{windows.per_epoch} windows of {windows.length} tokens in {len(windows.documents)} documents"


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
    settings = settings_of(config, weights, documents, short_documents, args, group)
    if already_done(args.out, settings):
        if group.rank == 0:
            store.clear_checkpoints(args.out)
            print(f"{args.out}: complete already, with these settings", flush=True)
        return 0
    args.out.mkdir(parents=True, exist_ok=True)

    module, types = build(config, weights, args, group)
    optimizer = torch.optim.AdamW(
        module.parameters(), lr=args.lr, betas=(args.beta1, args.beta2), weight_decay=args.weight_decay
    )
    done, losses = resume(args.out, module, optimizer, settings, group)
    if group.rank == 0:
        scaling = config["rope_scaling"]
        for note in notes(table, config, module, args):
            print(f"note: {note}", flush=True)
        print(
            f"{sum(p.numel() for p in module.parameters())} parameters, table '{table.name}' for {args.target_length} "
            f"tokens, {scaling['factor']:g} times {scaling['original_max_position_embeddings']}, attention factor "
            f"{scaling['attention_factor']:.4f}; {' and '.join(map(describe_windows, slots.kinds()))}; "
            f"{group.size} process{'es' * (group.size > 1)} on {group.device.type}",
            flush=True,
        )
    record = lambda: {"settings": settings, "threads": torch.get_num_threads(), **losses}
    save = lambda step: store.save_checkpoint(args.out, module, optimizer, step, record(), group)
    if not train(module, optimizer, slots, done, losses, save, args, group):
        if group.rank == 0:
            steps = len(losses.get("losses", []))
            print(f"stopped with {steps} of {args.steps} steps saved; run the same command again", flush=True)
        return STOPPED
    store.save_model(args.out, args.model, module, types, config, record(), group)
    if group.rank == 0:
        print(f"{args.out}: written", flush=True)
    return 0


def main() -> int:
    args = parse()
    if args.threads:
        torch.set_num_threads(args.threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # it takes time and guards against nothing here
    group = Group()
    try:
        return run(args, group)
    except WrongInput as error:
        if os.environ.get("LOCAL_RANK", "0") == "0":  # on each machine, whose files may differ
            print(f"finetune.py: {error}", file=sys.stderr)
        return 2
    except torch.OutOfMemoryError as error:
        print(f"finetune.py: {error}\nfinetune.py: --gradient-checkpointing needs less, or more processes do, "
              "--micro-batch 1, or --dtype bf16-weights", file=sys.stderr)  # fmt: skip
        return 1
    except (OSError, Failed) as error:
        if group.rank == 0 or isinstance(error, OSError):
            print(f"finetune.py: {error}", file=sys.stderr)
        return 1
    finally:
        group.close()


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # Not by way of the interpreter's shutdown: gloo's threads now and then abort in it, all being done.
    os._exit(status)
