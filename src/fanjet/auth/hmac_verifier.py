"""HS256, HS384 and HS512, with a previous key while keys are changed (03 §6.9)."""

from collections.abc import Callable
from hmac import compare_digest

from fanjet.config.tree.token import Token as TokenConfig

from .hmac_secret import HASHES, HMACSecret
from .jwt import Token

Secrets = dict[str, HMACSecret]
"""One secret by algorithm, empty when there is none."""


class HMACVerifier:
    """Accepts what was signed with the current secret, or with the previous one as long as that is valid.

    An empty secret is none. `clock` gives Unix seconds.
    """

    def __init__(self, config: TokenConfig, clock: Callable[[], float]) -> None:
        self._current = _prepare(config.hmac_secret_key)
        self._previous = _prepare(config.hmac_previous_secret_key)
        self._previous_valid_until = config.hmac_previous_secret_key_valid_until
        self._clock = clock

    @property
    def algorithms(self) -> tuple[str, ...]:
        """What the current secret is good for."""
        return tuple(self._current)

    def accepts(self, token: Token) -> bool:
        """Whether the signature is right. Takes the same time whatever is wrong with it."""
        return _signed_with(self._current, token) or (self._previous_counts() and _signed_with(self._previous, token))

    def _previous_counts(self) -> bool:
        until = self._previous_valid_until
        return until <= 0 or int(self._clock()) <= until


def _prepare(secret: str) -> Secrets:
    return {name: HMACSecret(secret.encode(), new_hash) for name, new_hash in HASHES.items()} if secret else {}


def _signed_with(secrets: Secrets, token: Token) -> bool:
    secret = secrets.get(token.algorithm)
    return secret is not None and compare_digest(secret.sign(token.signed), token.signature)
