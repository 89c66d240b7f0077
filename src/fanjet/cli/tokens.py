"""`fanjet gentoken` and `fanjet gensubtoken`: HMAC-signed tokens for trying things out (04 §7.7, §7.8)."""

from typing import Annotated

import typer

from fanjet.cli.options import DEFAULT_PATH, IGNORES_ARGUMENTS, ConfigPath, fail, load_or_fail
from fanjet.config.duration import format_duration

WEEK = 604800
"""Default lifetime of a token in seconds."""

User = Annotated[str, typer.Option("--user", "-u", help="user ID; empty = anonymous")]
Channel = Annotated[str, typer.Option("--channel", "-s", help="channel")]
Ttl = Annotated[int, typer.Option("--ttl", "-t", help="seconds until expiration, -1 = none")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="print the token alone")]


def register(app: typer.Typer) -> None:
    """Add both commands."""

    @app.command("gentoken", context_settings=IGNORES_ARGUMENTS)
    def gentoken(config: ConfigPath = DEFAULT_PATH, user: User = "", ttl: Ttl = WEEK, quiet: Quiet = False) -> None:
        """Generate a connection token."""
        from fanjet.auth.token_generation import claims, sign  # noqa: PLC0415 - the other commands need none of it

        settings = load_or_fail(config, "error getting config").config.client.token
        token = sign(settings.hmac_secret_key or _no_secret("gentoken"), claims(settings, user, ttl))
        _print(token, f"{described_user(user)} {_validity(ttl)}", quiet)

    @app.command("gensubtoken", context_settings=IGNORES_ARGUMENTS)
    def gensubtoken(
        config: ConfigPath = DEFAULT_PATH,
        user: User = "",
        channel: Channel = "",
        ttl: Ttl = WEEK,
        quiet: Quiet = False,
    ) -> None:
        """Generate a subscription token."""
        from fanjet.auth.token_generation import claims, sign, subscription_settings  # noqa: PLC0415

        if not channel:
            fail("channel is required")
        settings = subscription_settings(load_or_fail(config, "error getting config").config.client)
        secret = settings.hmac_secret_key or _no_secret("gensubtoken")
        token = sign(secret, claims(settings, user, ttl) | {"channel": channel})
        _print(token, f'{described_user(user)} and channel "{channel}" {_validity(ttl)}', quiet)


def _print(token: str, description: str, quiet: bool) -> None:
    print(token, end="") if quiet else print(f"HMAC SHA-256 JWT for {description}:\n{token}")


def described_user(user: str) -> str:
    """Return how messages call a user."""
    return f'user "{user}"' if user else "anonymous user"


def _validity(ttl: int) -> str:
    return "without expiration" if ttl < 0 else f"with expiration TTL {format_duration(ttl)}"


def _no_secret(command: str) -> str:
    fail(
        f"error: {command} only supports generating HMAC-signed tokens, but no HMAC secret key is set "
        "(client.token.hmac_secret_key)"
    )
