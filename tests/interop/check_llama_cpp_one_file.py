"""A search from one GGUF file to one GGUF file: the model beyond its window in llama.cpp, before and after.

`longrope search` with `model: FILE.gguf` scores the closed forms and a few tables of its own beyond the window, on the
beginning of one text. `longrope export --format gguf` writes the result beside the quantised weights of the same file;
it is given nothing but the run. llama.cpp then reads another text of that length with the file as it was, without any
scaling, and with the exported one. `longrope eval` reads the exported file, too.

The tokens beyond the window must have a lower perplexity with the exported file than without, and llama.cpp and longrope
must agree on all tokens of the exported file to 1 % (the demo model: 0.2 %). llama.cpp rounds the inputs of quantised
matrices to 8 bits: 0.46 % of SmolLM2's perplexity at 16 384 tokens. From the same numbers in f32 both get the same to
1e-5 (check_llama_cpp_export.py).

    tests/interop/run.sh --llama-cpp-one-file               # SmolLM2-135M (Q4_1), 8 192 to 10 240 tokens: ten minutes
    tests/interop/run.sh --llama-cpp-one-file FOLDER --target 16384 --evaluations 6 --run build/one-file
    tests/interop/run.sh --llama-cpp-one-file --demo        # the demo model in Q8_0, 256 to 2 048 bytes: seconds
"""

import argparse
import json
import math
import sys
import tempfile
from pathlib import Path

import gguf
import numpy as np
import real_model
from gguf_model import demo_weights, save_gguf
from llama_cpp_engine import close_llama, decode, open_llama
from llama_cpp_library import start
from program import CORPUS, DEMO, SOURCE, TEXT, longrope, result

BOOKS = SOURCE.parent / "shared/books/valid"
TOLERANCE, DEMO_TOLERANCE = 1e-2, 2e-3


def window_of(model):
    fields = gguf.GGUFReader(model).fields
    return int(fields[f"{fields['general.architecture'].contents()}.context_length"].contents())


def search(model, options, run):
    """Continues what an earlier call has left in the run's folder."""
    run.mkdir(parents=True, exist_ok=True)
    (run / "one-file.yaml").write_text(json.dumps({  # JSON is YAML
        "name": "one-file", "model": str(model.resolve()), "dtype": "f32",
        "attention_factor": "none" if options.target <= 2 * window_of(model) else "longrope",
        "data": {"text": [str(options.text.resolve())], "samples": 1, "held_out": 0},
        "search": {"evaluations": options.evaluations, "start_tokens": [0], "initial": ["yarn"]},
        "stages": [{"name": "extend", "target_length": options.target}],
    }))  # fmt: skip
    longrope("search", run / "one-file.yaml", "-o", run / "run", "--resume", "--threads", options.threads)


def by_llama_cpp(path, tokens, window, threads):
    """Perplexity of all tokens, and of those beyond the window."""
    model, context = open_llama(path, len(tokens), "exact", threads)
    _, nats = decode(context, model, tokens)
    close_llama(model, context)
    return math.exp(nats.mean()), math.exp(nats[window - 1 :].mean())


def check(model, options, work):
    search(model, options, work)
    (stage,) = json.loads(longrope("show", work / "run", "--json"))["stages"]
    scores = {entry["method"]: entry["perplexity"] for entry in stage["baselines"]}
    scores["longrope"] = stage["best_exportable"]["perplexity"]
    print(f"searched on {options.text.name}, {options.target} tokens: " +
          ", ".join(f"{method} {perplexity:.3f}" for method, perplexity in scores.items()), flush=True)  # fmt: skip
    out, file, window = work / "out.gguf", work / "tokens.npy", window_of(model)
    longrope("export", work / "run", "--format", "gguf", "--out", out, "--force")
    longrope("tokenize", "--model", out, "--text", options.other_text, "--out", file, "--force")
    tokens = np.load(file)[: options.target].astype(np.int32)
    if len(tokens) < options.target:
        sys.exit(f"{options.other_text} has {len(tokens)} tokens, and {options.target} are needed")
    np.save(file, tokens)
    plain, plain_beyond = by_llama_cpp(model, tokens, window, options.threads)
    after, after_beyond = by_llama_cpp(out, tokens, window, options.threads)
    ours = result("--model", out, "--tokens", file, "--length", options.target, "--method", "none", "--dtype", "f32",
                  "--threads", options.threads)["perplexity"]  # fmt: skip
    print(f"perplexity of {options.target} tokens of {options.other_text.name}, and of those beyond {window}:\n"
          f"  llama.cpp, {model.name} without scaling  {plain:9.4f} {plain_beyond:9.4f}\n"
          f"  llama.cpp, the exported file  {after:9.4f} {after_beyond:9.4f}\n"
          f"  longrope,  the exported file  {ours:9.4f}", flush=True)  # fmt: skip
    if after_beyond >= plain_beyond:
        sys.exit("the exported file is not better beyond the window")
    tolerance = DEMO_TOLERANCE if options.demo else TOLERANCE
    if abs(after / ours - 1) > tolerance:
        sys.exit(f"llama.cpp and longrope differ by {after / ours - 1:.2%} on the exported file, more than {tolerance:.1%}")
    print(f"llama.cpp and longrope agree on the exported file to {abs(after / ours - 1):.3%}")


def choose_model(options, work):
    """The GGUF file, with the defaults of its options."""
    if options.demo:
        config = json.loads((DEMO / "config.json").read_text())
        defaults = {"text": CORPUS[0], "other_text": TEXT, "target": 2048}
        model = work / "demo-q8_0.gguf"
        if not model.exists():
            save_gguf(model, config, demo_weights(), "q8_0", None)
    else:
        defaults = {"text": BOOKS / "les-miserables-hugo.txt", "other_text": BOOKS / "the-count-of-monte-cristo-dumas.txt",
                    "target": 10240}  # fmt: skip
        folder = options.folder or real_model.folder("smollm2")
        if folder is None:
            sys.exit(f"{real_model.ABSENT}; name a folder that has smollm2.gguf")
        model = folder / "smollm2.gguf"
    for name, value in defaults.items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    for path, option in [(model, "FOLDER"), (options.text, "--text"), (options.other_text, "--other-text")]:
        if not path.exists():
            sys.exit(f"there is no {path}; name another one with {option}")
    if options.target <= window_of(model):
        sys.exit(f"--target {options.target} is not above the window of {window_of(model)}")
    return model


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, help="folder with smollm2.gguf (default: REAL_MODELS, or build/models)")
    parser.add_argument("--demo", action="store_true", help="the demo model instead")
    parser.add_argument("--text", type=Path, help="to search on (default: Les Miserables)")
    parser.add_argument("--other-text", type=Path, help="to evaluate with (default: The Count of Monte Cristo)")
    parser.add_argument("--target", type=int, help="tokens, above the window (default: 10240; of the demo model 2048)")
    parser.add_argument("--evaluations", type=int, default=1, help="beside the closed forms (default: 1)")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--run", type=Path, help="folder to keep the run in, and to continue it (default: a temporary one)")
    options = parser.parse_args()
    start()
    with tempfile.TemporaryDirectory() as name:
        work = options.run or Path(name)
        work.mkdir(parents=True, exist_ok=True)
        check(choose_model(options, work), options, work)


if __name__ == "__main__":
    main()
