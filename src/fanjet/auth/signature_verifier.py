"""What verifies signatures, wherever the keys come from."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from .jwt import Token

Check = Callable[[bytes, bytes], bool]
"""Whether the second argument is the signature of the first."""

Checks = Mapping[str, Check]
"""What one key can verify, by the name of the algorithm in a token's header."""


class SignatureVerifier(Protocol):
    """Knows keys, finds the one for a token by its algorithm and key id, and checks the signature."""

    def verify(self, token: Token, groups: Mapping[str, str]) -> bool | Awaitable[bool]:
        """Whether the signature is right: at once, or, when a key has to be fetched first, later.

        `groups`: what the named groups of the patterns for issuer and audience have found in the token (03 §6.3).
        Raises `TokenInvalid` for tokens that say too little to find a key, `KeysUnavailable` when keys cannot be had.
        """
