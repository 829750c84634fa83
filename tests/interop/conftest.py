"""Models that several tests share, each saved once a run."""

import families
import pytest


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
