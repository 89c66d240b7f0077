"""The interface of signature verifiers."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from .jwt import Token

Check = Callable[[bytes, bytes], bool]
"""Returns whether the second argument is the signature of the first."""

Checks = Mapping[str, Check]
"""The checks of one key by algorithm, the `alg` of a token's header."""


class SignatureVerifier(Protocol):
    """Finds the key of a token by algorithm and key id, and checks the signature."""

    def verify(self, token: Token, groups: Mapping[str, str]) -> bool | Awaitable[bool]:
        """Return whether the signature is valid; an awaitable if a key has to be fetched.

        `groups`: values of the named groups of the issuer and audience patterns (03 §6.3). Raises `TokenInvalid` if
        the token does not identify a key, `KeysUnavailable` if keys cannot be fetched.
        """
