"""`fanjet defaultenv` (04 §7.5)."""

import os
from collections.abc import Iterator
from typing import Annotated, cast

import typer

from fanjet.cli.options import IGNORES_ARGUMENTS, BasePath, load_base
from fanjet.config import Config
from fanjet.config.load import decode_file
from fanjet.config.render import environment_variables
from fanjet.config.schema import NAMED_LISTS, Group, Path, group_of, item_slug, variable_suffix
from fanjet.config.sources.decode import Sparse
from fanjet.config.sources.environment import PREFIX
from fanjet.config.sources.file import FileTree, read_file

NonZeroOnly = Annotated[bool, typer.Option("--base-non-zero-only", help="only what the base file sets to something")]


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command("defaultenv", context_settings=IGNORES_ARGUMENTS)
    def defaultenv(base: BasePath = "", base_non_zero_only: NonZeroOnly = False) -> None:
        """Print every environment variable with its effective value."""
        variables = environment_variables(load_base(base).config)
        names = set(written_variables(base)) if base_non_zero_only else set(variables)
        for name in sorted(names & variables.keys()):
            print(f"{name}={variables[name]}")


def written_variables(path: str) -> Iterator[str]:
    """Yield the names of the variables whose keys a file sets to more than a zero. The file has been loaded before."""
    root = group_of(Config)
    file = read_file(path) if path else FileTree(found=False)
    yield from _written(root, decode_file(root, file, os.environ), ())


def _written(group: Group, values: Sparse, at: Path) -> Iterator[str]:
    for path, key in group.walk():
        value = _get(values, path)
        if not value:
            continue
        yield PREFIX + variable_suffix((*at, *path))
        if path in NAMED_LISTS and not at and key.item is not None:
            for item in cast("list[Sparse]", value):
                yield from _written(key.item, item, (*path, item_slug(str(item.get("name", "")))))


def _get(values: Sparse, path: Path) -> object:
    value: object = values
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value
