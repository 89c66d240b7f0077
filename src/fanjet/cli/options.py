"""Options and steps that several commands share."""

from typing import Annotated, NoReturn

import typer

from fanjet.config import ConfigError, Loaded, load_config
from fanjet.config.validation import validate

IGNORES_ARGUMENTS = {"allow_extra_args": True}
"""Context settings of commands: positional arguments that they do not know are ignored (04 §7)."""

ConfigPath = Annotated[str, typer.Option("--config", "-c", help="path of the configuration file", metavar="PATH")]
BasePath = Annotated[str, typer.Option("--base", "-b", help="file whose values overlay the defaults", metavar="PATH")]

DEFAULT_PATH = "config.json"


def fail(text: object) -> NoReturn:
    """Print an error to standard output, as the contract specifies, and exit with status 1."""
    print(text)
    raise typer.Exit(1)


def load_valid(path: str) -> Loaded:
    """Load and validate as `checkconfig` does; a missing file is no error. Prints and exits on failure."""
    loaded = load_or_fail(path, "error getting config")
    try:
        validate(loaded.config)
    except ConfigError as error:
        fail(f"error validating config: {error}")
    return loaded


def load_or_fail(path: str, prefix: str) -> Loaded:
    """Load without validating. Prints `prefix` and the error, and exits on failure."""
    try:
        return load_config(path)
    except ConfigError as error:
        fail(f"{prefix}: {error}")


def load_base(path: str) -> Loaded:
    """Load and validate a base for generated output; no path means defaults and environment."""
    loaded = load_or_fail(path, "error")
    try:
        validate(loaded.config)
    except ConfigError as error:
        fail(f"error: {error}")
    return loaded
