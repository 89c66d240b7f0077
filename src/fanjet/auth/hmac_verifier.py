"""HS256, HS384 and HS512 checks, with a previous secret during rotation (03 §6.9)."""

from collections.abc import Callable

from fanjet.config.tree.token import Token as TokenConfig

from .hmac_secret import HASHES, HMACSecret
from .signature_verifier import Check


def current_checks(config: TokenConfig) -> dict[str, Check]:
    """Return the checks of the current secret by algorithm.

    There are none if the secret is empty.
    """
    return _checks_with(config.hmac_secret_key)


def all_checks(config: TokenConfig, clock: Callable[[], float]) -> dict[str, Check]:
    """Return the checks of the current secret and of the previous one.

    The previous secret is included as long as it is valid. `clock` returns Unix seconds.
    """
    current = current_checks(config)
    previous = _checks_with(config.hmac_previous_secret_key)
    until = config.hmac_previous_secret_key_valid_until
    return current | {
        name: _current_or_previous(current.get(name), check, until, clock) for name, check in previous.items()
    }


def _checks_with(secret: str) -> dict[str, Check]:
    return {name: HMACSecret(secret.encode(), new_hash).verify for name, new_hash in HASHES.items()} if secret else {}


def _current_or_previous(current: Check | None, previous: Check, until: int, clock: Callable[[], float]) -> Check:
    def check(signed: bytes, signature: bytes) -> bool:
        if current is not None and current(signed, signature):
            return True
        return (until <= 0 or int(clock()) <= until) and previous(signed, signature)

    return check
