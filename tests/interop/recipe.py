"""Runs the training recipes of configs/ within the process of the tests, or gives the command line for it."""

import signal
import sys
from contextlib import contextmanager

import pytest


def words(**given):
    """Options as a command line has them: None and False are left out, True is a flag."""
    found = []
    for name, value in given.items():
        if value is None or value is False:
            continue
        found.append("--" + name.replace("_", "-"))
        if value is not True:
            found += map(str, value if isinstance(value, (list, tuple)) else [value])
    return found


def run_within(monkeypatch, module, options):
    """The recipe's exit status, or what it raises; the signals of this process stay as they are."""
    monkeypatch.setattr(sys, "argv", ["recipe", *options])
    monkeypatch.setattr(signal, "signal", lambda number, handler: None)
    return module.run(module.parse(), module.Group())


@contextmanager
def killed_at_first_checkpoint(monkeypatch, store):
    """The recipe that runs within ends when it has saved a checkpoint."""
    save = store.save_checkpoint

    def save_and_die(*arguments):
        save(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(store, "save_checkpoint", save_and_die)
        yield
