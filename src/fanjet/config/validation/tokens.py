"""Claims that are mapped, and several JWKS providers (03 §14.4)."""

import re
from collections.abc import Mapping, Sequence

from fanjet.config.claim_path import parse_claim_path
from fanjet.config.tree.root import Config
from fanjet.config.tree.token import JwksProvider, Token
from fanjet.config.validation.problem import Problems, repeated, within

MAPPINGS = ("meta_from_claim", "labels_from_claim")

_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PROVIDER_NAME = re.compile(r"[a-zA-Z0-9_]{2,}")


def claim_mappings(config: Config) -> Problems:
    """Keys and paths can be used, and only connection tokens have something to map."""
    client = config.client
    yield from within("in client.token", _mappings(client.token))
    separate = client.subscription_token
    for place, section in (("", separate), *_named(separate.jwks.providers)):
        for key in MAPPINGS:
            if getattr(section, key):
                names = ", ".join(getattr(section, key))
                yield f"in client.subscription_token: {place}{key} ({names}) is for connection tokens only"


def jwks_providers(config: Config) -> Problems:
    """Enabled providers are complete and can be distinguished."""
    yield from within("in client.token", _providers(config.client.token))
    yield from within("in client.subscription_token", _providers(config.client.subscription_token))


def _mappings(token: Token) -> Problems:
    for place, section in (("", token), *_named(token.jwks.providers)):
        for key in MAPPINGS:
            yield from within(f"{place}{key}", _mapping(getattr(section, key)))


def _mapping(mapping: Mapping[str, str]) -> Problems:
    for key, path in mapping.items():
        if not _KEY.fullmatch(key):
            yield f'invalid key "{key}", must match ^[A-Za-z_][A-Za-z0-9_]*$ regular expression'
        try:
            parse_claim_path(path)
        except ValueError as error:
            yield f'invalid path "{path}" of key "{key}": {error}'


def _providers(token: Token) -> Problems:
    if not token.jwks.enabled:
        return
    if token.jwks_public_endpoint:
        yield "jwks_public_endpoint can not be used together with enabled jwks.providers, configure only one of them"
    providers = token.jwks.providers
    for provider, again in zip(providers, repeated(each.name for each in providers), strict=True):
        if not _PROVIDER_NAME.fullmatch(provider.name):
            yield f"invalid JWKS provider name: {provider.name}, must match ^[a-zA-Z0-9_]{{2,}}$ regular expression"
        if again:
            yield f"invalid JWKS provider name: {provider.name}, must be unique"
        if provider.enabled:
            yield from within(f"in JWKS provider {provider.name}", _required(provider))
    yield from _ambiguous([each for each in providers if each.enabled])


def _required(provider: JwksProvider) -> Problems:
    for key in ("endpoint", "issuer"):
        if not getattr(provider, key):
            yield f"{key} is required"


def _ambiguous(providers: Sequence[JwksProvider]) -> Problems:
    """Providers with the same issuer, unless each is for an audience of its own."""
    seen: dict[str, JwksProvider] = {}
    audiences: set[tuple[str, str]] = set()
    for provider in providers:
        other = seen.setdefault(provider.issuer, provider)
        names = f"JWKS providers {other.name} and {provider.name} have the same issuer {provider.issuer}"
        if (provider.issuer, provider.audience) in audiences:
            yield f'{names} and audience "{provider.audience}"'
        elif other is not provider and not (other.audience and provider.audience):
            yield f"{names}, each must have an audience of its own"
        audiences.add((provider.issuer, provider.audience))


def _named(providers: Sequence[JwksProvider]) -> list[tuple[str, JwksProvider]]:
    return [(f"JWKS provider {each.name}: ", each) for each in providers]
