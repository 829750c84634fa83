"""configs/finetune: the table lands in the model, interruption changes nothing, longrope reads the result.

Most tests run the recipe within this process on tiny models; those of signals, kill -9 and torchrun run it
as its users do, on the demo model.
"""

import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import families
import numpy as np
import pytest
import torch
from program import CORPUS, DEMO, LONGROPE, SOURCE, TEXT, nats as longrope_nats, result, run
from recipe import killed_at_first_checkpoint, run_within, words
from reference import compare, load, nats
from safetensors.torch import save_file
from transformers import AutoConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

RECIPE = SOURCE / "configs/finetune"
sys.path.insert(0, str(RECIPE))
sys.path.append(str(SOURCE / "configs/demo/train"))
import finetune  # noqa: E402
import passkey  # noqa: E402
import store  # noqa: E402
import training  # noqa: E402
from keys import Keys  # noqa: E402
from table import FAMILIES, REFUSED, Table, WrongInput, read_config, read_table, trained_config  # noqa: E402
from windows import Slots, Windows, read_documents  # noqa: E402

FACTORS = [2 + i / 16 for i in range(32)]  # of the demo model's 32 pairs; bad ones, so that training has much to mend


def factor_file(path, factors=FACTORS, **more):
    """A table for 1024 tokens as longrope writes it, and one for 2048 beside it."""
    entry = {"name": "extend", "max_length": 1024, "scale": 4.0, "factors": factors, "start_tokens": 0,
             "attention_factor": 1.11, **more}  # fmt: skip
    other = {**entry, "name": "longer", "max_length": 2048}
    path.write_text(json.dumps({"format": "longrope-factors", "version": 1, "original_length": 256,
                                "tables": [entry, other]}))  # fmt: skip
    return path


def options(model, factors, out, **more):
    given = {"model": model, "factors": factors, "out": out, "length": 256, "target_length": 1024, "steps": 6,
             "batch": 2, "warmup": 1, "lr": 1e-3, "threads": 1, "save_every": 1, **more}  # fmt: skip
    return words(**given)


@pytest.fixture
def within(monkeypatch):
    """run(options...): the recipe in this process, whose signals stay as they are."""

    def run(*arguments, **more):
        return run_within(monkeypatch, finetune, options(*arguments, **more))

    return run


def command(*arguments, **more):
    return [sys.executable, "-u", str(RECIPE / "finetune.py"), *options(*arguments, **more)]


def losses(out):
    return json.loads((out / store.RECORD).read_text())["losses"]


# ---- The table ----


def frequencies(config, length):
    kind = config.rope_parameters["rope_type"]
    if kind == "default":
        pairs = config.head_dim // 2
        return config.rope_parameters["rope_theta"] ** (-torch.arange(pairs, dtype=torch.float64) / pairs), 1.0
    return ROPE_INIT_FUNCTIONS[kind](config, torch.device("cpu"), seq_len=length)


def test_refuses_clex(saved, tmp_path):
    config = json.loads((saved("default") / "config.json").read_text()) | {"rope_parameters": None}
    config["rope_scaling"] = {"type": "clex", "max_factor": 4, "param_factor": 1, "act": "silu", "time_dt": 0.01}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(WrongInput, match="its rope_scaling is clex, which changes with the length"):
        trained_config(tmp_path, Table("given", [1.0] * 12, 1.0), 2048, None)


@pytest.mark.parametrize("name", families.ROPE_TYPES)
def test_table_replaces_longrope_and_multiplies_others(saved, name):
    given, m = [round(1 + 0.3 * i, 2) for i in range(12)], 1.2
    model = saved(name)
    raw, own = read_config(model)
    if name == "dynamic":
        with pytest.raises(WrongInput, match="dynamic"):
            trained_config(model, Table("given", given, m), 2048, None)
        return
    written = trained_config(model, Table("given", given, m), 2048, None)
    config = type(own).from_dict(json.loads(json.dumps(written)))
    mixed = type(own).from_dict(trained_config(model, Table("given", given, m), 2048, None, mixed=True))
    for length, like in ((10, own), (2000, config)):  # within the window as before, beyond it the table
        torch.testing.assert_close(frequencies(mixed, length)[0].double(), frequencies(like, length)[0].double(),
                                   rtol=1e-6, atol=0)  # fmt: skip
    if name.startswith("longrope"):
        base, own_m = frequencies(AutoConfig.for_model("llama", head_dim=24), 1)[0], 1.0
        assert written["original_max_position_embeddings"] == families.ORIGINAL
    else:
        base, own_m = frequencies(own, families.WINDOW + 1)
        assert written["original_max_position_embeddings"] == families.WINDOW
    for length in (10, 2000):  # below and above the original window: one table
        inverse, attention_factor = frequencies(config, length)
        torch.testing.assert_close(inverse.double(), base.double() / torch.tensor(given).double(), rtol=1e-6, atol=0)
        assert attention_factor == pytest.approx(own_m * m, rel=1e-12)


def test_of_several_tables_the_one_for_the_length(tmp_path):
    path = factor_file(tmp_path / "factors.json")
    assert read_table(path, 2048).name == "longer"
    with pytest.raises(WrongInput, match=r"0 of its tables are for 512 tokens; it holds extend \(1024\), longer"):
        read_table(path, 512)
    root = json.loads(path.read_text())
    root["exportable_tables"] = [{**root["tables"][0], "name": "exportable"}]
    path.write_text(json.dumps(root))
    assert read_table(path, 1024).name == "exportable"


def test_numbers_alone_get_the_published_attention_factor(tmp_path):
    path = tmp_path / "factors.csv"
    path.write_text("\n".join(map(str, FACTORS)))
    scaling = trained_config(DEMO, read_table(path, 4096), 4096, None)["rope_scaling"]
    assert scaling["attention_factor"] == pytest.approx(math.sqrt(1 + math.log(16) / math.log(256)))
    assert scaling["factor"] == 16 and scaling["long_factor"] == scaling["short_factor"] == FACTORS
    assert trained_config(DEMO, read_table(path, 4096), 4096, 1.5)["rope_scaling"]["attention_factor"] == 1.5


# ---- Windows ----


def test_an_epoch_uses_each_token_once():
    documents = [np.arange(0, 35), np.arange(100, 109), np.arange(200, 220)]
    windows = Windows(documents, 12, seed=1, bos=998, eos=999)
    assert windows.per_epoch == 3 + 2  # the second is too short
    epochs = []
    for epoch in range(2):
        drawn = np.stack([windows[epoch * 5 + k] for k in range(5)])
        assert (drawn[:, 0] == 998).all() and (drawn[:, -1] == 999).all()
        assert (np.diff(drawn[:, 1:-1]) == 1).all() and len(np.unique(drawn[:, 1:-1])) == 50
        epochs.append(drawn)
    assert not (epochs[0] == epochs[1]).all()
    again = Windows(documents, 12, seed=1, bos=998, eos=999)
    assert (again[7] == epochs[1][2]).all()  # whatever was asked for before
    assert Windows(documents, 40, seed=1, join=True).per_epoch == 1
    with pytest.raises(WrongInput, match="no document has 40 tokens, the longest 35"):
        Windows(documents, 40, seed=1)


def test_a_share_of_the_slots_is_short():
    documents = [np.arange(0, 400), np.arange(1000, 1300)]
    slots = Slots(Windows(documents, 40, seed=1), Windows(documents, 12, seed="1/short"), 0.3)
    shapes = [slots[k].shape for k in range(20)]
    assert shapes.count((3, 12)) == 6 and shapes.count((1, 40)) == 14
    assert slots.predictions(range(20)) == {"long": 14 * 39, "short": 6 * 3 * 11}
    for kind, count, inner in (("long", 14, 40), ("short", 6 * 3, 12)):
        drawn = np.concatenate([slots[k] for k in range(20) if slots.kind(k) == kind])
        assert drawn.shape == (count, inner) and len(np.unique(drawn)) == count * inner  # no token twice in an epoch
    again = Slots(Windows(documents, 40, seed=1), Windows(documents, 12, seed="1/short"), 0.3)
    assert (again[13] == slots[13]).all() and (again[6] == slots[6]).all()  # whatever was asked for before
    plain = Slots(Windows(documents, 40, seed=1))
    assert (np.concatenate([plain[k] for k in range(14)]) == np.stack([plain.long[k] for k in range(14)])).all()
    assert plain.predictions(range(3)) == {"long": 3 * 39}


# ---- Mixed windows ----

MIXED = {"text": CORPUS, "length": 512, "mixed_window": True, "steps": 2, "dtype": "f32"}


def test_mixed_windows_are_trained_with_two_tables(tmp_path, within, capsys):
    factors, out = factor_file(tmp_path / "factors.json"), tmp_path / "out"
    assert within(DEMO, factors, out, **MIXED) == 0
    assert "attention factor 1, and engines run them with the table's, 1.11" in capsys.readouterr().out
    scaling = json.loads((out / "config.json").read_text())["rope_scaling"]
    assert scaling["short_factor"] == [1.0] * 32 and scaling["long_factor"] == FACTORS

    # Before the first step: the plain model in short windows, the old weights with the table in long ones.
    documents = read_documents(CORPUS, [], DEMO, 256)
    slots = Slots(Windows(documents, 512, 1), Windows(documents, 256, "1/short"), 0.5)
    plain, after = load(DEMO, torch.float32), load(out, torch.float32)
    moved = after.state_dict()
    assert all((moved[key] != value).any() for key, value in plain.state_dict().items())
    after.load_state_dict(plain.state_dict())
    with torch.no_grad():
        of_long = nats(after, slots[0][0]).mean()
        of_short = np.mean([nats(plain, row).mean() for row in slots[1]])
        with_table = np.mean([nats(after, row).mean() for row in slots[1]])
    record = json.loads((out / store.RECORD).read_text())
    assert record["short_losses"][0] == pytest.approx(of_short, rel=1e-5)
    assert record["long_losses"][0] == pytest.approx(of_long, rel=1e-5)
    assert record["losses"][0] == pytest.approx((511 * of_long + 510 * of_short) / 1021, rel=1e-5)
    assert abs(with_table - of_short) > 1e-3  # the attention factor alone; the test can tell the two apart
    assert slots[0].shape == (1, 512) and slots[1].shape == (2, 256)


def test_engines_run_mixed_windows_as_they_were_trained(tmp_path, within, capsys):
    """Of a table with the attention factor of short windows, which config.json can then express."""
    factors, out = factor_file(tmp_path / "factors.json", attention_factor=1.0), tmp_path / "out"
    assert within(DEMO, factors, out, **{**MIXED, "steps": 1}, warmup=0, lr=1e-9) == 0
    assert "note:" not in capsys.readouterr().out
    record = json.loads((out / store.RECORD).read_text())
    documents = read_documents(CORPUS, [], DEMO, 256)
    slots = Slots(Windows(documents, 512, 1), Windows(documents, 256, "1/short"), 0.5)
    for slot, name in enumerate(("long_losses", "short_losses")):
        paths = []
        for number, row in enumerate(slots[slot]):
            paths.append(tmp_path / f"{slot}-{number}.npy")
            np.save(paths[-1], row)
        found = result("--model", out, "--tokens", *paths, "--length", slots[slot].shape[1], "--method", "none",
                       "--dtype", "f32")  # fmt: skip
        assert record[name][0] == pytest.approx(found["nll"], rel=1e-4)


def test_mixed_windows_resume_to_the_same_bits(tmp_path, within, monkeypatch):
    factors = factor_file(tmp_path / "factors.json")
    more = {**MIXED, "length": 260, "steps": 3, "batch": 1, "short_teacher": DEMO}  # a kind a step
    assert within(DEMO, factors, tmp_path / "whole", **more) == 0
    train, calls = training.accumulate, []

    def killed(*arguments):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return train(*arguments)

    monkeypatch.setattr(training, "accumulate", killed)
    with pytest.raises(KeyboardInterrupt):
        within(DEMO, factors, tmp_path / "out", **more)
    assert not (tmp_path / "out/config.json").exists()
    assert within(DEMO, factors, tmp_path / "out", **more) == 0
    assert len(calls) == 4
    for name in ("model.safetensors", "config.json", store.RECORD):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    record = json.loads((tmp_path / "out" / store.RECORD).read_text())
    assert [value is None for value in record["short_losses"]] == [True, False, True]
    with pytest.raises(WrongInput, match=r"made with another short-share \(0.5 there, 0.4 now\)"):
        within(DEMO, factors, tmp_path / "out", **more, short_share=0.4)
    with pytest.raises(WrongInput, match="made with another short-teacher"):
        within(DEMO, factors, tmp_path / "out", **{**more, "short_teacher": None})
    scaled = altered(tmp_path / "scaled", rope_scaling={"rope_type": "linear", "factor": 2.0})
    shutil.copy(DEMO / "model.safetensors", scaled)
    with pytest.raises(WrongInput, match="made with another short-teacher-config"):
        within(DEMO, factors, tmp_path / "out", **{**more, "short_teacher": scaled})


# ---- A teacher of short windows ----


def test_short_windows_learn_what_a_teacher_says(tmp_path, within, monkeypatch):
    factors, out = factor_file(tmp_path / "factors.json"), tmp_path / "out"
    monkeypatch.setattr(training, "LOGITS", 256 * 100)  # several blocks
    assert within(DEMO, factors, out, **MIXED, short_teacher=DEMO, short_attention_factor=1.11) == 0

    # Before the first step: the teacher is the plain model, the student has the attention factor.
    documents = read_documents(CORPUS, [], DEMO, 256)
    slots = Slots(Windows(documents, 512, 1), Windows(documents, 256, "1/short"), 0.5)
    teacher, student = load(DEMO, torch.float32), load(DEMO, torch.float32)
    student.model.rotary_emb.attention_scaling = 1.11
    with torch.no_grad():
        said, learned = (
            model(torch.from_numpy(slots[1]), use_cache=False).logits[:, :-1].double().log_softmax(-1)
            for model in (teacher, student)
        )
    expected = -(said.exp() * learned).sum(-1).mean().item()
    entropy = -(said.exp() * said).sum(-1).mean().item()
    of_text = np.mean([nats(student, row).mean() for row in slots[1]])
    record = json.loads((out / store.RECORD).read_text())
    assert record["short_losses"][0] == pytest.approx(expected, rel=1e-5)
    assert expected > entropy + 1e-3 and abs(expected - of_text) > 1e-3  # the test can tell the three apart
    after = load(out, torch.float32)
    after.load_state_dict(teacher.state_dict())
    assert record["long_losses"][0] == pytest.approx(nats(after, slots[0][0]).mean(), rel=1e-5)


def test_short_windows_weigh_what_is_asked_for(tmp_path, within, monkeypatch):
    """The gradient of a batch is (long + weight * short) / (511 + weight * 510), for every weight."""
    factors, clip, gradients = factor_file(tmp_path / "factors.json"), training.clip, {}

    def kept(optimizer, highest):
        gradients[weight] = optimizer.param_groups[0]["params"][-1].grad.double().clone()
        return clip(optimizer, highest)

    monkeypatch.setattr(training, "clip", kept)
    more = {**MIXED, "steps": 1, "warmup": 0, "short_attention_factor": 2}  # which short windows do not agree with
    for weight in (1, 3, 10):
        assert within(DEMO, factors, tmp_path / str(weight), **more, short_weight=weight) == 0
    sums = {weight: gradients[weight] * (511 + weight * 510) for weight in gradients}
    short = (sums[3] - sums[1]) / 2
    torch.testing.assert_close(sums[10], sums[1] + 9 * short, rtol=1e-3, atol=1e-4 * float(sums[10].abs().max()))
    assert short.norm() > 0.1 * sums[1].norm()


def test_two_processes_have_one_teacher(tmp_path, within):
    """Of two slots the first process has the long one, the other one the short one."""
    factors, more = factor_file(tmp_path / "factors.json"), {**MIXED, "short_teacher": DEMO}
    assert within(DEMO, factors, tmp_path / "one", **more) == 0
    arguments = command(DEMO, factors, tmp_path / "two", **more)[2:]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *arguments]
    done = subprocess.run(torchrun, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    one, two = (json.loads((tmp_path / name / store.RECORD).read_text()) for name in ("one", "two"))
    for kind in ("losses", "long_losses", "short_losses"):
        np.testing.assert_allclose(two[kind], one[kind], rtol=1e-5)


def altered(folder, **changes):
    """A folder with the demo model's config.json, but for the changes."""
    folder.mkdir()
    raw = json.loads((DEMO / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**raw, **changes}))
    return folder


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"vocab_size": 300}, "has 300 tokens, and --model has 256"),
        ({"max_position_embeddings": 128}, "has a window of 128, and short windows have 256; give --short-length"),
        ({"model_type": "other"}, "model_type 'other' is not supported"),
        ({}, "model.safetensors: cannot be read"),
    ],
)
def test_teachers_that_are_refused(tmp_path, within, changes, message):
    teacher = altered(tmp_path / "teacher", **changes)
    with pytest.raises(WrongInput, match=message):
        within(DEMO, factor_file(tmp_path / "factors.json"), tmp_path / "out", **MIXED, short_teacher=teacher)
    assert not (tmp_path / "out").exists()


def test_a_teacher_without_a_tensor(tmp_path, within):
    teacher = altered(tmp_path / "teacher")
    save_file({"lm_head.weight": torch.zeros(1)}, teacher / "model.safetensors")
    with pytest.raises(WrongInput, match="model.safetensors: there is no tensor 'model.embed_tokens.weight'"):
        within(DEMO, factor_file(tmp_path / "factors.json"), tmp_path / "out", **MIXED, short_teacher=teacher)


# ---- Pass keys ----


def byte_tokens(data):
    return np.frombuffer(data, np.uint8)


def test_pass_key_prompts():
    keys = Keys([128, 256], 512, "seed", byte_tokens)
    lengths, depths, seen = [], [], set()
    for k in range(40):
        rows = keys[k]
        lengths.append(keys.length_of(k))
        assert rows.shape == (512 // lengths[-1], lengths[-1]) and keys.rows(k) == len(rows)
        for row in rows:
            text = bytes(row.tolist()).decode()
            key = text[-keys.answer :]
            seen.add(key)
            head, tail = text.split(passkey.KEY.format(key) + "\n")
            assert key[0] != "0" and key.isdigit() and text.endswith("\n" + passkey.QUESTION + key)
            lines = (head + tail.removesuffix(passkey.QUESTION + key)).splitlines()
            cut = lines[0]  # the first sentence lacks its beginning
            assert any(sentence.endswith(cut) for sentence in passkey.FILLER)
            assert set(lines[1:]) <= {*passkey.FILLER, ""}
            assert ("" in lines[1:]) == (tail == "\n" + passkey.QUESTION + key)  # as in the training of the demo model
            depths.append(len(head) / len(text))
    assert lengths.count(128) == 20 and all(set(lengths[k : k + 2]) == {128, 256} for k in range(0, 40, 2))
    assert len(seen) == len(depths) == 120 and min(depths) == 0 and max(depths) > 0.5
    assert (Keys([128, 256], 512, "seed", byte_tokens)[7] == keys[7]).all()
    assert Keys([128], 128, "seed", byte_tokens, bos=9)[0][0, 0] == 9
    with pytest.raises(WrongInput, match="has 67 tokens at least, and cannot have 66"):
        Keys([66], 66, "seed", byte_tokens)


def test_prompts_are_those_of_the_program(tmp_path):
    """longrope passkey's, but for random numbers: the same lines."""
    prompts = tmp_path / "prompts.npy"
    command = [LONGROPE, "passkey", "--model", DEMO, "--prompt", "demo", "--length", "300", "--trials", "4",
               "--method", "none", "--save-tokens", prompts]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    known = {*passkey.FILLER, ""}
    for row in np.load(prompts):
        text = bytes(row.tolist()).decode()
        key = text[-passkey.DIGITS :]
        *lines, last = text.splitlines()
        assert last == passkey.QUESTION + key and passkey.KEY.format(key) in lines
        assert set(lines) - {passkey.KEY.format(key)} <= known


def test_a_share_of_the_slots_are_pass_keys():
    documents = [np.arange(0, 4000), np.arange(1000, 5000)]
    long, short = Windows(documents, 512, seed=1), Windows(documents, 64, seed="1/short")
    keys = Keys([128, 512], 512, "1/keys", byte_tokens)
    slots = Slots(long, short, 0.5, 3.0, keys=keys, key_share=0.25, key_weight=2.0)
    kinds = [slots.kind(k) for k in range(16)]
    assert kinds == ["long", "short", "long", "key", "short", "long", "short", "key"] * 2
    texts = Slots(long, short, 0.5)
    of_text = [slots[k] for k in range(16) if kinds[k] != "key"]
    assert all((one == other).all() for one, other in zip(of_text, (texts[k] for k in range(12))))
    for number, k in enumerate(k for k in range(16) if kinds[k] == "key"):
        assert (slots[k] == keys[number]).all() and slots.length_of(k) == keys.length_of(number)
        assert slots.predicted(k) * slots.weight(k) == pytest.approx(2 * 511)
    assert slots.predictions(range(8)) == {"long": 3 * 511, "short": 3 * 8 * 63, "key": 5 * 5}
    assert slots.total_weight(range(8)) == pytest.approx(3 * 511 + 3 * 3 * 8 * 63 + 2 * 2 * 511)


KEYED = {**MIXED, "steps": 2, "batch": 4, "key_share": 0.25}


def test_pass_keys_are_trained(tmp_path, within, monkeypatch):
    factors, out = factor_file(tmp_path / "factors.json"), tmp_path / "out"
    assert within(DEMO, factors, out, **KEYED) == 0
    record = json.loads((out / store.RECORD).read_text())
    keys = Keys([256, 512], 512, "1/keys", byte_tokens)
    assert record["settings"]["key_lengths"] == [512, 256] and record["settings"]["key_weight"] == 1
    # Before the first step: the nats of the digits alone, with the table that the prompt's length asks for.
    model = load(DEMO if keys.length_of(0) == 256 else out, torch.float32)
    model.load_state_dict(load(DEMO, torch.float32).state_dict())
    with torch.no_grad():
        expected = np.mean([nats(model, row)[-keys.answer :].mean() for row in keys[0]])
    assert record["key_losses"][0] == pytest.approx(expected, rel=1e-4)
    assert record["losses"][0] == pytest.approx(
        (2 * 511 * record["long_losses"][0] + 510 * record["short_losses"][0]) / (2 * 511 + 510), rel=1e-6)  # fmt: skip

    # A run that was killed ends with the same bits.
    with killed_at_first_checkpoint(monkeypatch, store):
        within(DEMO, factors, tmp_path / "killed", **KEYED)
    assert within(DEMO, factors, tmp_path / "killed", **KEYED) == 0
    for name in ("model.safetensors", store.RECORD):
        assert (tmp_path / "killed" / name).read_bytes() == (out / name).read_bytes(), name
    with pytest.raises(WrongInput, match=r"made with another key-weight \(1.0 there, 2.0 now\)"):
        within(DEMO, factors, out, **KEYED, key_weight=2.0)
    plain = {name: value for name, value in KEYED.items() if name != "key_share"}  # a setting of that folder alone
    with pytest.raises(WrongInput, match=r"made with another key-share \(0.25 there, none now\)"):
        within(DEMO, factors, out, **plain)


@pytest.mark.parametrize(
    "more, message",
    [
        ({"key_share": 1}, "--key-share 1.0 must lie between 0 and 1"),
        ({"key_weight": 2}, "--key-weight is for --key-share, which is not given"),
        ({"key_share": 0.5, "key_weight": -1}, "--key-weight -1.0 is not a positive number"),
        ({"key_share": 0.5, "key_lengths": [1024]}, "--key-lengths 1024 is beyond --length 512"),
        ({"key_share": 0.5, "key_lengths": [20]}, "has 67 tokens at least, and cannot have 20"),
        ({"key_share": 0.5, "micro_batch": 2, "mixed_window": None}, "--micro-batch must be 1 with --key-share"),
    ],
)
def test_wrong_input_of_pass_keys(tmp_path, within, more, message):
    with pytest.raises(WrongInput, match=message):
        within(DEMO, factor_file(tmp_path / "factors.json"), tmp_path / "out", **{**MIXED, **more})
    assert not (tmp_path / "out").exists()


# ---- Number types ----


@pytest.mark.parametrize("capabilities, dtype", [({"avx512_bf16": True}, "bf16"), ({"avx2": True}, "f32")])
def test_products_are_bf16_where_the_processor_has_them(tmp_path, within, monkeypatch, capabilities, dtype):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    out = tmp_path / "out"
    assert within(DEMO, factor_file(tmp_path / "factors.json"), out, text=CORPUS, steps=2, batch=1, length=64) == 0
    assert json.loads((out / store.RECORD).read_text())["settings"]["dtype"] == dtype


# ---- Families ----


@pytest.mark.parametrize("name", ["llama-2", "llama-3", "llama-biases", "mistral-full", "qwen2", "qwen3", "smollm3",
                                  "olmo2", "phi3"])  # fmt: skip
def test_family(saved, tmp_path, within, monkeypatch, name):
    model = saved(name)
    pairs = len(load(model, torch.float32).model.rotary_emb.inv_freq)
    factors = factor_file(tmp_path / "factors.json", [round(1 + 0.2 * i, 2) for i in range(pairs)])
    root = json.loads(factors.read_text())
    del root["original_length"]
    factors.write_text(json.dumps(root))
    tokens = families.random_tokens(tmp_path / "tokens.npy", 300)
    monkeypatch.setattr(store, "SHARD_BYTES", 100_000)
    monkeypatch.setattr(training, "LOGITS", 10_000)  # several blocks
    out = tmp_path / "out"
    assert within(model, factors, out, tokens=tmp_path / "tokens.npy", length=300, steps=2, batch=1, dtype="f32",
                  gradient_checkpointing=True) == 0  # fmt: skip
    assert (out / "model.safetensors.index.json").exists()

    # The first loss is the old weights' with the new table, which the new folder names.
    before, after = load(model, torch.float32), load(out, torch.float32)
    with torch.no_grad():
        weights = before.state_dict()
        moved = sum((after.state_dict()[key] != weights[key]).any().item() for key in weights)
        assert moved == len(weights)
        theirs = nats(after, tokens)
        after.load_state_dict(weights)
        first = nats(after, tokens)
    assert losses(out)[0] == pytest.approx(first.mean(), rel=1e-5)
    assert losses(out)[1] < losses(out)[0]

    stored = [store.Weights(folder) for folder in (model, out)]
    assert all(stored[0].tensor(key).dtype == stored[1].tensor(key).dtype for key in stored[1].where)

    ours, _ = longrope_nats(tmp_path, "--model", out, "--tokens", tmp_path / "tokens.npy", "--length", 300,
                            "--method", "none", "--dtype", "f32")  # fmt: skip
    _, mean = compare(f"{name}: longrope - transformers", ours, theirs)
    assert mean < 1e-4 * theirs.mean()


@pytest.mark.parametrize("name, reason", [
    ("qwen3_moe", "experts"), ("mixtral", "experts"), ("gemma3_text", "a rotary table per kind of layer"),
    ("ministral3", "scales queries by their position"), ("minicpm", "transformers does not have it"), ("gpt2", ""),
])  # fmt: skip
def test_other_families_are_refused_by_name(tmp_path, within, name, reason):
    """Each family that longrope evaluates is either trained or refused with a reason."""
    (tmp_path / "config.json").write_text(json.dumps({"model_type": name}))
    with pytest.raises(WrongInput, match=f"model_type '{name}' is not supported.*{reason}.*; supported: llama, mistral"):
        within(tmp_path, factor_file(tmp_path / "factors.json"), tmp_path / "out", text=CORPUS)


def test_no_family_is_left_out(tmp_path):
    """Those that are trained and those that are refused are the families that longrope evaluates."""
    (tmp_path / "config.json").write_text('{"model_type": "gpt2"}')
    said = run("--model", tmp_path, "--text", TEXT, "--length", 256, "--method", "none").stderr
    evaluated = re.search(r"supported: (.*) and (\S+)$", said.splitlines()[0])
    assert sorted([*evaluated[1].split(", "), evaluated[2]]) == sorted([*FAMILIES, *REFUSED])


# ---- Interruptions ----


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The demo model trained without interruption: the folder, its factor file and all options."""
    root = tmp_path_factory.mktemp("finetune")
    factors, out = factor_file(root / "factors.json"), root / "out"
    done = subprocess.run(command(DEMO, factors, out, text=CORPUS), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return out, factors


def interrupt(arguments, step, number):
    """Starts it, and sends a signal when that step was done; what it then printed, and its exit status."""
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        text = ""
        for line in process.stdout:
            text += line
            if line.startswith(f"step {step}/"):
                process.send_signal(number)
        return text, process.wait()


def test_killed_runs_end_with_the_same_bits(whole, tmp_path):
    expected, factors = whole
    out = tmp_path / "out"
    arguments = command(DEMO, factors, out, text=CORPUS)
    text, status = interrupt(arguments, 2, signal.SIGUSR1)
    assert status == 75 and "of 6 steps saved; run the same command again" in text
    _, status = interrupt(arguments, 4, signal.SIGKILL)
    assert status == -signal.SIGKILL and not (out / "config.json").exists()
    (out / "checkpoint-00000005.part").mkdir(exist_ok=True)  # what a kill in the midst of saving leaves
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "going on from step" in done.stdout
    for name in ("model.safetensors", "config.json", store.RECORD):
        assert (out / name).read_bytes() == (expected / name).read_bytes(), name
    assert sorted(path.name for path in out.iterdir()) == ["config.json", store.RECORD, "model.safetensors"]


def test_two_processes_lose_as_one(whole, tmp_path):
    expected, factors = whole
    arguments = command(DEMO, factors, tmp_path / "out", text=CORPUS)[2:]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *arguments]
    done = subprocess.run(torchrun, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(losses(tmp_path / "out"), losses(expected), atol=1e-3)
    assert (tmp_path / "out/config.json").read_bytes() == (expected / "config.json").read_bytes()


def test_training_helps_and_programs_agree(whole, tmp_path):
    out, _ = whole
    window = ["--text", TEXT, "--length", 1024, "--dtype", "f32"]
    before = result("--model", DEMO, "--factors", ",".join(map(str, FACTORS)), "--attention-factor", 1.11, *window)
    ours, after = longrope_nats(tmp_path, "--model", out, "--method", "none", *window)
    assert after["nll"] < before["nll"] - 0.02
    theirs = nats(load(out, torch.float32), np.frombuffer(TEXT.read_bytes(), np.uint8)[:1024])
    _, mean = compare("longrope - transformers", ours, theirs)
    assert mean < 1e-4 * theirs.mean()


def test_what_is_complete_is_left_alone(whole, within, capsys):
    out, factors = whole
    before = {path: path.stat().st_mtime_ns for path in out.iterdir()}
    assert within(DEMO, factors, out, text=CORPUS) == 0
    assert "complete already" in capsys.readouterr().out
    with pytest.raises(WrongInput, match=r"made with another lr \(0.001 there, 0.002 now\)"):
        within(DEMO, factors, out, text=CORPUS, lr=2e-3)
    assert before == {path: path.stat().st_mtime_ns for path in out.iterdir()}


# ---- What is refused ----


def test_start_tokens_are_refused(tmp_path, within):
    factors = factor_file(tmp_path / "factors.json", start_tokens=8)
    with pytest.raises(WrongInput, match="table 'extend' leaves 8 start tokens as they are"):
        within(DEMO, factors, tmp_path / "out", text=CORPUS)


@pytest.mark.parametrize(
    "more, message",
    [
        ({"factors": "missing.json"}, "missing.json: cannot be read"),
        ({"model": "missing"}, "config.json: cannot be read"),
        ({"text": "missing.txt"}, "missing.txt: cannot be read"),
        ({"text": None}, "nothing to train on"),
        ({"text": TEXT, "length": 900_000, "target_length": 900_000}, "0 of its tables are for 900000"),
        ({"length": 2048}, "--length 2048 is more than --target-length 1024"),
        ({"target_length": 100, "length": 64}, "0 of its tables are for 100"),
        ({"warmup": 6}, "--warmup 6"),
        ({"short_share": 0.5}, "--short-share is for --mixed-window"),
        ({"short_teacher": DEMO}, "--short-teacher is for --mixed-window"),
        ({"mixed_window": True}, "--length 256 is within the model's window of 256"),
        ({"mixed_window": True, "length": 512, "short_length": 300}, "--short-length 300 must lie within 4 to"),
        ({"mixed_window": True, "length": 512, "short_share": 1}, "--short-share 1.0 must lie between"),
        ({"short_weight": 2}, "--short-weight is for --mixed-window"),
        ({"mixed_window": True, "length": 512, "short_weight": -1}, "--short-weight -1.0 is not a positive number"),
        ({"mixed_window": True, "length": 512, "short_weight": 2, "batch": 1}, "--short-weight 2.0 changes nothing with"),
        ({"mixed_window": True, "length": 512, "micro_batch": 2}, "--micro-batch must be 1"),
        ({"out": DEMO}, "is the folder of --model"),
        ({"out": SOURCE / "configs/demo/model/../model"}, "is the folder of --model"),
    ],
)
def test_wrong_input(tmp_path, within, monkeypatch, more, message):
    monkeypatch.chdir(tmp_path)
    given = {"model": DEMO, "factors": factor_file(tmp_path / "factors.json"), "out": tmp_path / "out", "text": CORPUS}
    with pytest.raises(WrongInput, match=message):
        within(**{**given, **more})
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "text, message",
    [
        ("{", "not valid JSON"),
        ('{"format": "other"}', '"format" is not'),
        ('{"format": "longrope-factors", "tables": []}', "holds no table"),
        ('{"format": "longrope-factors", "tables": [7]}', "not a list of objects"),
        ('{"format": "longrope-factors", "tables": [{"name": "x"}]}', "table 'x' has no 'factors'"),
        ('{"format": "longrope-factors", "tables": [{"name": "x", "factors": 3}]}', "'factors' is no list"),
        ("one, two", "neither JSON"),
        ("1.0 -2.0", "factor 1 is -2.0"),
        ("1.0 nan", "factor 1 is nan"),
    ],
)
def test_factor_files_that_are_wrong(tmp_path, text, message):
    path = tmp_path / "factors"
    path.write_text(text)
    with pytest.raises(WrongInput, match=message):
        read_table(path, 1024)


def test_a_table_of_another_width(tmp_path, within):
    factors = factor_file(tmp_path / "factors.json", FACTORS[:-1])
    with pytest.raises(WrongInput, match="has 32 rotary pairs, and table 'extend' has 31 factors"):
        within(DEMO, factors, tmp_path / "out", text=CORPUS)


def test_wrong_input_on_the_command_line(tmp_path):
    environment = {**os.environ, "LONGROPE_MODEL": str(DEMO), "LONGROPE_FACTORS": str(tmp_path / "none.json"),
                   "LONGROPE_OUTPUT": str(tmp_path / "out"), "LONGROPE_LENGTH": "1024"}  # fmt: skip
    arguments = [sys.executable, str(RECIPE / "finetune.py"), "--text", str(TEXT)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 2
    assert done.stderr.startswith(f"finetune.py: {Path(tmp_path / 'none.json')}: cannot be read")
    assert done.stderr.count("\n") == 1
