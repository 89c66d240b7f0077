"""Logins to the console by an OpenID Connect provider (10 I.1)."""

from urllib.parse import urlsplit

from fanjet.config.cel import ExpressionError, compile_expression
from fanjet.config.tree.operations import Oidc
from fanjet.config.tree.root import Config
from fanjet.config.validation.problem import Problems, within

REQUIRED = ("display_name", "issuer", "client_id", "redirect_uri", "access_cel")
SHORTEST_SECRET = 32
"""Characters of `admin.secret` where it encrypts logins."""
CALLBACK = "/admin/oidc/callback"


def oidc(config: Config) -> Problems:
    """What is needed is there and can be used."""
    if config.admin.oidc.enabled:
        yield from within("admin.oidc", _settings(config.admin.oidc))
        if config.admin.oidc.client_secret and len(config.admin.secret) < SHORTEST_SECRET:
            yield f"admin.secret must have at least {SHORTEST_SECRET} characters when admin.oidc.client_secret is set"


def _settings(settings: Oidc) -> Problems:
    for key in REQUIRED:
        if not getattr(settings, key):
            yield f"{key} is required"
    for key in ("issuer", "redirect_uri"):
        address = getattr(settings, key)
        if address and not _is_address(address):
            yield f'{key}: "{address}" must be an address that begins with https:// or http://'
    if settings.client_secret and not urlsplit(settings.redirect_uri).path.endswith(CALLBACK):
        yield f'redirect_uri: "{settings.redirect_uri}" must end with {CALLBACK} when client_secret is set'
    if settings.access_cel:
        try:
            compile_expression(settings.access_cel, about_claims=True)
        except ExpressionError as error:
            yield f'access_cel: "{settings.access_cel}" {error}'


def _is_address(text: str) -> bool:
    try:
        split = urlsplit(text)
        _ = split.port  # raises for what is none
    except ValueError:
        return False
    return split.scheme in ("http", "https") and bool(split.hostname) and not split.fragment
