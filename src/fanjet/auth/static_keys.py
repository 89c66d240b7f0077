"""Keys that stand in the configuration (03 §6.1)."""

from collections.abc import Callable, Mapping

from fanjet.config.tree.token import Token as TokenConfig

from .errors import PublicKeyError
from .hmac_verifier import HMACVerifier
from .jwt import Token
from .pem import InvalidKey, read_ecdsa_key, read_rsa_key
from .public_keys import Check, ecdsa_checks, rsa_checks


class StaticKeys:
    """One secret, one RSA and one ECDSA key at most; a token's algorithm says which one it was signed with.

    Raises `TokenSettingsError`. `clock` gives Unix seconds.
    """

    def __init__(self, config: TokenConfig, clock: Callable[[], float]) -> None:
        self._hmac = HMACVerifier(config, clock)
        self._checks = public_key_checks(config)

    @property
    def algorithms(self) -> tuple[str, ...]:
        """What the current keys are good for."""
        return (*self._hmac.algorithms, *self._checks)

    def accepts(self, token: Token, named: Mapping[str, str]) -> bool:
        """Whether the signature is right."""
        check = self._checks.get(token.algorithm)
        return self._hmac.accepts(token) if check is None else check(token.signed, token.signature)


def public_key_checks(config: TokenConfig) -> dict[str, Check]:
    """Read the configured public keys. Raises `PublicKeyError`."""
    checks: dict[str, Check] = {}
    if config.rsa_public_key:
        try:
            checks |= rsa_checks(read_rsa_key(config.rsa_public_key))
        except InvalidKey as error:
            raise PublicKeyError("rsa_public_key", f"error parsing RSA public key: {error}") from None
    if config.ecdsa_public_key:
        try:
            checks |= ecdsa_checks(read_ecdsa_key(config.ecdsa_public_key))
        except InvalidKey as error:
            raise PublicKeyError("ecdsa_public_key", f"error parsing ECDSA public key: {error}") from None
    return checks
