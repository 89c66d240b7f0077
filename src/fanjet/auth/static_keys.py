"""The verifier with keys from the configuration (03 §6.1)."""

from collections.abc import Callable, Mapping

from fanjet.config.tree.token import Token as TokenConfig

from .hmac_verifier import all_checks, current_checks
from .jwt import Token
from .signature_verifier import Check


class StaticKeys:
    """At most one secret, one RSA and one ECDSA key.

    The algorithm of a token selects the key. `clock` returns Unix seconds. Raises `TokenSettingsError`.
    """

    def __init__(self, config: TokenConfig, clock: Callable[[], float]) -> None:
        public = _public_key_checks(config)
        self._checks = all_checks(config, clock) | public
        self.algorithms = (*current_checks(config), *public)
        """Algorithms of the current keys."""

    def verify(self, token: Token, groups: Mapping[str, str]) -> bool:
        """Return whether the signature is valid."""
        check = self._checks.get(token.algorithm)
        return check is not None and check(token.signed, token.signature)


def _public_key_checks(config: TokenConfig) -> dict[str, Check]:
    if not config.rsa_public_key and not config.ecdsa_public_key:
        return {}
    from .configured_keys import configured_checks  # noqa: PLC0415 (cryptography takes 25 ms and 8 MB)

    return configured_checks(config)
