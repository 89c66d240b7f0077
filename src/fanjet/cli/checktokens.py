"""`fanjet checktoken` and `fanjet checksubtoken`: verify a token as the server does (04 §7.9, §7.10)."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Annotated, Any

import typer

from fanjet.auth import (
    ConnectionVerifier,
    PublicKeyError,
    Sections,
    SubscriptionVerifier,
    TokenExpired,
    TokenInvalid,
    TokenSettingsError,
    load_sections,
)
from fanjet.auth.jwt import parse_token
from fanjet.channels.namespaces import Namespaces
from fanjet.cli.options import DEFAULT_PATH, IGNORES_ARGUMENTS, ConfigPath, fail, load_valid
from fanjet.cli.tokens import described_user
from fanjet.config import Config
from fanjet.protocol.codes import ReplyError

Resolve = Callable[[str], object]
Verdict = Callable[[Sections, Resolve, str], Coroutine[Any, Any, str]]
Words = Annotated[list[str] | None, typer.Argument(metavar="TOKEN", help="the token")]


def register(app: typer.Typer) -> None:
    """Add both commands."""

    @app.command("checktoken", context_settings=IGNORES_ARGUMENTS)
    def checktoken(words: Words = None, config: ConfigPath = DEFAULT_PATH) -> None:
        """Check a connection token."""
        check(load_valid(config).config, words, "checktoken", connection_verdict)

    @app.command("checksubtoken", context_settings=IGNORES_ARGUMENTS)
    def checksubtoken(words: Words = None, config: ConfigPath = DEFAULT_PATH) -> None:
        """Check a subscription token."""
        check(load_valid(config).config, words, "checksubtoken", subscription_verdict)


def check(config: Config, words: list[str] | None, command: str, verdict: Verdict) -> None:
    """Print the verdict and the payload, or what is wrong, which exits with status 1: keys that are none, the number of
    arguments, the token's form, the other settings, the token."""
    try:
        sections: Sections | TokenSettingsError = _load_sections(config)
    except PublicKeyError as error:
        fail(f"error: {error}")
    except TokenSettingsError as error:
        sections = error
    text = _only(words, command)
    try:
        token = parse_token(text)
    except TokenInvalid as error:
        fail(f"error: {error}")
    payload = token.claims.decode("utf-8", "replace")
    try:
        if isinstance(sections, TokenSettingsError):
            raise sections
        print(f"{asyncio.run(verdict(sections, Namespaces(config.channel).resolve, text))}\npayload: {payload}")
    except (TokenInvalid, TokenExpired, ReplyError, TokenSettingsError) as error:
        kind = "invalid token: " if isinstance(error, TokenInvalid) else ""
        fail(f"error: token with algorithm {token.algorithm} and claims {payload} has error: {kind}{error}")


async def connection_verdict(sections: Sections, resolve: Resolve, text: str) -> str:
    """Verify as the server does; the text names the user of the token. Raises as the verifier."""
    user = (await ConnectionVerifier(sections.connection, resolve=resolve).verify(text)).user
    return f"valid token for user {user}" if user else "valid token for anonymous user"


async def subscription_verdict(sections: Sections, resolve: Resolve, text: str) -> str:
    """Verify as the server does; the text names user and channel of the token. Raises as the verifier."""
    token = await SubscriptionVerifier(sections.subscription, resolve=resolve).verify(text)
    return f'valid subscription token for {described_user(token.user)} and channel "{token.channel}"'


def _load_sections(config: Config) -> Sections:
    return load_sections(config.client, separate=config.client.subscription_token.enabled)


def _only(words: list[str] | None, command: str) -> str:
    if words is None or len(words) != 1:
        fail(f"error: provide token to check [fanjet {command} <TOKEN>]")
    return words[0]
