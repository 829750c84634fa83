"""Factor files, and the config.json of a model that is trained with one of their tables."""

import copy
import json
import math
import re
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import CONFIG_MAPPING, AutoConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

# Families whose rotary table is one for all layers, and whose weights transformers keeps as the checkpoint has them.
FAMILIES = ("llama", "mistral", "qwen2", "qwen3", "smollm3", "olmo2", "phi3")

# Families that longrope evaluates and this training does not support, with the reason.
REFUSED = {
    "qwen3_moe": "its experts are one tensor in transformers and many in the checkpoint, which store.py does not convert",
    "mixtral": "its experts are one tensor in transformers and many in the checkpoint, which store.py does not convert",
    "gemma3_text": "it has a rotary table per kind of layer, and config.json written here has room for one",
    "ministral3": "it scales queries by their position in steps of the original window, which a table would change",
    "minicpm": "transformers does not have it: its code comes with its models",
}


class WrongInput(Exception):
    """The command line or a file it names is wrong: the program ends with 2."""


@dataclass
class Table:
    """Rescale factors as a file states them; None where it does not say."""

    name: str
    factors: list  # float [pairs]
    attention_factor: float | None = None
    original_length: int | None = None
    max_length: int | None = None
    whole: bool = False  # in the place of the model's own scaling; False: on top of it


# ---- Factor files ----


def read_table(path: Path, target: int) -> Table:
    """The table for `target` tokens: of a file of longrope's, or of plain numbers."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise WrongInput(f"{path}: cannot be read as a factor file: {error}") from None
    table = read_json(path, text, target) if text.lstrip().startswith("{") else read_numbers(path, text)
    for i, factor in enumerate(table.factors):
        if not (isinstance(factor, (int, float)) and math.isfinite(factor) and factor > 0):
            raise WrongInput(f"{path}: factor {i} is {factor}; factors are positive numbers")
    return table


def read_numbers(path: Path, text: str) -> Table:
    words = re.split(r"[,\s]+", text.strip())
    try:
        return Table(path.name, [float(word) for word in words])
    except ValueError:
        raise WrongInput(f"{path}: neither JSON of longrope's nor a list of numbers") from None


def read_json(path: Path, text: str, target: int) -> Table:
    try:
        root = json.loads(text)
    except ValueError as error:
        raise WrongInput(f"{path}: not valid JSON: {error}") from None
    if root.get("format") != "longrope-factors":
        raise WrongInput(f'{path}: "format" is not "longrope-factors"; give the factors.json of a longrope run')
    # What is trained is what engines will run, and they know no start tokens.
    tables = root.get("exportable_tables") or root.get("tables") or []
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise WrongInput(f"{path}: its tables are not a list of objects")
    entry = choose(path, tables, target)
    try:
        table = Table(str(entry.get("name", path.name)), list(entry["factors"]))
        table.attention_factor = number_or_none(path, entry, "attention_factor")
        table.original_length = number_or_none(path, root, "original_length")
        table.max_length = number_or_none(path, entry, "max_length")
        table.whole = entry.get("whole") is True
        start_tokens = int(entry.get("start_tokens") or 0)
    except KeyError as error:
        raise WrongInput(f"{path}: table '{entry.get('name')}' has no {error}") from None
    except (TypeError, ValueError):
        name = entry.get("name")
        raise WrongInput(f"{path}: table '{name}': 'factors' is no list, or 'start_tokens' no number") from None
    if start_tokens != 0:
        raise WrongInput(
            f"{path}: table '{table.name}' leaves {start_tokens} start tokens as they are, which neither this "
            "training nor any engine can do; search with start_tokens: [0], or give a file with exportable_tables"
        )
    return table


def choose(path: Path, tables: list, target: int) -> dict:
    if not tables:
        raise WrongInput(f"{path}: holds no table; has the search ended?")
    if len(tables) == 1:
        return tables[0]
    fitting = [table for table in tables if table.get("max_length") == target]
    if len(fitting) == 1:
        return fitting[0]
    lengths = ", ".join(f"{table.get('name')} ({table.get('max_length')})" for table in tables)
    raise WrongInput(
        f"{path}: {len(fitting)} of its tables are for {target} tokens; it holds {lengths}; "
        "say which with --length, or --target-length where the windows trained on are shorter"
    )


def number_or_none(path: Path, entry: dict, key: str):
    """Absent, null and 0 all mean that the file does not say."""
    value = entry.get(key)
    if not value:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or value < 0:
        raise WrongInput(f"{path}: '{key}' is {value}; it must be a positive number")
    return value


# ---- config.json ----


def read_config(model: Path) -> tuple[dict, object]:
    """config.json as it stands, and as transformers understands it."""
    path = model / "config.json"
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WrongInput(f"{path}: cannot be read: {error}; give the folder of a Hugging Face model") from None
    name = raw.get("model_type")
    if name not in FAMILIES:
        reason = f": {REFUSED[name]}" if name in REFUSED else ""
        raise WrongInput(f"{path}: model_type {name!r} is not supported{reason}; supported: {', '.join(FAMILIES)}")
    try:
        return raw, AutoConfig.from_pretrained(model, local_files_only=True)
    except Exception as error:  # whatever transformers raises, it is about this file
        raise WrongInput(f"{path}: transformers does not accept it: {error}") from None


def parse_config(raw: dict):
    """A config.json as transformers understands it."""
    # It adds to the blocks within what it is given.
    return CONFIG_MAPPING[raw["model_type"]].from_dict(copy.deepcopy(raw))


def without_scaling(raw: dict, config) -> dict:
    """A config.json without a block about RoPE."""
    out = {key: value for key, value in raw.items() if key not in ("rope_scaling", "rope_parameters")}
    # These two may have stood in the block that was just taken out.
    out["rope_theta"] = config.rope_parameters["rope_theta"]
    if config.rope_parameters.get("partial_rotary_factor", 1.0) != 1.0:
        out["partial_rotary_factor"] = config.rope_parameters["partial_rotary_factor"]
    return out


def own_scaling(path: Path, config, pairs: int) -> tuple[list, float]:
    """By what the model's own scaling divides each frequency, and its attention factor.

    Of a longrope block it counts as none: the table takes its place. transformers has room for one block
    only, so that any other kind has to be multiplied into a table that is not whole.
    """
    rope = config.rope_parameters
    kind = rope["rope_type"]
    if kind in ("default", "longrope"):
        return [1.0] * pairs, 1.0
    if kind in ("dynamic", "clex"):
        raise WrongInput(
            f"{path}: its rope_scaling is {kind}, which changes with the length of the input, so that no table can "
            "hold it; remove it from config.json to train with the table alone"
        )
    inverse, attention_factor = ROPE_INIT_FUNCTIONS[kind](config, torch.device("cpu"))
    base = [rope["rope_theta"] ** (-i / pairs) for i in range(pairs)]
    return [f / g for f, g in zip(base, inverse.tolist())], float(attention_factor)


def own_short_factors(path: Path, config, pairs: int) -> list:
    """By what the model itself divides each frequency within its window."""
    rope = config.rope_parameters
    if rope["rope_type"] == "longrope":
        return [float(factor) for factor in rope["short_factor"]]
    if rope["rope_type"] == "dynamic":  # which begins beyond the window
        return [1.0] * pairs
    return own_scaling(path, config, pairs)[0]


def original_length_of(raw: dict, config, table: Table) -> int:
    """L0: the window that the factors are relative to."""
    if table.original_length:
        return int(table.original_length)
    # Of another kind than longrope, original_max_position_embeddings is where that scaling began;
    # the table goes on top of it, from the window that it reached.
    stated = raw.get("original_max_position_embeddings") or config.rope_parameters.get(
        "original_max_position_embeddings"
    )
    if config.rope_parameters["rope_type"] == "longrope" and stated:
        return int(stated)
    return int(config.max_position_embeddings)


def pairs_of(config) -> int:
    head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return int(head * config.rope_parameters.get("partial_rotary_factor", 1.0)) // 2


def trained_config(
    model: Path, table: Table, target: int, attention_factor: float | None, mixed: bool = False
) -> dict:
    """config.json of the model that training gives.

    The block is named rope_scaling, as transformers 4 knows it; 5 and longrope read that name too. Both
    of its tables are the same, because the model is trained with one whatever the length of its input;
    with `mixed` windows the short one is what the model had before, all ones unless it was scaled.
    """
    raw, config = read_config(model)
    pairs = pairs_of(config)
    if len(table.factors) != pairs:
        count = len(table.factors)
        raise WrongInput(f"{model}: has {pairs} rotary pairs, and table '{table.name}' has {count} factors")
    original = original_length_of(raw, config, table)
    if target < original:
        raise WrongInput(f"{target} tokens are less than the model's window of {original}; there is nothing to extend")
    own, own_attention_factor = [1.0] * pairs, 1.0
    if not table.whole:
        own, own_attention_factor = own_scaling(model / "config.json", config, pairs)
    scale = target / original
    m = attention_factor or table.attention_factor or math.sqrt(1.0 + math.log(scale) / math.log(original))
    factors = [float(mine * given) for mine, given in zip(own, table.factors)]
    short = own_short_factors(model / "config.json", config, pairs) if mixed else factors

    out = without_scaling(raw, config)
    out["max_position_embeddings"] = target
    # At top level too, where transformers 4 and Phi-3's class look for it.
    out["original_max_position_embeddings"] = original
    out["rope_scaling"] = {
        "rope_type": "longrope",
        "long_factor": factors,
        "short_factor": short,
        "original_max_position_embeddings": original,
        "factor": scale,
        "attention_factor": float(m * own_attention_factor),
    }
    return out
