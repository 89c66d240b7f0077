"""Whether a configuration that has been loaded can be served."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanjet.auth import TokenSettingsError, open_sections, refusal_message
from fanjet.config.unsupported import refuse_unbuilt
from fanjet.config.validation import validate
from fanjet.config.validation.startup import Refusal, start_refusals

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fanjet.config import Config


def check(config: Config) -> None:
    """Raises `ConfigError` for what is invalid and for what is not built."""
    validate(config)
    refuse_unbuilt(config)


def refusals(config: Config) -> Iterator[Refusal]:
    """Why a server with this valid configuration does not start, if there is anything."""
    return start_refusals(config, _token_refusals(config))


def _token_refusals(config: Config) -> Iterator[Refusal]:
    """What keeps tokens from being verified."""
    try:
        open_sections(config.client, separate=config.client.subscription_token.enabled)
    except TokenSettingsError as error:
        yield Refusal(refusal_message(error), {"key": error.key, "error": error})
