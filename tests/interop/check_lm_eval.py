"""`longrope choice` against lm-evaluation-harness: every log-likelihood, and acc, acc_norm and acc_bytes item by item.

Both read the same items: sentences that configs/choice/continuations.py takes from the demo's corpus, and some that try
the rules (white space at the end of the context, delimiters, characters of several bytes, equal choices, inputs that
are too long). The harness reads them as a local task of multiple choice, runs the model in f32 through transformers,
and logs its samples; configs/choice/from_lm_eval.py turns these into items again, which must be the ones that went in.

Models: the demo model, plain and with YaRN in its config.json, for which a tokenizer.json is made that gives bytes; and
SmolLM2, which ../shared/real_models.py makes once and build/models keeps; without that file it is left out.

    tests/interop/run.sh --lm-eval [ITEMS]      # items per text of the corpus, 20; a minute and more
"""

import json
import logging
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import lm_eval
import real_model
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager
from program import CORPUS, DEMO, LONGROPE, SOURCE
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

SCRIPTS = SOURCE / "configs/choice"
METRICS = {"acc": "choice", "acc_norm": "choice_norm", "acc_bytes": "choice_bytes"}
TOLERANCE = 1e-3  # of a log-likelihood; both compute in f32

# What the rules are about. Contexts have text, as the harness needs a BOS for those without.
RULES = [
    {"context": "Question: What tells the hour?\nAnswer:", "choices": ["a clock", "a mill", "the sea"], "answer": 0, "delimiter": " "},
    {"context": "He looked at the ", "choices": ["clock.", "clock and the bell.", "sea"], "answer": 1},
    {"context": "He looked at the\n\n \t", "choices": ["clock.", "sea.", "x"], "answer": 1},
    {"context": "He looked at the", "choices": ["\nclock.", "\n\nsea", " x"], "answer": 0},
    {"context": "The café was", "choices": ["déjà vu", "closed – “for ever”", "日本語 🙂"], "answer": 2, "delimiter": " "},
    {"context": "It was", "choices": [" so", " so", " not"], "answer": 1},
    {"context": "A\u00a0\u2003", "choices": ["b", "cd"], "answer": 0},
    {"context": "Choose.\nA. one\nB. two\nAnswer:", "choices": ["A", "B", "C", "D"], "answer": 2, "delimiter": " "},
    {"context": "The old clock struck. " * 30, "choices": ["It struck twelve.", "Nobody heard it.", "x"], "answer": 0, "delimiter": " "},
]


def script(name, *arguments):
    command = [sys.executable, str(SCRIPTS / name), *map(str, arguments)]
    return [json.loads(line) for line in subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()]


def write_lines(path, items):
    path.write_text("".join(json.dumps(item, ensure_ascii=False) + "\n" for item in items), encoding="utf-8")


# ---- Models ----


def save_demo(folder, more):
    """The demo model with `more` in its config.json, and a tokenizer whose tokens are the bytes."""
    folder.mkdir()
    shutil.copy(DEMO / "model.safetensors", folder)
    config = json.loads((DEMO / "config.json").read_text()) | {"torch_dtype": "float32"} | more
    (folder / "config.json").write_text(json.dumps(config))
    # ByteLevel writes bytes as characters: printable ones as themselves, the others as U+0100 and on, in order
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    rest = [byte for byte in range(256) if byte not in printable]
    vocabulary = {chr(byte): byte for byte in printable} | {chr(0x100 + i): byte for i, byte in enumerate(rest)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.save(str(folder / "tokenizer.json"))
    # the harness requires an EOS, which it uses for padding
    words = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": chr(0x100), "pad_token": chr(0x100)}
    (folder / "tokenizer_config.json").write_text(json.dumps(words))
    return folder


def save_smollm2(folder, source):
    """With an EOS for the harness, which takes tokens from tokenizer_config.json only."""
    folder.mkdir()
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        (folder / name).symlink_to(source.resolve() / name)
    words = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(words))
    return folder


# ---- Both programs ----


def harness(folder, items, length, work):
    """Samples as the harness logs them, per delimiter, and its results; items keep their order within a delimiter."""
    model = HFLM(pretrained=str(folder), dtype="float32", device="cpu", batch_size=1, max_length=length)
    out = {}
    for number, delimiter in enumerate(sorted({item["delimiter"] for item in items})):
        name = f"own_{number}"
        write_lines(work / f"{name}.jsonl", [item for item in items if item["delimiter"] == delimiter])
        task = {
            "task": name, "dataset_path": "json", "dataset_kwargs": {"data_files": {"test": str(work / f"{name}.jsonl")}},
            "test_split": "test", "output_type": "multiple_choice", "doc_to_text": "context", "doc_to_choice": "choices",
            "doc_to_target": "answer", "target_delimiter": delimiter,
            "metric_list": [{"metric": metric, "aggregation": "mean", "higher_is_better": True} for metric in METRICS],
        }  # fmt: skip
        done = lm_eval.simple_evaluate(model, tasks=[task], log_samples=True, bootstrap_iters=10, task_manager=TaskManager())
        out[delimiter] = done["samples"][name], done["results"][name]
    return out


def longrope(folder, items, length, work):
    """Its answers to each item, and its results, both per delimiter: a task is what the harness calls one."""
    out = {}
    for delimiter in sorted({item["delimiter"] for item in items}):
        write_lines(work / "items.jsonl", [item for item in items if item["delimiter"] == delimiter])
        command = [LONGROPE, "choice", "--model", folder, "--tasks", work / "items.jsonl", "--method", "none",
                   "--length", length, "--dtype", "f32", "--json", "--answers"]  # fmt: skip
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        (out[delimiter],) = json.loads(done.stdout)["results"]
    return out


# ---- The comparison ----


def same_items(samples, items, work):
    """What the harness logged, turned back by from_lm_eval.py."""
    logged = [sample | {"target": str(sample["target"])} for sample in samples]
    write_lines(work / "samples_own_task_2026-01-31T12-00-00.000000.jsonl", logged)
    got = script("from_lm_eval.py", work / "samples_own_task_2026-01-31T12-00-00.000000.jsonl")
    for one, item in zip(got, items, strict=True):
        assert one["task"] == "own_task" and one["answer"] == item["answer"] and one["context"] == item["context"]
        texts = [item["delimiter"] + choice for choice in item["choices"]]
        assert [one["delimiter"] + choice for choice in one["choices"]] == texts


def compare(name, folder, items, length, work):
    theirs, ours = harness(folder, items, length, work), longrope(folder, items, length, work)
    worst, count = 0.0, 0
    for delimiter, (samples, results) in theirs.items():
        own = [item for item in items if item["delimiter"] == delimiter]
        same_items(samples, own, work)
        answers = ours[delimiter]["answers"]
        assert len(samples) == len(answers) == len(own)
        for sample, answer in zip(samples, answers):
            likelihoods = [float(one[0][0]) for one in sample["resps"]]
            worst = max([worst] + [abs(a - b) for a, b in zip(likelihoods, answer["log_likelihoods"], strict=True)])
            for metric, choice in METRICS.items():
                assert sample[metric] == (answer[choice] == answer["answer"]), (metric, sample, answer)
            count += 1
        for metric, suffix in (("acc", ""), ("acc_norm", "_norm"), ("acc_bytes", "_bytes")):
            assert abs(results[f"{metric},none"] - ours[delimiter]["accuracy" + suffix]) < 1e-12
            deviation = ours[delimiter]["standard_error" + suffix]
            assert abs(results[f"{metric}_stderr,none"] - deviation) < 1e-12, (results, ours[delimiter])
    shares = [sum(r["accuracy" + s] * r["items"] for r in ours.values()) / count for s in ("", "_norm", "_bytes")]
    cut = sum(r["cut"] for r in ours.values())
    print(f"{name} at {length} tokens: {count} items equal, {cut} of them cut; acc {shares[0]:.3f}, acc_norm {shares[1]:.3f}, "
          f"acc_bytes {shares[2]:.3f}; log-likelihoods within {worst:.1e}")  # fmt: skip
    assert worst < TOLERANCE
    assert 0 < shares[0] < 1


def main():
    logging.disable(logging.WARNING)
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    sentences = script("continuations.py", "--items", wanted, "--context", 120, "--least", 20, "--most", 100, *CORPUS)
    items = [{"delimiter": "", **item, "task": "own"} for item in RULES + sentences]
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        plain = save_demo(work / "demo", {})
        compare("demo", plain, items, 256, work)
        compare("demo", plain, items, 120, work)
        yarn = {"rope_type": "yarn", "factor": 8.0, "original_max_position_embeddings": 256}
        scaled = save_demo(work / "yarn", {"rope_scaling": yarn, "max_position_embeddings": 2048})
        compare("demo with YaRN", scaled, items, 2048, work)
        source = real_model.folder("smollm2")
        if source:
            compare("SmolLM2", save_smollm2(work / "smollm2", source / "smollm2"), items, 8192, work)
        else:
            print(f"SmolLM2 is left out: {real_model.ABSENT}")
    print("lm-eval: passed")


if __name__ == "__main__":
    main()
