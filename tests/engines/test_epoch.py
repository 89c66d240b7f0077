"""Epochs."""

from fanjet.engines.epoch import new_epoch


def test_epochs_are_eight_letters_and_differ():
    epochs = {new_epoch() for _ in range(1000)}
    assert len(epochs) == 1000
    assert all(len(epoch) == 8 and epoch.isascii() and epoch.isalpha() for epoch in epochs)
