"""What training leaves on disk: checkpoints on the way, the model at the end.

Everything is written aside, flushed and renamed, so that a process killed at any moment leaves whole
files behind. Each process of a run writes its own part of a checkpoint; the folder gets its name when
all parts are there. Several machines need a file system that they share.
"""

import hashlib
import json
import os
import re
import shutil
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch.distributed.tensor import DTensor, distribute_tensor

from table import WrongInput

SHARD_BYTES = 5 << 30
RECORD = "finetune.json"
CHECKPOINT = re.compile(r"checkpoint-(\d{8})")
UMASK = os.umask(0o077)
os.umask(UMASK)  # it can only be read by being set
MOMENTS = ("exp_avg", "exp_avg_sq")
BESIDE_WEIGHTS = (
    "tokenizer*", "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt",
    "chat_template*", "generation_config.json",
)  # fmt: skip


# ---- Files ----


def flush(path: Path) -> None:
    """Onto the disk: a file's contents, or a folder's names."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_aside(path: Path, write) -> None:
    aside = path.with_name(path.name + ".part")
    write(aside)
    os.chmod(aside, 0o666 & ~UMASK)  # safetensors gives its files to their owner alone
    flush(aside)
    os.replace(aside, path)
    flush(path.parent)


def write_json(path: Path, value) -> None:
    write_aside(path, lambda aside: aside.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8"))


def remove_folder(path: Path) -> None:
    """Under another name first, lest half a checkpoint be taken for one."""
    dying = path.with_name(path.name + ".old")
    shutil.rmtree(dying, ignore_errors=True)
    os.replace(path, dying)
    shutil.rmtree(dying)


# ---- The model to start from ----


class Weights:
    """The tensors of a Hugging Face folder by name."""

    def __init__(self, folder: Path):
        index = folder / "model.safetensors.index.json"
        if index.exists():
            names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
        else:
            names = ["model.safetensors"]
        self.paths = [folder / name for name in names]
        self.files, self.where = [], {}
        for path in self.paths:
            try:
                file = safe_open(path, "pt")
            except Exception as error:  # of the library's own kind, or OSError
                raise WrongInput(f"{path}: cannot be read: {error}; weights must be in safetensors format") from None
            self.files.append(file)
            self.where.update(dict.fromkeys(file.keys(), file))

    def tensor(self, name: str) -> torch.Tensor:
        if name not in self.where:
            raise WrongInput(f"{self.paths[0]}: there is no tensor '{name}', which the model of config.json needs")
        return self.where[name].get_tensor(name)

    def fingerprint(self) -> str:
        digest = hashlib.sha256()
        for path in self.paths:
            with path.open("rb") as file:
                while block := file.read(1 << 24):
                    digest.update(block)
        return digest.hexdigest()


def load_weights(module, weights: Weights, new: dict) -> dict:
    """Fills the parameters, of which a process may hold a part; the number type each is stored in.

    Tensors that the stored model lacks come from `new`.
    """
    types = {}
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            given = new[name] if name in new else weights.tensor(name)
            if given.shape != parameter.shape:
                shapes = f"{list(given.shape)} and by config.json {list(parameter.shape)}"
                raise WrongInput(f"{weights.paths[0]}: {name} is {shapes}")
            types[name] = given.dtype
            local(parameter).copy_(part_of(given, parameter))
    return types


def local(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def part_of(full: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """The part of `full` that this process holds of `like`."""
    if not isinstance(like, DTensor):
        return full
    full = full.to(like.to_local().device)
    # Every process has read all of it: nothing need be sent.
    return distribute_tensor(full, like.device_mesh, like.placements, src_data_rank=None).to_local()


# ---- Checkpoints ----


def save_checkpoint(out: Path, module, optimizer, step: int, record: dict, group) -> None:
    """Weights and moments at the end of `step` steps; older checkpoints are removed."""
    name = f"checkpoint-{step:08d}"
    if (out / name).exists():
        return
    aside = out / (name + ".part")
    if group.rank == 0:
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir()
    group.barrier()
    state = {}
    for key, parameter in module.named_parameters():
        state[f"weight.{key}"] = local(parameter.detach()).contiguous()
        for moment in MOMENTS:
            state[f"{moment}.{key}"] = local(optimizer.state[parameter][moment]).contiguous()
    path = aside / f"rank-{group.rank}.safetensors"
    save_file(state, path)
    flush(path)
    group.barrier()
    if group.rank == 0:
        write_json(aside / "state.json", {"step": step, "processes": group.size, **record})
        os.replace(aside, out / name)
        flush(out)
        clear_checkpoints(out, keep=name)
    group.barrier()


def find_checkpoint(out: Path) -> Path | None:
    names = sorted(path.name for path in out.glob("checkpoint-*") if CHECKPOINT.fullmatch(path.name))
    return out / names[-1] if names else None


def clear_checkpoints(out: Path, keep: str | None = None) -> None:
    for path in out.glob("checkpoint-*"):
        if path.name == keep:
            continue
        if CHECKPOINT.fullmatch(path.name):
            remove_folder(path)
        else:
            shutil.rmtree(path)  # the leavings of a process that was killed


def load_checkpoint(path: Path, module, optimizer, step: int, group) -> None:
    state = load_file(path / f"rank-{group.rank}.safetensors")
    with torch.no_grad():
        for key, parameter in module.named_parameters():
            local(parameter).copy_(state[f"weight.{key}"])
            # The step as a tensor, and moments like the weights: what AdamW makes at its first step.
            optimizer.state[parameter] = {"step": torch.tensor(float(step))}
            for moment in MOMENTS:
                saved = torch.zeros_like(parameter)
                local(saved).copy_(state[f"{moment}.{key}"])
                optimizer.state[parameter][moment] = saved


# ---- The model at the end ----


def save_model(out: Path, source: Path, module, types: dict, config: dict, record: dict, group) -> None:
    """Weights in the types they came in, and config.json last: a folder that has it is complete."""
    parameters = dict(module.named_parameters())
    shards = divide(parameters, types)
    names = ["model.safetensors"]
    if len(shards) > 1:
        names = [f"model-{i + 1:05d}-of-{len(shards):05d}.safetensors" for i in range(len(shards))]
    for name, keys in zip(names, shards):
        tensors = {}
        for key in keys:
            whole = parameters[key].detach()
            if isinstance(whole, DTensor):
                whole = whole.full_tensor()  # all processes take part, the first one keeps it
            if group.rank == 0:
                tensors[key] = whole.to(types[key]).cpu().contiguous()
        if group.rank == 0:
            write_aside(out / name, lambda aside: save_file(tensors, aside, metadata={"format": "pt"}))
    if group.rank == 0:
        if len(shards) > 1:
            write_index(out, names, shards, parameters, types)
        for pattern in BESIDE_WEIGHTS:
            for path in sorted(source.glob(pattern)):
                write_aside(out / path.name, lambda aside: shutil.copyfile(path, aside))
        write_json(out / RECORD, record)
        write_json(out / "config.json", config)
        clear_checkpoints(out)
    group.barrier()


def size_of(parameter, dtype) -> int:
    return parameter.numel() * dtype.itemsize


def divide(parameters: dict, types: dict) -> list[list[str]]:
    """Names by file, in order, each file up to SHARD_BYTES where no tensor alone is larger."""
    shards, size = [[]], 0
    for key, parameter in parameters.items():
        more = size_of(parameter, types[key])
        if shards[-1] and size + more > SHARD_BYTES:
            shards.append([])
            size = 0
        shards[-1].append(key)
        size += more
    return shards


def write_index(out: Path, names, shards, parameters: dict, types: dict) -> None:
    total = sum(size_of(parameter, types[key]) for key, parameter in parameters.items())
    where = {key: name for name, keys in zip(names, shards) for key in keys}
    write_json(out / "model.safetensors.index.json", {"metadata": {"total_size": total}, "weight_map": where})
