"""Models that several tests share, each saved once a run."""

import families
import pytest
import real_model


class Saved:
    """Folders of saved models by name."""

    def __init__(self, root):
        self.root, self.paths = root, {}

    def __call__(self, name):
        if name not in self.paths:
            family = families.FAMILIES.get(name) or families.of_rope_type(name)
            self.paths[name] = families.save(family, self.root / name)
        return self.paths[name]


@pytest.fixture(scope="session")
def saved(tmp_path_factory):
    """saved(name): the folder of a model of FAMILIES, or of a llama with a rope type of ROPE_TYPES."""
    return Saved(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="session")
def smollm2():
    """The folder of SmolLM2's GGUF and Hugging Face folder."""
    return real_model.folder("smollm2") or pytest.skip(real_model.ABSENT)


@pytest.fixture(scope="session")
def gemma3():
    """Gemma 3 270M, a GGUF."""
    return (real_model.folder("gemma3") or pytest.skip(real_model.ABSENT)) / "gemma3.gguf"
