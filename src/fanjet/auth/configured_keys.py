"""Public keys from the configuration (03 §6.1)."""

from fanjet.config.tree.token import Token as TokenConfig

from .errors import PublicKeyError
from .pem import InvalidKey, read_ecdsa_key, read_rsa_key
from .public_keys import ecdsa_checks, rsa_checks
from .signature_verifier import Check


def configured_checks(config: TokenConfig) -> dict[str, Check]:
    """Return the checks of the configured public keys by algorithm.

    Raises `PublicKeyError`.
    """
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
