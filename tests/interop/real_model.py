"""SmolLM2-135M-Instruct and Gemma 3 270M, real models."""

import os
import subprocess
import sys
from pathlib import Path

from program import SOURCE

ABSENT = "there is no ../shared/real_models.py"


def folder(name):
    """The folder that holds NAME.gguf and, of smollm2, the Hugging Face folder smollm2: REAL_MODELS, or build/models.
    ../shared/real_models.py makes them once; None where that is absent."""
    path, script = Path(os.environ.get("REAL_MODELS", SOURCE / "build/models")), SOURCE.parent / "shared/real_models.py"
    last = {"smollm2": "smollm2/tokenizer.json", "gemma3": "gemma3.gguf"}[name]
    if not (path / last).exists():
        if not script.exists():
            return None
        subprocess.run([sys.executable, script, name, path], check=True)
    return path
