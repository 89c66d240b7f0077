"""HS256, HS384 and HS512, with a previous key while keys are changed (03 §6.9)."""

from collections.abc import Callable
from hmac import compare_digest, digest
from typing import Final

from fanjet.config.tree.token import Token as TokenConfig

from .jwt import Token

_HASHES: Final = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}


class HMACVerifier:
    """Accepts what was signed with the current secret, or with the previous one as long as that is valid.

    An empty secret is none. `clock` gives Unix seconds.
    """

    def __init__(self, config: TokenConfig, clock: Callable[[], float]) -> None:
        self._current = config.hmac_secret_key.encode()
        self._previous = config.hmac_previous_secret_key.encode()
        self._previous_valid_until = config.hmac_previous_secret_key_valid_until
        self._clock = clock

    def accepts(self, token: Token) -> bool:
        """Whether the signature is right. Takes the same time whatever is wrong with it."""
        return _signed_with(self._current, token) or (self._previous_counts() and _signed_with(self._previous, token))

    def _previous_counts(self) -> bool:
        until = self._previous_valid_until
        return until <= 0 or int(self._clock()) <= until


def _signed_with(secret: bytes, token: Token) -> bool:
    hash_name = _HASHES.get(token.algorithm)
    if not secret or hash_name is None:
        return False
    return compare_digest(digest(secret, token.signed, hash_name), token.signature)
