"""Signatures by published keys (03 §6.3)."""

from collections.abc import Awaitable, Mapping
from functools import partial

from fanjet.auth.errors import TokenInvalid
from fanjet.auth.jwt import Token
from fanjet.auth.signature_verifier import Checks

from .download import ClientTLS, download
from .endpoint import Endpoint
from .keyring import Keyring


class JWKSVerifier:
    """Finds keys at one endpoint and keeps them."""

    def __init__(self, endpoint: Endpoint, tls: ClientTLS | None = None) -> None:
        self._endpoint = endpoint
        self._keyring = Keyring(partial(download, tls=tls))

    def verify(self, token: Token, groups: Mapping[str, str]) -> bool | Awaitable[bool]:
        """Whether the signature is right; later when the key has to be fetched. Raises `TokenInvalid` for a token
        that names no key, or one that cannot be fetched; the latter, and `KeysUnavailable`, possibly later, too."""
        if not token.key_id:
            raise TokenInvalid("kid is not provided")
        url = self._endpoint.resolve(groups)
        key = self._keyring.find(url, token.key_id)
        return self._fetch_and_verify(url, token) if key is None else _verify(key, token)

    async def _fetch_and_verify(self, url: str, token: Token) -> bool:
        return _verify(await self._keyring.fetch(url, token.key_id), token)


def _verify(key: Checks, token: Token) -> bool:
    check = key.get(token.algorithm)
    return check is not None and check(token.signed, token.signature)
