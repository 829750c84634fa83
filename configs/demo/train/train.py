#!/usr/bin/env python3
"""Train the demo model: a byte-level llama of 2.4 million parameters with a window of 256.

    python train.py --text DIR --out DIR [--steps N] [--seed N]

DIR holds .txt files. Windows are read from them at random offsets; a tenth are pass-key prompts
instead, whose digits weigh more in the loss, and some are drills (see PHASES). Hidden matrices are
trained with Muon, the rest with AdamW; the learning rate is constant and then falls linearly to
nothing. A checkpoint is written every 200 steps beside the model, and a run that finds one goes on
from it. Written for two CPU cores with bf16 products.
"""

import argparse
import json
import math
import os
import random
import time
from pathlib import Path
from string import ascii_letters, digits

import torch
import torch.nn as nn
import torch.nn.functional as F
from safetensors.torch import save_file

import passkey

WINDOW = 256

# Until which step, what part of the windows are copying drills and what part pass-key prompts; the
# rest are the books'. Copying from the context is what a pass key asks for. The few digits of the
# prompts do not teach it in as many steps as there are here; 200 steps of nothing but drills do.
PHASES = ((3000, 0.0, 0.1), (3200, 1.0, 0.0), (math.inf, 0.05, 0.1))

CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "vocab_size": 256,
    "hidden_size": 256,
    "intermediate_size": 512,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 64,
    "hidden_act": "silu",
    "max_position_embeddings": WINDOW,
    "rope_theta": 10000.0,
    "rms_norm_eps": 1e-5,
    "attention_bias": False,
    "mlp_bias": False,
    "tie_word_embeddings": True,
    "initializer_range": 0.02,
    "bos_token_id": None,
    "eos_token_id": None,
    "torch_dtype": "bfloat16",
}


class Attention(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.heads, self.kv_heads, self.width = c["num_attention_heads"], c["num_key_value_heads"], c["head_dim"]
        linear = lambda i, o: nn.Linear(i, o, bias=False)
        self.q_proj = linear(c["hidden_size"], self.heads * self.width)
        self.k_proj = linear(c["hidden_size"], self.kv_heads * self.width)
        self.v_proj = linear(c["hidden_size"], self.kv_heads * self.width)
        self.o_proj = linear(self.heads * self.width, c["hidden_size"])

    def forward(self, x, cos, sin, mask):
        b, t, _ = x.shape
        split = lambda y, h: y.view(b, t, h, self.width).transpose(1, 2)
        repeat = lambda y: y.repeat_interleave(self.heads // self.kv_heads, dim=1)

        def rotate(y):
            lo, hi = y.chunk(2, -1)
            return torch.cat((lo * cos - hi * sin, hi * cos + lo * sin), -1)

        q = rotate(split(self.q_proj(x), self.heads))
        k = repeat(rotate(split(self.k_proj(x), self.kv_heads)))
        v = repeat(split(self.v_proj(x), self.kv_heads))
        # Spelt out: at this size torch's fused CPU attention takes longer than the two products.
        weights = (q @ k.transpose(-1, -2) / math.sqrt(self.width) + mask).softmax(-1).to(v.dtype)
        return self.o_proj((weights @ v).transpose(1, 2).reshape(b, t, -1))


class FeedForward(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.gate_proj = nn.Linear(c["hidden_size"], c["intermediate_size"], bias=False)
        self.up_proj = nn.Linear(c["hidden_size"], c["intermediate_size"], bias=False)
        self.down_proj = nn.Linear(c["intermediate_size"], c["hidden_size"], bias=False)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.input_layernorm = nn.RMSNorm(c["hidden_size"], eps=c["rms_norm_eps"])
        self.self_attn = Attention(c)
        self.post_attention_layernorm = nn.RMSNorm(c["hidden_size"], eps=c["rms_norm_eps"])
        self.mlp = FeedForward(c)

    def forward(self, x, cos, sin, mask):
        x = x + self.self_attn(self.input_layernorm(x), cos, sin, mask)
        return x + self.mlp(self.post_attention_layernorm(x))


class Llama(nn.Module):
    """Parameter names are those of transformers, so that the state is the checkpoint."""

    def __init__(self, c):
        super().__init__()
        self.model = nn.ModuleDict({
            "embed_tokens": nn.Embedding(c["vocab_size"], c["hidden_size"]),
            "layers": nn.ModuleList([Layer(c) for _ in range(c["num_hidden_layers"])]),
            "norm": nn.RMSNorm(c["hidden_size"], eps=c["rms_norm_eps"]),
        })
        for name, p in self.named_parameters():
            if p.ndim == 2:
                nn.init.normal_(p, std=c["initializer_range"])
            if name.endswith(("o_proj.weight", "down_proj.weight")):
                nn.init.zeros_(p)
        pairs = c["head_dim"] // 2
        angle = torch.arange(WINDOW)[:, None] * c["rope_theta"] ** (-torch.arange(pairs) / pairs)[None]
        self.register_buffer("cos", angle.cos().bfloat16(), persistent=False)
        self.register_buffer("sin", angle.sin().bfloat16(), persistent=False)
        self.register_buffer("mask", torch.full((WINDOW, WINDOW), -math.inf).triu(1).bfloat16(), persistent=False)

    def forward(self, tokens):
        t = tokens.shape[1]
        x = self.model["embed_tokens"](tokens)
        for layer in self.model["layers"]:
            x = layer(x, self.cos[:t], self.sin[:t], self.mask[:t, :t])
        return F.linear(self.model["norm"](x), self.model["embed_tokens"].weight)


class Windows:
    """Random windows of WINDOW+1 bytes: of the books, pass-key prompts, and copying drills."""

    def __init__(self, folder: Path, args):
        books = [p.read_bytes() for p in sorted(folder.rglob("*.txt"))]
        if not books:
            raise SystemExit(f"train.py: no .txt file in {folder}")
        self.text = torch.frombuffer(bytearray(b"\n\n".join(books)), dtype=torch.uint8)
        self.key_weight = args.key_weight

    def batch(self, rng: random.Random, rows: int, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Bytes [rows][WINDOW+1], and the weight of each predicted byte in the loss [rows][WINDOW]."""
        drills, passkeys = next((d, p) for until, d, p in PHASES if step < until)
        starts = [rng.randrange(len(self.text) - WINDOW) for _ in range(rows)]
        out = torch.stack([self.text[s : s + WINDOW + 1] for s in starts]).long()
        weights = torch.ones(rows, WINDOW)
        for row, weight in zip(out, weights):
            kind = rng.random()
            if kind < drills:
                self.repeat(rng, row)
            elif kind < drills + passkeys:
                # Short prompts come oftener, being the easier ones to learn copying from; the
                # question is asked again until the window is full, so that no byte is idle.
                length = passkey.SHORTEST + int((WINDOW + 2 - passkey.SHORTEST) * rng.random() ** 2)
                prompt, key = passkey.prompt(rng, length)
                text = prompt + key + "."
                answers = [len(prompt)]
                while len(text) <= WINDOW:
                    text += "\n" + passkey.QUESTION
                    answers.append(len(text))
                    text += key + "."
                row[:] = torch.tensor(list(text.encode()[: WINDOW + 1]))
                for start in answers:
                    weight[start - 1 : start - 1 + len(key)] = self.key_weight
        return out, weights

    def repeat(self, rng: random.Random, row: torch.Tensor) -> None:
        """A copying drill: the window's own beginning, or a random string, over and over."""
        alphabet, longest = rng.choice((("0123456789", 8), (ascii_letters + digits, 64), (None, 128)))
        period = rng.randint(5, longest)
        if alphabet:
            row[:period] = torch.tensor([ord(rng.choice(alphabet)) for _ in range(period)])
        row[:] = row[:period].repeat(len(row) // period + 1)[: len(row)]


def optimizers(model, args):
    matrices = [p for n, p in model.named_parameters() if p.ndim == 2 and "embed_tokens" not in n]
    others = [p for n, p in model.named_parameters() if p.ndim != 2 or "embed_tokens" in n]
    return [
        torch.optim.Muon(matrices, lr=args.muon_lr, momentum=0.95, weight_decay=0.01),
        torch.optim.AdamW(others, lr=args.adam_lr, betas=(0.9, 0.95), weight_decay=0.0),
    ]


def rate(step: int, args) -> float:
    """Learning rate as a fraction of its highest: warm-up, constant, linear fall over the last part."""
    fall = args.steps * args.decay
    return min(1.0, (step + 1) / args.warmup, (args.steps - step) / fall)


def write_aside(path: Path, write) -> None:
    aside = path.with_name(path.name + ".part")
    write(aside)
    os.replace(aside, path)


def export(model, folder: Path) -> None:
    """config.json and bf16 model.safetensors, as transformers' LlamaForCausalLM reads them."""
    state = {n: p.detach().to(torch.bfloat16).contiguous() for n, p in model.named_parameters()}
    write_aside(folder / "model.safetensors", lambda p: save_file(state, p, metadata={"format": "pt"}))
    write_aside(folder / "config.json", lambda p: p.write_text(json.dumps(CONFIG, indent=2) + "\n"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", type=Path, required=True, help="folder of .txt files to train on")
    parser.add_argument("--out", type=Path, required=True, help="folder of the model and of the checkpoint")
    parser.add_argument("--steps", type=int, default=6600)
    parser.add_argument("--batch", type=int, default=32, help="windows a step (default %(default)s)")
    parser.add_argument("--decay", type=float, default=0.4, help="part of the steps in which the rate falls")
    parser.add_argument("--warmup", type=int, default=100, help="steps in which the rate rises")
    parser.add_argument("--muon-lr", type=float, default=0.02)
    parser.add_argument("--adam-lr", type=float, default=0.004)
    parser.add_argument("--key-weight", type=float, default=8.0, help="of the answers' digits in the loss")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    args.out.mkdir(parents=True, exist_ok=True)
    windows = Windows(args.text, args)
    model = Llama(CONFIG)
    opts = optimizers(model, args)
    checkpoint, step = args.out / "checkpoint.pt", 0
    if checkpoint.exists():
        saved = torch.load(checkpoint)
        model.load_state_dict(saved["model"])
        for opt, state in zip(opts, saved["optimizers"]):
            opt.load_state_dict(state)
        step = saved["step"]
        print(f"going on from step {step}", flush=True)
    print(f"{sum(p.numel() for p in model.parameters())} parameters, {len(windows.text)} bytes", flush=True)

    forward = torch.compile(model)
    highest = [args.muon_lr, args.adam_lr]
    began, first, mean, key_mean = time.time(), step, None, None
    smooth = lambda old, new: new if old is None else 0.98 * old + 0.02 * new
    while step < args.steps:
        for opt, lr in zip(opts, highest):
            opt.param_groups[0]["lr"] = lr * rate(step, args)
        # Seeded by the step: a run that was interrupted sees the windows it would have seen.
        batch, weights = windows.batch(random.Random(args.seed * 1_000_003 + step), args.batch, step)
        with torch.autocast("cpu", torch.bfloat16):
            logits = forward(batch[:, :-1])
        nats = F.cross_entropy(logits.float().flatten(0, 1), batch[:, 1:].flatten(), reduction="none")
        (nats * weights.flatten()).mean().backward()
        for opt in opts:
            opt.step()
            opt.zero_grad(set_to_none=True)
        step += 1
        keys = nats[weights.flatten() != 1]
        mean = smooth(mean, nats.mean().item() / math.log(2))
        key_mean = smooth(key_mean, keys.mean().item() / math.log(2)) if len(keys) else key_mean
        if step % 50 == 0:
            pace = (time.time() - began) / (step - first)
            print(f"step {step}/{args.steps}  {mean:.4f} bits per byte, {key_mean or 0:.3f} per key digit  {pace:.2f} s a step  "
                  f"{pace * (args.steps - step) / 60:.0f} min left", flush=True)
        if step % 200 == 0 or step == args.steps:
            state = {"model": model.state_dict(), "optimizers": [o.state_dict() for o in opts], "step": step}
            write_aside(checkpoint, lambda p: torch.save(state, p))
            export(model, args.out)


if __name__ == "__main__":
    main()
