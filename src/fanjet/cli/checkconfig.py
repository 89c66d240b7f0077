"""`fanjet checkconfig` (04 §7.3)."""

from typing import Annotated

import typer

from fanjet.cli.options import DEFAULT_PATH, IGNORES_ARGUMENTS, ConfigPath, fail, load_or_fail
from fanjet.config import ConfigError
from fanjet.config.validation import validate

Strict = Annotated[bool, typer.Option("--strict", "-s", help="fail on unknown keys")]


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command("checkconfig", context_settings=IGNORES_ARGUMENTS)
    def checkconfig(config: ConfigPath = DEFAULT_PATH, strict: Strict = False) -> None:
        """Check a configuration file."""
        loaded = load_or_fail(config, "error getting config")
        if not loaded.file_found:
            fail("config file not found")
        try:
            validate(loaded.config)
        except ConfigError as error:
            fail(f"error validating config: {error}")
        if strict and loaded.unknown_keys:
            fail(f"unknown keys in config: {', '.join(loaded.unknown_keys)}")
