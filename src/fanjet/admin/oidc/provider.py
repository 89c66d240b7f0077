"""Client of an OpenID Connect provider (Discovery 1.0, Core 1.0 §3.1.3)."""

from __future__ import annotations

import asyncio
import time
from base64 import b64encode
from typing import TYPE_CHECKING, Final
from urllib.parse import quote_plus

from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar

from fanjet.auth.jwks.download import EndpointDown, download
from fanjet.auth.jwks.keyring import Keyring
from fanjet.protocol.json_encoding.document import Document
from fanjet.protocol.json_encoding.document_decoder import DocumentDecoder
from fanjet.protocol.json_encoding.scan import MalformedJSON
from fanjet.telemetry.logging import get_logger

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fanjet.auth.signature_verifier import Checks
    from fanjet.config.tree.operations import Oidc

log = get_logger(__name__)

DISCOVERY_PATH: Final = "/.well-known/openid-configuration"
METADATA_TTL_SECONDS: Final = 3600.0
RETRY_SECONDS: Final = 2.0
"""Delay before discovery is retried after a failure."""
EXCHANGE_TIMEOUT: Final = ClientTimeout(total=5.0)
MAX_RESPONSE_BYTES: Final = 1 << 20


class ProviderFailed(Exception):  # noqa: N818 (says what happened)
    """The provider cannot be reached or sent an invalid response.

    The text is for the log and contains no secret.
    """


class ProviderMetadata(Document, frozen=True):
    """Provider metadata (Discovery 1.0 §3)."""

    issuer: str = ""
    authorization_endpoint: str = ""
    token_endpoint: str = ""
    jwks_uri: str = ""
    token_endpoint_auth_methods_supported: list[str] = []


class _Tokens(Document, frozen=True):
    id_token: str = ""
    error: str = ""


_decode_metadata = DocumentDecoder(ProviderMetadata).decode
_decode_tokens = DocumentDecoder(_Tokens).decode


class Provider:
    """Caches the provider's metadata and keys, and exchanges codes for ID tokens."""

    def __init__(self, settings: Oidc) -> None:
        self._settings = settings
        self._keys = Keyring(download, without_use=True)
        self._metadata: ProviderMetadata | None = None
        self._refresh_at = 0.0
        self._discovery: asyncio.Task[None] | None = None

    async def metadata(self) -> ProviderMetadata:
        """Return the metadata, at most an hour old unless discovery fails.

        Raises `ProviderFailed` if it was never discovered.
        """
        if time.monotonic() >= self._refresh_at:
            if self._discovery is None:
                self._discovery = asyncio.get_running_loop().create_task(self._discover())
            await asyncio.shield(self._discovery)
        if self._metadata is None:
            raise ProviderFailed("the provider cannot be reached")
        return self._metadata

    async def _discover(self) -> None:
        issuer = self._settings.issuer
        try:
            found = _decode_metadata(await download(issuer.removesuffix("/") + DISCOVERY_PATH))
            if found.issuer != issuer:
                raise ProviderFailed(f"it calls itself {found.issuer}")
            if not (found.authorization_endpoint and found.token_endpoint and found.jwks_uri):
                raise ProviderFailed("its description lacks an endpoint")
        except (EndpointDown, MalformedJSON, ProviderFailed) as error:
            log.error("error asking OpenID Connect provider", issuer=issuer, error=error)
            self._refresh_at = time.monotonic() + RETRY_SECONDS
        else:
            self._metadata = found
            self._refresh_at = time.monotonic() + METADATA_TTL_SECONDS
        finally:
            self._discovery = None

    async def key(self, key_id: str) -> Checks:
        """Return the key of this id.

        Raises `TokenInvalid` if there is none, `KeysUnavailable`, `ProviderFailed`.
        """
        url = (await self.metadata()).jwks_uri
        return self._keys.find(url, key_id) or await self._keys.fetch(url, key_id)

    async def id_token(self, code: str, verifier: str) -> str:
        """Exchange a code and the PKCE verifier for an ID token. Raises `ProviderFailed`."""
        return await asyncio.get_running_loop().create_task(self._exchange(code, verifier))

    async def _exchange(self, code: str, verifier: str) -> str:
        metadata = await self.metadata()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._settings.redirect_uri,
            "code_verifier": verifier,
        }
        headers = self._client_authentication(metadata, form)
        try:
            async with (
                ClientSession(timeout=EXCHANGE_TIMEOUT, cookie_jar=DummyCookieJar()) as session,
                session.post(metadata.token_endpoint, data=form, headers=headers, allow_redirects=False) as answer,
            ):
                status, body = answer.status, await answer.content.read(MAX_RESPONSE_BYTES)
            tokens = _decode_tokens(body)
        except (ClientError, TimeoutError, OSError, ValueError) as error:
            raise ProviderFailed(f"error exchanging the code: {type(error).__name__}") from None
        if status != 200 or not tokens.id_token:
            raise ProviderFailed(f"no ID token for the code: status {status}, error {tokens.error!r}")
        return tokens.id_token

    def _client_authentication(self, metadata: ProviderMetadata, form: dict[str, str]) -> Mapping[str, str]:
        """Return authentication headers, or add fields to the form instead.

        The form is used if the provider does not support `client_secret_basic`.
        """
        settings = self._settings
        methods = metadata.token_endpoint_auth_methods_supported
        if not methods or "client_secret_basic" in methods:  # the default of Discovery 1.0 §3
            pair = f"{quote_plus(settings.client_id)}:{quote_plus(settings.client_secret)}"
            return {"Authorization": f"Basic {b64encode(pair.encode()).decode()}"}
        form |= {"client_id": settings.client_id, "client_secret": settings.client_secret}
        return {}
