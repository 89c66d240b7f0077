"""The verifier with keys from a JWKS endpoint (03 §6.3)."""

from collections.abc import Awaitable, Mapping
from functools import partial

from fanjet.auth.errors import TokenInvalid
from fanjet.auth.jwt import Token
from fanjet.auth.signature_verifier import Checks

from .download import ClientTLS, download
from .endpoint import Endpoint
from .keyring import Keyring


class JWKSVerifier:
    """Verifies signatures with keys that it fetches from one endpoint and caches."""

    def __init__(self, endpoint: Endpoint, tls: ClientTLS | None = None) -> None:
        self._endpoint = endpoint
        self._keyring = Keyring(partial(download, tls=tls))

    def verify(self, token: Token, groups: Mapping[str, str]) -> bool | Awaitable[bool]:
        """Return whether the signature is valid.

        The result is an awaitable if the key has to be fetched. Raises `TokenInvalid` if the token names no key. The
        awaitable raises `TokenInvalid` for an unknown key and `KeysUnavailable`.
        """
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
