"""Loading: file, flags and environment become one `Config` (04 §1.2).

Validation is a separate step.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from fanjet.config.errors import ConfigError, MisfitError
from fanjet.config.schema import Group, group_of
from fanjet.config.sources.decode import Sparse, decode_group
from fanjet.config.sources.environment import Environment
from fanjet.config.sources.file import FileTree, normalise, read_file
from fanjet.config.sources.flags import apply_flags
from fanjet.config.sources.unknown import unknown_keys
from fanjet.config.sources.weak import weak_rules
from fanjet.config.tree.root import Config


@dataclass(frozen=True, slots=True)
class Loaded:
    """A loaded configuration, with the unknown keys and variables found.

    It may still be invalid.
    """

    config: Config
    path: str = ""
    """The requested file; empty for none."""
    file_found: bool = False
    unknown_keys: tuple[str, ...] = ()
    unknown_vars: tuple[str, ...] = ()
    flags: Mapping[str, str] = field(default_factory=dict)
    """The flags given, by key."""
    dotenv: bool = False
    """Whether a `.env` file was read into the environment before."""


def load_config(
    path: str = "",
    env: Mapping[str, str] | None = None,
    flags: Mapping[str, str] | None = None,
    *,
    dotenv: bool = False,
) -> Loaded:
    """Load the configuration from file, environment and flags.

    The file is at `path` (none when empty), the environment is `env` (the process's by default), and `flags` are by
    key. A file that cannot be opened is no error, see `Loaded.file_found`. Raises ConfigError.
    """
    variables = os.environ if env is None else env
    flags = flags or {}
    file = read_file(path) if path else FileTree(found=False)
    root = group_of(Config)
    values = decode_file(root, file, variables)
    given = apply_flags(root, flags, values, weak_rules(variables))
    environment = Environment(variables)
    environment.apply(root, values, given)
    return Loaded(
        config=Config.model_validate(values),
        path=path,
        file_found=file.found,
        unknown_keys=tuple(unknown_keys(root, file.tree)),
        unknown_vars=tuple(environment.unknown()),
        flags=flags,
        dotenv=dotenv,
    )


def config_of(tree: Mapping[str, Any]) -> Config:
    """The configuration from a mapping with the keys of configuration files.

    The environment is not used. Raises ConfigError, also for unknown keys.
    """
    root = group_of(Config)
    try:
        normal = normalise(msgspec.json.decode(msgspec.json.encode(tree)))
    except TypeError as error:
        raise ConfigError(f"configuration with a value that files cannot have: {error}") from None
    for key in unknown_keys(root, normal):
        raise ConfigError(f"unknown key in configuration: {key}")
    return Config.model_validate(decode_file(root, FileTree(True, normal), {}))


def reload_config(loaded: Loaded) -> Loaded:
    """Load again from the same file and flags and the present environment.

    Raises ConfigError.

    A file that was there before and cannot be opened now is an error: it never means defaults (04 §4).
    """
    again = load_config(loaded.path, flags=loaded.flags)
    if loaded.file_found and not again.file_found:
        raise ConfigError(f"config file {loaded.path} was read at start and cannot be opened now")
    return again


def decode_file(root: Group, file: FileTree, variables: Mapping[str, str]) -> Sparse:
    """Decode the contents of a file; zeros are left out. Raises ConfigError."""
    try:
        return decode_group(root, file.tree, weak_rules(variables))
    except MisfitError as misfit:
        raise ConfigError(f"error unmarshalling config: {misfit}") from None
