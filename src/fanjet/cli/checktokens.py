"""`fanjet checktoken` and `fanjet checksubtoken`: what the server would say to a token (04 §7.9, §7.10)."""

import asyncio
from collections.abc import Callable
from typing import Annotated

import typer

from fanjet.auth import (
    ConnectionVerifier,
    Sections,
    SubscriptionVerifier,
    TokenExpired,
    TokenInvalid,
    TokenSettingsError,
    open_sections,
)
from fanjet.auth.jwt import parse_token
from fanjet.channels.namespaces import Namespaces
from fanjet.cli.options import DEFAULT_PATH, IGNORES_ARGUMENTS, ConfigPath, fail, load_valid
from fanjet.cli.tokens import described_user
from fanjet.config import Config
from fanjet.protocol.codes import ReplyError

Words = Annotated[list[str] | None, typer.Argument(metavar="TOKEN", help="the token")]


def register(app: typer.Typer) -> None:
    """Add both commands."""

    @app.command("checktoken", context_settings=IGNORES_ARGUMENTS)
    def checktoken(words: Words = None, config: ConfigPath = DEFAULT_PATH) -> None:
        """Check a connection token."""
        loaded = load_valid(config).config
        sections = _open_sections(loaded)
        check(_only(words, "checktoken"), lambda text: connection_verdict(loaded, sections, text))

    @app.command("checksubtoken", context_settings=IGNORES_ARGUMENTS)
    def checksubtoken(words: Words = None, config: ConfigPath = DEFAULT_PATH) -> None:
        """Check a subscription token."""
        loaded = load_valid(config).config
        sections = _open_sections(loaded)
        check(_only(words, "checksubtoken"), lambda text: subscription_verdict(loaded, sections, text))


def check(text: str, verdict: Callable[[str], str]) -> None:
    """Print the verdict and the payload, or what is wrong, which exits with status 1."""
    try:
        token = parse_token(text)
    except TokenInvalid as error:
        fail(f"error: {error}")
    payload = token.claims.decode("utf-8", "replace")
    try:
        print(f"{verdict(text)}\npayload: {payload}")
    except (TokenInvalid, TokenExpired, ReplyError) as error:
        kind = "invalid token: " if isinstance(error, TokenInvalid) else ""
        fail(f"error: token with algorithm {token.algorithm} and claims {payload} has error: {kind}{error}")


def connection_verdict(config: Config, sections: Sections, text: str) -> str:
    """Verify as the server does and say for whom the token is. Raises what the verifier raises."""
    verifier = ConnectionVerifier(sections.connection, resolve=Namespaces(config.channel).resolve)
    user = asyncio.run(verifier.verify(text)).user
    return f"valid token for user {user}" if user else "valid token for anonymous user"


def subscription_verdict(config: Config, sections: Sections, text: str) -> str:
    """Verify as the server does and say for whom and what the token is. Raises what the verifier raises."""
    verifier = SubscriptionVerifier(sections.subscription, resolve=Namespaces(config.channel).resolve)
    token = asyncio.run(verifier.verify(text))
    return f'valid subscription token for {described_user(token.user)} and channel "{token.channel}"'


def _open_sections(config: Config) -> Sections:
    try:
        return open_sections(config.client, separate=config.client.subscription_token.enabled)
    except TokenSettingsError as error:
        fail(f"error: {error.key}: {error}")


def _only(words: list[str] | None, command: str) -> str:
    if words is None or len(words) != 1:
        fail(f"error: provide token to check [fanjet {command} <TOKEN>]")
    return words[0]
