#!/usr/bin/env python3
"""Train a model and CLEX's scaling network together, on short windows for long inputs.

    python clex.py --model DIR --text FILE... --max-factor 16 --out DIR
    torchrun --nproc-per-node 8 clex.py ...

CLEX (arXiv 2310.16450) does not fix a table. A small network gives the rotary frequencies for each extension factor
t, by an ordinary differential equation that begins with the model's own frequencies at t = 1. An input of n tokens is
evaluated with t = ceil(n / the model's window), at most --max-factor.

Each batch of --micro-batch windows is trained with a factor t drawn from 1..max_factor, and with positions drawn
without replacement from the t times as many that an input of t windows has. So windows stay as short as the model's own,
and the model sees all distances. Gradients pass through the solver (fixed steps of --time-dt, fourth order) to the network;
all weights are trained.

So neighbours are t positions apart on average, and an input has them one apart. --runs N cuts each window into N runs, as
PoSE does (arXiv 2309.10400): positions are skipped between runs alone. They span the same distances. The demo
model requires this; the README has numbers.

The result is a Hugging Face folder with the two tensors of the network and rope_scaling {"type": "clex", ...} in
config.json. `longrope eval --model DIR --method none` evaluates it at any length.

The defaults are those of the authors' program (DAMO-NLP-SG/CLEX), where it states them: learning rate 2e-5 with cosine
decay, one rate for the model and the network; max_factor 16, param_factor 1, tanh, time_dt 0.01. A small model requires
a higher rate, and its network then a lower one (--network-lr). A --time-dt of 0.1 costs a tenth, and
is as exact on the demo model; the README has numbers.

Weights are sharded over the processes of torchrun (FSDP2). A killed run that is started again continues from its last
checkpoint and ends with the same weights, bit for bit, on as many threads and processes.

Exit status: 0 done, 1 failed, 2 wrong input, 75 stopped by a signal with everything saved: run the same command again.
(torchrun turns each of these but 0 into 1.)
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "finetune"))

import store
from network import ACTIVATIONS, PREFIX, ClexRotary, draw, initial
from table import WrongInput, pairs_of, parse_config, read_config, without_scaling
from training import (
    SETTINGS,
    Group,
    Recipe,
    bookends_of,
    build,
    carry_out,
    check_training,
    describe_windows,
    main,
    parser_of,
    positive,
    text_options,
    training_options,
)
from windows import Slots, Windows, fingerprint, read_documents


def parse():
    parser, option = parser_of("clex.py", __doc__)
    option("--model", "folder of the model to start from", type=Path, required=True)
    option("--out", "folder to write, and to keep checkpoints in until then", type=Path, required=True)
    option("--length", "tokens of a training window (default: the model's window)", type=positive)
    option("--max-factor", "largest extension factor: the longest input is that many windows", type=positive, default=16)
    option("--param-factor", "width of the network, in rotary widths", type=positive, default=1)
    option("--act", "of the network", choices=tuple(ACTIVATIONS), default="tanh")
    option("--time-dt", "step of the solver, in factors; 1 / --time-dt must be whole", type=float, default=0.01)
    option("--runs", "runs that a window is cut into; positions are skipped between runs alone (default: one for each "
           "token, as the authors do)", type=positive)  # fmt: skip
    option("--network-lr", "highest learning rate of the network (default: --lr)", type=float)
    text_options(option)
    training_options(option, "no number is published", "highest learning rate of the model", "cosine")
    return parser.parse_args()


def check(args, window: int, group: Group) -> None:
    check_training(args, group)
    if args.max_factor < 2:
        raise WrongInput("--max-factor 1 leaves nothing to extend; give 2 or more")
    if not 0 < args.time_dt <= 1 or abs(1 / args.time_dt - round(1 / args.time_dt)) > 1e-6:
        raise WrongInput(f"--time-dt {args.time_dt} does not divide 1, so that steps would miss whole factors; "
                         "give 0.01, 0.05 or 0.1")  # fmt: skip
    if args.runs is not None and not 2 <= args.runs <= args.length:
        raise WrongInput(f"--runs {args.runs} does not lie within 2 to the {args.length} tokens of a window")
    if args.runs is not None and args.length >= 2 * window:
        raise WrongInput(f"--runs keeps neighbours one position apart, and in windows of {args.length} tokens they are "
                         f"1/{args.length // window}; give --length {window}, or leave --runs out")  # fmt: skip
    if args.network_lr is not None and not args.network_lr > 0:
        raise WrongInput(f"--network-lr {args.network_lr} is not a positive number")


def clex_config(raw: dict, parsed, args) -> dict:
    """config.json of the model that training gives; max_position_embeddings stays the window before extension."""
    scaling = {"type": "clex", "max_factor": args.max_factor, "param_factor": args.param_factor, "act": args.act,
               "time_dt": args.time_dt, "factor": 1}  # fmt: skip
    # The authors' class takes true for an absent log_scale, which multiplies queries by ln n / ln L0.
    return {**without_scaling(raw, parsed), "rope_scaling": scaling, "log_scale": False}


# Families that finetune.py trains and this training does not, with the reason. longrope refuses them too.
REFUSED = {
    "smollm3": "smollm3 has layers without RoPE, and CLEX has a network for all layers",
    "phi3": "phi3 supports no rope_scaling but longrope, and CLEX writes another",
}


def plain_config(model: Path):
    """config.json of a model without scaling, as it stands and as transformers understands it."""
    raw, _ = read_config(model)
    if raw["model_type"] in REFUSED:
        raise WrongInput(f"{model / 'config.json'}: {REFUSED[raw['model_type']]}")
    parsed = parse_config(raw)
    kind = parsed.rope_parameters["rope_type"]
    if kind != "default":
        raise WrongInput(f"{model / 'config.json'}: its rope_scaling is {kind}; CLEX begins with a model without scaling")
    return raw, parsed


def groups(module, args) -> list[dict]:
    parameters = dict(module.named_parameters())
    network = [parameter for name, parameter in parameters.items() if name.startswith(PREFIX)]
    others = [parameter for name, parameter in parameters.items() if not name.startswith(PREFIX)]
    return [{"params": others}, {"params": network, "share": (args.network_lr or args.lr) / args.lr}]


def run(args, group: Group) -> int:
    raw, parsed = plain_config(args.model)
    window, theta = int(parsed.max_position_embeddings), parsed.rope_parameters["rope_theta"]
    args.length = args.length or window
    check(args, window, group)
    config, pairs = clex_config(raw, parsed, args), pairs_of(parsed)
    scaling = config["rope_scaling"]
    documents = read_documents(args.text, args.tokens, args.model, raw["vocab_size"])
    slots = Slots(Windows(documents, args.length, args.seed, *bookends_of(raw, args), args.join))
    weights = store.Weights(args.model)

    def extend(model):
        del model.rotary_emb
        model.clex_layer = ClexRotary(pairs, theta, scaling)

    def prepare(module, slot):
        module.model.clex_layer.choose(*draw(slot, args.length, window, scaling, args.seed, args.runs))

    def construct():
        new = initial(pairs, args.param_factor, args.seed)
        return build(parsed, weights, args, group, lambda model, _: model.clex_layer, extend, new)

    prints = group.of_first(lambda: (weights.fingerprint(), fingerprint(documents)))
    recipe = Recipe(
        config,
        {"model": prints[0], "data": prints[1], **{name: getattr(args, name) for name in (*SETTINGS, "network_lr", "runs")},
         "config": config},  # last: of what differs, the first is named
        slots,
        build=construct,
        introduce=lambda module: [
            f"{sum(p.numel() for p in module.parameters())} parameters, {2 * pairs * pairs * 2 * args.param_factor} of "
            f"them the network's; factors 1 to {args.max_factor} of {window} tokens; {describe_windows(slots.long)}; "
            f"{group.size} process{'es' * (group.size > 1)} on {group.device.type}, {args.dtype}"
        ],
        groups=lambda module: groups(module, args),
        prepare=prepare,
    )  # fmt: skip
    return carry_out(recipe, args, group)


if __name__ == "__main__":
    main("clex.py", parse, run)
