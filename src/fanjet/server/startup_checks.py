"""Checks whether a loaded configuration can be served."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanjet.auth import TokenSettingsError, load_sections, startup_error_message
from fanjet.config.unsupported import refuse_unsupported
from fanjet.config.validation import validate
from fanjet.config.validation.startup import StartupProblem, startup_problems

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fanjet.config import Config


def check(config: Config) -> None:
    """Raises `ConfigError` for invalid values and unsupported features."""
    validate(config)
    refuse_unsupported(config)


def all_startup_problems(config: Config) -> Iterator[StartupProblem]:
    """Yield the reasons why a server with this valid configuration cannot start."""
    return startup_problems(config, _token_problems(config))


def _token_problems(config: Config) -> Iterator[StartupProblem]:
    """Problems with the keys of token verification."""
    try:
        load_sections(config.client, separate=config.client.subscription_token.enabled)
    except TokenSettingsError as error:
        yield StartupProblem(startup_error_message(error), {"key": error.key, "error": error})
