"""What the recipes that train a model share: processes, the loss, the loop of steps, interruptions, common options.

A recipe (finetune.py, ../clex/clex.py) says how the rotary embedding is made, what it depends on, and what config.json
has in the end.
"""

import argparse
import json
import math
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
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
from transformers import AutoModelForCausalLM

import store
from table import WrongInput
from windows import Slots, Windows

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


class NextToken(nn.Module):
    """Nats of predicting each next token. Parameters have the names that they have in the checkpoint."""

    def __init__(self, causal):
        super().__init__()
        self.model = causal.model
        # Of tied embeddings there is one tensor, and so no question of keeping two alike.
        self.lm_head = None if causal.config.tie_word_embeddings else causal.lm_head

    def hidden(self, tokens, scored):  # [windows, length] -> [windows * scored, width]
        return self.model(input_ids=tokens, use_cache=False).last_hidden_state[:, -scored - 1 : -1].flatten(0, 1)

    def head(self):
        return self.model.embed_tokens.weight if self.lm_head is None else self.lm_head.weight

    def forward(self, tokens, scored, lesson=None):
        """[windows, length] -> sum over windows and their last `scored` predictions.

        `lesson`: what a Teacher says of these tokens; its predictions then stand in the place of the tokens.
        """
        targets, teacher_head = lesson or (tokens[:, -scored:].flatten(), None)
        hidden, weight = self.hidden(tokens, scored), self.head()
        rows = max(1, LOGITS // weight.shape[0])
        if len(hidden) <= rows:
            return nats_of(hidden, weight, targets, teacher_head)
        # Logits of a long window are larger than all else; they are made in blocks, and made again in
        # the backward pass.
        parts = [
            checkpoint(nats_of, h, weight, t, teacher_head, use_reentrant=False)
            for h, t in zip(hidden.split(rows), targets.split(rows))
        ]
        return torch.stack(parts).sum()


def nats_of(hidden, weight, targets, teacher_head=None):
    """Cross entropy with the targets: tokens, or hidden states that `teacher_head` makes predictions of."""
    if teacher_head is not None:
        targets = F.linear(targets, teacher_head).float().softmax(-1)
    return F.cross_entropy(F.linear(hidden, weight).float(), targets, reduction="sum")


class Teacher(NextToken):
    """A model that does not change, and whose predictions another one learns."""

    @torch.no_grad()
    def forward(self, tokens, scored):
        return self.hidden(tokens, scored), self.head()


def build(parsed, weights: store.Weights, args, group: Group, rotary_of, extend=None, new=None):
    """The model with its weights, sharded over the processes, and the types they are stored in.

    `rotary_of(model, class)` gives the rotary embedding, `class` being transformers' own. `extend(model)`, if given, adds
    modules, whose parameters begin as `new`, tensors by name.
    """
    number = torch.bfloat16 if args.dtype == "bf16-weights" else torch.float32
    with torch.device("meta"):
        module = NextToken(AutoModelForCausalLM.from_config(parsed, attn_implementation="sdpa", dtype=number))
        rotary = type(module.model.rotary_emb)
        if extend:
            extend(module.model)
    if group.size > 1:
        for layer in module.model.layers:
            fully_shard(layer, mesh=group.mesh)
        fully_shard(module, mesh=group.mesh)
    types = fill(module, weights, group, lambda: rotary_of(module.model, rotary), new)
    if args.gradient_checkpointing:
        module.model.activation_checkpointing_enable({"use_reentrant": False})
    module.train()
    return module, types


def build_teacher(parsed, weights: store.Weights, args, group: Group) -> Teacher:
    """Each process has it whole: which of them has a slot that asks for it differs from step to step."""
    number = torch.float32 if args.dtype == "f32" else torch.bfloat16
    with torch.device("meta"):
        teacher = Teacher(AutoModelForCausalLM.from_config(parsed, attn_implementation="sdpa", dtype=number))
    fill(teacher, weights, group, lambda: type(teacher.model.rotary_emb)(parsed))
    return teacher.requires_grad_(False).eval()


def fill(module, weights: store.Weights, group: Group, rotary, new=None) -> dict:
    """Gives a module of the meta device its numbers; the types that they are stored in."""
    module.to_empty(device=group.device)
    # Frequencies are no parameters, and were not computed on the meta device.
    module.model.rotary_emb = rotary().to(group.device)
    return store.load_weights(module, weights, new or {})


# ---- Training ----


def rate(step: int, args) -> float:
    """The learning rate of a step: linear warm-up, then constant, or falling to zero."""
    if step < args.warmup:
        return args.lr * (step + 1) / args.warmup
    if args.decay == "constant":
        return args.lr
    left = (args.steps - step) / (args.steps - args.warmup)
    return args.lr * (left if args.decay == "linear" else (1 - math.cos(math.pi * left)) / 2)


def accumulate(module, recipe: "Recipe", step: int, args, group: Group, stop: Stop) -> dict | None:
    """Gradients of a step's batch, in which slots have weights, and its mean losses, without; None if told to stop.

    "losses" is that of all windows of text, None if the batch has none. With slots of several kinds that of each kind comes
    beside it. That of short windows is the cross entropy with a teacher's predictions where there is one.
    """
    slots = recipe.slots
    mine = args.batch // group.size
    first, batch = step * args.batch + group.rank * mine, range(step * args.batch, (step + 1) * args.batch)
    predicted, weight = slots.predictions(batch), slots.total_weight(batch) / group.size
    total = dict.fromkeys(predicted, 0.0)
    for start in range(first, first + mine, args.micro_batch):
        recipe.prepare(module, start)
        rows = [slots[k] for k in range(start, min(start + args.micro_batch, first + mine))]
        tokens = torch.from_numpy(np.concatenate(rows)).to(group.device)
        with torch.autocast(group.device.type, torch.bfloat16, args.dtype == "bf16", cache_enabled=False):
            nats = module(tokens, slots.scored(start), recipe.lesson(start, tokens))
        (nats * slots.weight(start) / weight).backward()  # FSDP takes the mean over the processes
        total[slots.kind(start)] += nats.item()
        if stop():
            return None
    total = {kind: group.sum(nats) for kind, nats in total.items()}
    text = [kind for kind in predicted if kind != "key"]
    loss = {"losses": mean(sum(total[kind] for kind in text), sum(predicted[kind] for kind in text))}
    if len(predicted) > 1:
        loss |= {f"{kind}_losses": mean(total[kind], predicted[kind]) for kind in predicted}
    return loss


def mean(nats: float, count: int) -> float | None:
    return nats / count if count else None


def clip(optimizer, highest: float) -> list[float]:
    """Scales the gradients of each group of parameters down to that norm; the norms that they had."""
    norms = []
    for group in optimizer.param_groups:
        norm = nn.utils.clip_grad_norm_(group["params"], highest if highest > 0 else math.inf)
        norms.append((norm.full_tensor() if isinstance(norm, DTensor) else norm).item())
    return norms


def describe(loss: dict) -> str:
    known = {name.removesuffix("_losses"): value for name, value in loss.items() if value is not None}
    all_text = known.pop("losses", None)
    parts = ", ".join(f"{name} {value:.5f}" for name, value in known.items())
    if all_text is None:
        return f"{parts} nats/token"
    return f"{all_text:.5f} nats/token" + (f" ({parts})" if parts else "")


def train(module, optimizer, recipe: "Recipe", done: int, losses: dict, save, args, group: Group) -> bool:
    """Steps done..steps-1; `save` is called with the number of steps done. False if stopped."""
    stop = Stop(group)
    began = time.monotonic()
    for step in range(done, args.steps):
        torch.manual_seed(args.seed * 1_000_003 + step)  # for models that drop out
        lr = rate(step, args)
        for parameters in optimizer.param_groups:
            parameters["lr"] = lr * parameters.get("share", 1.0)
        loss = accumulate(module, recipe, step, args, group, stop)
        if loss is None:
            if step > done:
                save(step)
            return False
        if not all(math.isfinite(value) for value in loss.values() if value is not None):
            raise Failed(f"the loss of step {step + 1} is {describe(loss)}; lower --lr or lengthen --warmup")
        norms = clip(optimizer, args.clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        for kind, value in loss.items():
            losses.setdefault(kind, []).append(value)
        pace = (time.monotonic() - began) / (step + 1 - done)
        if group.rank == 0:
            left = round(pace * (args.steps - step - 1))
            print(
                f"step {step + 1}/{args.steps}  {describe(loss)}  rate {lr:.2e}  gradient {', '.join(f'{norm:.3f}' for norm in norms)}  "
                f"{args.batch * args.length / pace:.0f} tokens/s  {pace:.2f} s/step  "
                f"{left // 3600}:{left // 60 % 60:02}:{left % 60:02} left",
                flush=True,
            )
        if (step + 1) % args.save_every == 0 and step + 1 < args.steps:
            save(step + 1)
    return True


# ---- Settings ----


SETTINGS = ("length", "steps", "batch", "micro_batch", "lr", "warmup", "decay", "beta1", "beta2", "weight_decay", "clip",
            "dtype", "seed", "bookends", "join")  # fmt: skip


def check_same(path: Path, saved: dict, settings: dict) -> None:
    # Settings of options that are not given are absent: what only one of the two has differs as well.
    for key in [*(key for key in saved if key not in settings), *settings]:
        there, now = saved.get(key), settings.get(key)
        if there == now:
            continue
        told = all(value is None or isinstance(value, (int, float, str)) for value in (there, now))
        change = f" ({'none' if there is None else there} there, {'none' if now is None else now} now)" if told else ""
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


def parser_of(name: str, documentation: str):
    """A parser, and option(name, help, ...), which adds one whose help states its default."""
    parser = argparse.ArgumentParser(
        prog=name, description=documentation, formatter_class=argparse.RawDescriptionHelpFormatter
    )

    def option(name, help, **more):
        if more.get("default") not in (None, []) and "action" not in more:
            help += " (default %(default)s)"
        parser.add_argument(name, help=help, **more)

    return parser, option


def positive(word: str) -> int:
    if (value := int(word)) < 1:
        raise ValueError
    return value


def text_options(option) -> None:
    option("--text", "UTF-8 files, a document each, or folders of .txt files; a byte is a token where the model has no "
           "tokenizer and at most 384 tokens", type=Path, nargs="+", default=[])  # fmt: skip
    option("--tokens", "one-dimensional integer .npy files, a document each", type=Path, nargs="+", default=[])
    option("--join", "make one document of all, so that windows may reach over several", action="store_true")
    option("--no-bookends", "do not put BOS and EOS around windows", dest="bookends", action="store_false")


def training_options(option, steps: str, lr: str, decay: str) -> None:
    """`steps` and `lr` are what help says of them; `decay` is the default."""
    option("--steps", steps, type=positive, default=400)
    option("--batch", "windows a step, over all processes", type=positive, default=32)
    option("--micro-batch", "windows at a time on each process", type=positive, default=1)
    option("--lr", lr, type=float, default=2e-5)
    option("--warmup", "steps in which the rate rises", type=int, default=20)
    option("--decay", "of the rate after warm-up", choices=("linear", "cosine", "constant"), default=decay)
    option("--beta1", "of AdamW", type=float, default=0.9)
    option("--beta2", "of AdamW", type=float, default=0.95)
    option("--weight-decay", "of AdamW", type=float, default=0.0)
    option("--clip", "highest norm of gradients; 0 for none", type=float, default=1.0)
    option("--dtype", "bf16: weights in f32, matrix products in bf16; bf16-weights: all in bf16, which takes half the "
           "memory and rounds small steps away; auto: bf16 on GPUs and on processors that multiply it, else f32",
           choices=("auto", "bf16", "f32", "bf16-weights"), default="auto")  # fmt: skip
    option("--gradient-checkpointing", "keep each layer's input only and compute the rest again", action="store_true")
    option("--seed", "of the windows' order", type=int, default=1)
    option("--threads", "CPU threads of each process (default: PyTorch's choice)", type=positive)
    option("--save-every", "steps between checkpoints", type=positive, default=10)


def check_training(args, group: Group) -> None:
    if args.length < 4:
        raise WrongInput(f"--length {args.length} leaves nothing to predict")
    if args.batch % group.size:
        raise WrongInput(f"--batch {args.batch} is not a multiple of the {group.size} processes")
    if not 0 <= args.warmup < args.steps:
        raise WrongInput(f"--warmup {args.warmup} must lie within 0 to --steps ({args.steps}), which it must not reach")
    if not args.lr > 0 or not 0 <= args.beta1 < 1 or not 0 <= args.beta2 < 1 or args.weight_decay < 0 or args.clip < 0:
        raise WrongInput("--lr must be positive, betas within 0 to 1, --weight-decay and --clip not negative")
    if args.out.resolve() == args.model.resolve():
        raise WrongInput(f"--out {args.out} is the folder of --model; name another")
    if args.dtype == "auto":
        able = group.device.type == "cuda" or processor_multiplies_bf16()
        args.dtype = "bf16" if group.sum(float(able)) == group.size else "f32"  # all processes alike


def processor_multiplies_bf16() -> bool:
    """Others convert each number on the way, and take ten times as long as with f32."""
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name) for name in ("avx512_bf16", "amx_bf16"))


# ---- A run from beginning to end ----


@dataclass
class Recipe:
    """What distinguishes one recipe from another."""

    config: dict  # config.json of the model that it gives
    settings: dict  # all that the result depends on, but for versions, processor and threads
    slots: Slots
    build: Callable  # () -> module, types of its tensors
    introduce: Callable  # module -> lines to print before the first step
    groups: Callable = lambda module: module.parameters()  # what AdamW takes; a group's rate is --lr times its "share"
    prepare: Callable = lambda module, slot: None  # called before --micro-batch slots, from that one on
    lesson: Callable = lambda slot, tokens: None  # what a Teacher says of a slot, if it is taught


def describe_windows(windows: Windows) -> str:
    return f"{windows.per_epoch} windows of {windows.length} tokens in {len(windows.documents)} documents"


def carry_out(recipe: Recipe, args, group: Group) -> int:
    """Trains, or continues, and writes the model; the exit status."""
    if already_done(args.out, recipe.settings):
        if group.rank == 0:
            store.clear_checkpoints(args.out)
            print(f"{args.out}: complete already, with these settings", flush=True)
        return 0
    args.out.mkdir(parents=True, exist_ok=True)

    module, types = recipe.build()
    optimizer = torch.optim.AdamW(
        recipe.groups(module), lr=args.lr, betas=(args.beta1, args.beta2), weight_decay=args.weight_decay
    )
    done, losses = resume(args.out, module, optimizer, recipe.settings, group)
    if group.rank == 0:
        for line in recipe.introduce(module):
            print(line, flush=True)
    record = lambda: {"settings": recipe.settings, "threads": torch.get_num_threads(), **losses}
    save = lambda step: store.save_checkpoint(args.out, module, optimizer, step, record(), group)
    if not train(module, optimizer, recipe, done, losses, save, args, group):
        if group.rank == 0:
            steps = len(losses.get("losses", []))
            print(f"stopped with {steps} of {args.steps} steps saved; run the same command again", flush=True)
        return STOPPED
    store.save_model(args.out, args.model, module, types, recipe.config, record(), group)
    if group.rank == 0:
        print(f"{args.out}: written", flush=True)
    return 0


def main(name: str, parse, run) -> None:
    """Runs run(parse(), group) and ends the process with its exit status."""
    status = status_of(name, parse, run)
    sys.stdout.flush()
    sys.stderr.flush()
    # Not by way of the interpreter's shutdown: gloo's threads now and then abort in it, all being done.
    os._exit(status)


def status_of(name: str, parse, run) -> int:
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
            print(f"{name}: {error}", file=sys.stderr)
        return 2
    except torch.OutOfMemoryError as error:
        print(f"{name}: {error}\n{name}: --gradient-checkpointing needs less, or more processes do, "
              "--micro-batch 1, or --dtype bf16-weights", file=sys.stderr)  # fmt: skip
        return 1
    except (OSError, Failed) as error:
        if group.rank == 0 or isinstance(error, OSError):
            print(f"{name}: {error}", file=sys.stderr)
        return 1
    finally:
        group.close()
