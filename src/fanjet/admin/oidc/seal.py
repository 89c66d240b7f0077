"""Encryption of values that the server stores in cookies."""

from __future__ import annotations

import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12


class Seal:
    """Authenticated encryption for one purpose, with a key derived from a secret.

    Values encrypted for another purpose are rejected.
    """

    def __init__(self, secret: str, purpose: str) -> None:
        key = HKDF(SHA256(), _KEY_BYTES, salt=None, info=f"fanjet admin {purpose}".encode()).derive(secret.encode())
        self._cipher = AESGCM(key)

    def encrypt(self, content: bytes) -> str:
        """Return the encrypted content in characters allowed in cookies."""
        nonce = os.urandom(_NONCE_BYTES)
        return urlsafe_b64encode(nonce + self._cipher.encrypt(nonce, content, None)).decode().rstrip("=")

    def decrypt(self, sealed: bytes) -> bytes | None:
        """Return the decrypted content; None if it is not authentic."""
        try:
            opened = urlsafe_b64decode(sealed + b"=" * (-len(sealed) % 4))
            return self._cipher.decrypt(opened[:_NONCE_BYTES], opened[_NONCE_BYTES:], None)
        except (ValueError, InvalidTag):
            return None
