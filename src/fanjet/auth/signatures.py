"""What verifies signatures, whatever the keys are."""

from typing import Protocol

from .jwt import Token


class SignatureVerifier(Protocol):
    """Knows keys, finds the one for a token by its algorithm and key id, and checks the signature."""

    def accepts(self, token: Token) -> bool:
        """Whether the signature is right."""
