"""Keys that stand in the configuration (03 §6.1)."""

from collections.abc import Callable, Mapping

from fanjet.config.tree.token import Token as TokenConfig

from .hmac_verifier import HMACVerifier
from .jwt import Token
from .signatures import Check


class StaticKeys:
    """One secret, one RSA and one ECDSA key at most; a token's algorithm says which one it was signed with.

    Raises `TokenSettingsError`. `clock` gives Unix seconds.
    """

    def __init__(self, config: TokenConfig, clock: Callable[[], float]) -> None:
        self._hmac = HMACVerifier(config, clock)
        self._checks = _public_key_checks(config)

    @property
    def algorithms(self) -> tuple[str, ...]:
        """What the current keys are good for."""
        return (*self._hmac.algorithms, *self._checks)

    def accepts(self, token: Token, named: Mapping[str, str]) -> bool:
        """Whether the signature is right."""
        check = self._checks.get(token.algorithm)
        return self._hmac.accepts(token) if check is None else check(token.signed, token.signature)


def _public_key_checks(config: TokenConfig) -> dict[str, Check]:
    if not config.rsa_public_key and not config.ecdsa_public_key:
        return {}
    from .configured_keys import configured_checks  # noqa: PLC0415 (cryptography takes 25 ms and 8 MB)

    return configured_checks(config)
