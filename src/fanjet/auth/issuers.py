"""Trusted issuers of tokens, each with its verifier and claim mapping.

See 03 §6.1, §14.4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from fanjet.config.startup_notices import Notice

from .claim_mapping import ClaimMapping, claim_mapping
from .errors import TokenInvalid

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fanjet.config.tree.token import JwksProvider
    from fanjet.config.tree.token import Token as TokenConfig

    from .signature_verifier import SignatureVerifier
    from .static_keys import StaticKeys


class TrustedIssuer(NamedTuple):
    """A trusted issuer: signature verifier and claim mapping.

    The claim mapping is that of its connection tokens.
    """

    verifier: SignatureVerifier
    mapping: ClaimMapping | None


class IssuerLookup(Protocol):
    """Finds the trusted issuer of a token."""

    def find(self, issuer: str, audience: tuple[str, ...]) -> TrustedIssuer:
        """Return the issuer for these claims, which are not verified yet.

        Raises `TokenInvalid` if there is none.
        """


class AnyIssuer:
    """Uses one verifier for the tokens of all issuers."""

    def __init__(self, trusted: TrustedIssuer) -> None:
        self._trusted = trusted

    def find(self, issuer: str, audience: tuple[str, ...]) -> TrustedIssuer:
        """Return the only issuer."""
        return self._trusted


class ProviderLookup:
    """Looks up JWKS providers by issuer, and by audience if a provider names one.

    A provider without audience gets the tokens of its issuer for audiences that no other provider names.
    """

    def __init__(self, providers: Iterable[tuple[JwksProvider, TrustedIssuer]]) -> None:
        self._providers = tuple((one.issuer, one.audience, trusted) for one, trusted in providers)

    def find(self, issuer: str, audience: tuple[str, ...]) -> TrustedIssuer:
        """Return the first provider for issuer and audience.

        Without one, returns the first one for the issuer alone.
        """
        fallback: TrustedIssuer | None = None
        for for_issuer, for_audience, trusted in self._providers:
            if for_issuer != issuer:
                continue
            if for_audience and for_audience in audience:
                return trusted
            if not for_audience and fallback is None:
                fallback = trusted
        if fallback is None:
            raise TokenInvalid("no JWKS provider for this issuer and audience")
        return fallback


def issuer_lookup(config: TokenConfig, static: StaticKeys) -> tuple[IssuerLookup, list[Notice]]:
    """Build the issuer lookup of a section, with its startup notices.

    `static` is used if there is no JWKS endpoint.

    The patterns of the section must be valid. Raises `TokenSettingsError`.
    """
    if config.jwks.enabled:
        return _provider_lookup(config)
    mapping = claim_mapping(config.meta_from_claim, config.labels_from_claim)
    if config.jwks_public_endpoint:
        from .published_keys import endpoint_keys  # noqa: PLC0415 (its HTTP client takes long to import)

        keys, notices = endpoint_keys(config)
        return AnyIssuer(TrustedIssuer(keys, mapping)), notices
    algorithms = ", ".join(static.algorithms)
    notices = [Notice("info", "enabled JWT verifiers", {"algorithms": algorithms})] if algorithms else []
    return AnyIssuer(TrustedIssuer(static, mapping)), notices


def _provider_lookup(config: TokenConfig) -> tuple[IssuerLookup, list[Notice]]:
    from .published_keys import provider_keys  # noqa: PLC0415 (its HTTP client takes long to import)

    entries: list[tuple[JwksProvider, TrustedIssuer]] = []
    notices: list[Notice] = []
    for index, provider in enumerate(config.jwks.providers):
        if not provider.enabled:
            continue
        keys, provider_notices = provider_keys(config, provider, f"jwks.providers[{index}]")
        mapping = claim_mapping(provider.meta_from_claim, provider.labels_from_claim)
        entries.append((provider, TrustedIssuer(keys, mapping)))
        notices += provider_notices
    return ProviderLookup(entries), notices
