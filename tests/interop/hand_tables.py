"""Two tables made by hand, for a model of any size: a short one up to its window, and a long one beyond."""

import json

import numpy as np
from program import inline

ATTENTION_FACTOR = 1.1


class Tables:
    """Of a model with this config.json, extended to `target` tokens."""

    def __init__(self, config, target):
        self.theta, self.window, self.target = config["rope_theta"], config["max_position_embeddings"], target
        width = config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]
        self.pairs = width // 2
        grown = self.ramp(self.pairs // 4, self.pairs // 2)
        scale = max(target / self.window, 2)
        # The long one as YaRN makes them; the short one slows fast pairs down, which the long one leaves alone.
        self.factors = {"short": 1 + 2 * self.ramp(0, self.pairs // 4), "long": 1 / (1 - grown + grown / scale)}

    def ramp(self, first, last):
        """0 before pair `first`, 1 from pair `last` on."""
        return np.clip((np.arange(self.pairs) - first) / (last - first), 0, 1)

    def save(self, path):
        """As `longrope search` writes them."""
        entries = [
            {"name": name, "max_length": length, "scale": length / self.window, "factors": list(self.factors[name]),
             "start_tokens": 0, "attention_factor": ATTENTION_FACTOR, "perplexity": None, "origin": "by hand"}
            for name, length in [("short", self.window), ("long", self.target)]
        ]  # fmt: skip
        path.write_text(json.dumps({
            "format": "longrope-factors", "version": 1, "original_length": self.window, "rope_theta": self.theta,
            "tables": entries, "exportable_tables": entries,
        }))  # fmt: skip

    def arguments(self, name):
        """Of `longrope eval`."""
        return ["--factors", inline(self.factors[name]), "--attention-factor", ATTENTION_FACTOR]
