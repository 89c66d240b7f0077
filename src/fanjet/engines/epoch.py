"""Epochs: one incarnation of a channel's stream has one (07 §2.1)."""

import secrets
from string import ascii_letters
from typing import Final

EPOCH_LENGTH: Final = 8


def new_epoch() -> str:
    """Eight random letters. Engines embed epochs in messages, so nothing else may occur in them (no `:`, no `_`)."""
    return "".join(secrets.choice(ascii_letters) for _ in range(EPOCH_LENGTH))
