"""configs/progressive/run.sh in short: the paper's experiment on the demo's own corpus, killed and continued."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys

import pytest
from program import CORPUS, LONGROPE, SOURCE

TRAIN = ("barchester-towers-trollope", "ben-hur-wallace")
SEARCHED = ("david-copperfield-dickens", "les-miserables-hugo", "middlemarch-eliot", "moby-dick-melville",
            "pride-and-prejudice-austen")  # fmt: skip
UNSEEN = ("war-and-peace-tolstoy", "the-count-of-monte-cristo-dumas", "on-the-origin-of-species-darwin",
          "the-moonstone-collins", "travels-in-west-africa-kingsley")  # fmt: skip
SHORT = {"LENGTHS": "512 1024 2048", "STEPS": "4 4", "EVALUATIONS": "2", "WINDOWS": "2", "TRIALS": "1", "ITEMS": "4",
         "THREADS": "2"}  # fmt: skip
COMMAND = ["sh", str(SOURCE / "configs/progressive/run.sh")]


@pytest.fixture
def environment(tmp_path):
    """The demo's own corpus stands for the books."""
    for part, names in (("train", TRAIN), ("valid", SEARCHED), ("valid", UNSEEN)):
        (tmp_path / "books" / part).mkdir(parents=True, exist_ok=True)
        for name, text in zip(names, CORPUS):
            (tmp_path / "books" / part / f"{name}.txt").symlink_to(text)
    return {**os.environ, **SHORT, "LONGROPE": LONGROPE, "PYTHON": sys.executable, "BOOKS": str(tmp_path / "books"),
            "WORK": str(tmp_path / "work"), "OUT": str(tmp_path / "out")}  # fmt: skip


def kill_when(said, environment):
    """Starts it and kills it, with all that it started, when it has said so."""
    with subprocess.Popen(COMMAND, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          start_new_session=True) as process:  # fmt: skip
        text = ""
        for line in process.stdout:
            text += line
            if said in line:
                os.killpg(process.pid, signal.SIGKILL)
                return
        raise AssertionError(f"it did not say '{said}':\n{text}")


def written(work):
    """What is kept of what was made on the way: (path, time). The search writes its own files anew."""
    paths = [path for path in work.rglob("*.json") if path.name != "eval.json" and path.parent != work / "run"]
    return {(path, path.stat().st_mtime_ns) for path in paths}


@pytest.mark.skipif(not shutil.which("jq"), reason="jq is absent")
def test_the_experiment_in_short(tmp_path, environment):
    kill_when("table 'extend-8k'", environment)  # the fine-tuning begins
    kill_when("table 'yarn'", environment)
    done = subprocess.run(COMMAND, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr

    out = tmp_path / "out"
    sweep, keys, choice = (json.loads((out / f"{name}.json").read_text()) for name in ("perplexity", "passkeys", "choice"))
    rows = {(row["method"], row["length"]): row for row in sweep}
    assert {length for _, length in rows} == {256, 512, 1024, 2048} and len(rows) == 4 * 10
    assert all(1 < row["perplexity"] < 257 and len(row["windows"]) == row["samples"] for row in sweep)
    # Short windows have the model's own frequencies, and the attention factor of long ones.
    scaling = json.loads((out / "model/config.json").read_text())["rope_scaling"]
    assert scaling["short_factor"] == [1.0] * 32 != scaling["long_factor"] and scaling["attention_factor"] == 1.1
    assert rows["tuned-as-is", 1024]["own_attention_factor"] == 1.1
    assert {row["length"] for row in keys if row["method"] == "tuned-longrope"} == {256, 512, 1024, 2048}
    assert all(row["items"] == 20 for row in choice) and len(choice) == 10
    for name in ("model", "run/run.db", "factors.json", "report.html", "tables.md"):
        assert (out / name).exists(), name
    tables = (out / "tables.md").read_text()
    assert tables in done.stdout and len(re.findall(r"^- \*\*(?:not )?met\*\*", tables, re.M)) == 12
    assert str(tmp_path) not in (out / "perplexity.json").read_text()

    # Each fine-tuning has short windows, long ones and pass keys.
    work = tmp_path / "work"
    for folder in (work / "run/extend-8k-finetuned", work / "run/extend-16k-finetuned", work / "pi-16k", work / "yarn-16k"):
        record = json.loads((folder / "finetune.json").read_text())
        scaling = json.loads((folder / "config.json").read_text())["rope_scaling"]
        assert record["settings"]["steps"] == 4, folder
        assert record["settings"]["short_attention_factor"] == scaling["attention_factor"], folder
        counts = [sum(loss is not None for loss in record[f"{kind}_losses"]) for kind in ("long", "short", "key")]
        assert counts == [4, 3, 1], folder

    # What is there is not computed again, but for pass keys with more trials, of which the longest prompts have one still.
    (work / "sweep/base-none-512.json").unlink()
    before = written(work)
    environment["TRIALS"] = "2"
    done = subprocess.run(COMMAND, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    asked_again = {work / f"passkeys/{row['method']}-{row['length']}.json" for row in keys if row["length"] < 2048}
    assert {path for path, _ in written(work) - before} == {work / "sweep/base-none-512.json", *asked_again}
    assert (out / "tables.md").read_text().split("## Pass keys")[0] == tables.split("## Pass keys")[0]
