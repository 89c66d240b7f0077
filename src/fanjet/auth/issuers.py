"""Who may sign tokens, and what is taken from the claims of each (03 §6.1, §14.4)."""

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


class Authority(NamedTuple):
    """Verifies the signatures of its tokens; `mapping` is for connection tokens."""

    signatures: SignatureVerifier
    mapping: ClaimMapping | None


class Authorities(Protocol):
    """One for all tokens, or several."""

    def find(self, issuer: str, audience: tuple[str, ...]) -> Authority:
        """The one for a token with these claims, which nobody has verified yet. Raises `TokenInvalid` for none."""


class OneAuthority:
    """For every token."""

    def __init__(self, authority: Authority) -> None:
        self._authority = authority

    def find(self, issuer: str, audience: tuple[str, ...]) -> Authority:
        """The one there is."""
        return self._authority


class Providers:
    """Several, each for its issuer, and for one audience if it names one.

    A provider without audience takes what its issuer has signed for audiences that no other provider is for.
    """

    def __init__(self, providers: Iterable[tuple[JwksProvider, Authority]]) -> None:
        self._providers = tuple((one.issuer, one.audience, authority) for one, authority in providers)

    def find(self, issuer: str, audience: tuple[str, ...]) -> Authority:
        """The first one for issuer and audience, else the first one for the issuer alone."""
        fallback: Authority | None = None
        for for_issuer, for_audience, authority in self._providers:
            if for_issuer != issuer:
                continue
            if for_audience and for_audience in audience:
                return authority
            if not for_audience and fallback is None:
                fallback = authority
        if fallback is None:
            raise TokenInvalid("no JWKS provider for this issuer and audience")
        return fallback


def open_authorities(config: TokenConfig, static: StaticKeys) -> tuple[Authorities, list[Notice]]:
    """Those that the section configures, and what to tell about them. `static` counts when no keys are published.

    Raises `TokenSettingsError`. The patterns of the section must be valid.
    """
    if config.jwks.enabled:
        return _open_providers(config)
    mapping = claim_mapping(config.meta_from_claim, config.labels_from_claim)
    if config.jwks_public_endpoint:
        from .published_keys import endpoint_keys  # noqa: PLC0415 (its HTTP client takes long to import)

        keys, notices = endpoint_keys(config)
        return OneAuthority(Authority(keys, mapping)), notices
    algorithms = ", ".join(static.algorithms)
    notices = [Notice("info", "enabled JWT verifiers", {"algorithms": algorithms})] if algorithms else []
    return OneAuthority(Authority(static, mapping)), notices


def _open_providers(config: TokenConfig) -> tuple[Authorities, list[Notice]]:
    from .published_keys import provider_keys  # noqa: PLC0415 (its HTTP client takes long to import)

    opened: list[tuple[JwksProvider, Authority]] = []
    notices: list[Notice] = []
    for index, provider in enumerate(config.jwks.providers):
        if not provider.enabled:
            continue
        keys, told = provider_keys(config, provider, f"jwks.providers[{index}]")
        mapping = claim_mapping(provider.meta_from_claim, provider.labels_from_claim)
        opened.append((provider, Authority(keys, mapping)))
        notices += told
    return Providers(opened), notices
