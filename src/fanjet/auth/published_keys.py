"""Verifiers for keys from JWKS endpoints, after safety checks (03 §6.3)."""

from fanjet.config.startup_notices import Notice
from fanjet.config.tree.token import JwksProvider
from fanjet.config.tree.token import Token as TokenConfig
from fanjet.net.tls import TLSError, client_context

from .errors import TokenSettingsError
from .jwks.download import ClientTLS
from .jwks.endpoint import Endpoint, without_password
from .jwks.safety import check_endpoint_safety
from .jwks.verifier import JWKSVerifier


def endpoint_keys(config: TokenConfig) -> tuple[JWKSVerifier, list[Notice]]:
    """Build the verifier of `jwks_public_endpoint`, with its startup notices.

    Raises `TokenSettingsError`.
    """
    address = config.jwks_public_endpoint
    endpoint = Endpoint(address, "jwks_public_endpoint")
    notice = Notice("info", "JWKS manager created", {"endpoint": without_password(address)})
    return JWKSVerifier(endpoint), [*_safety_notices(config, endpoint), notice]


def provider_keys(config: TokenConfig, provider: JwksProvider, key: str) -> tuple[JWKSVerifier, list[Notice]]:
    """Build the verifier of the provider at `key` in the section.

    Raises `TokenSettingsError`.
    """
    endpoint = Endpoint(provider.endpoint, f"{key}.endpoint")
    fields: dict[str, object] = {"endpoint": without_password(provider.endpoint), "provider": provider.name}
    notice = Notice("info", "JWKS manager created", fields)
    return JWKSVerifier(endpoint, _tls(provider, f"{key}.tls")), [*_safety_notices(config, endpoint), notice]


def _safety_notices(config: TokenConfig, endpoint: Endpoint) -> list[Notice]:
    """Return a warning if the endpoint is unsafe and the check is disabled.

    Raises `TokenSettingsError` if it is unsafe and the check is enabled.
    """
    patterns = {"issuer_regex": config.issuer_regex, "audience_regex": config.audience_regex}
    try:
        check_endpoint_safety(endpoint.placeholders, patterns)
    except TokenSettingsError as error:
        if not config.insecure_skip_jwks_endpoint_safety_check:
            raise
        message = "INSECURE JWKS endpoint template: tokens of anybody can choose where keys are fetched from"
        return [Notice("warn", message, {"error": error})]
    return []


def _tls(provider: JwksProvider, key: str) -> ClientTLS | None:
    if not provider.tls.enabled:
        return None
    try:
        context = client_context(provider.tls, f"JWKS provider {provider.name}")
    except TLSError as error:
        raise TokenSettingsError(key, str(error)) from None
    return ClientTLS(context, provider.tls.server_name)
