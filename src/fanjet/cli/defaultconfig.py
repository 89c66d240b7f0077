"""`fanjet defaultconfig` (04 §7.4)."""

from pathlib import Path
from typing import Annotated

import typer

from fanjet.cli.genconfig import write_private
from fanjet.cli.options import DEFAULT_PATH, IGNORES_ARGUMENTS, BasePath, ConfigPath, fail, load_base
from fanjet.config import ConfigError
from fanjet.config.formats import write_tree
from fanjet.config.render import plain_tree

DryRun = Annotated[bool, typer.Option("--dry-run", "-d", help="print instead of writing the file")]


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command("defaultconfig", context_settings=IGNORES_ARGUMENTS)
    def defaultconfig(config: ConfigPath = DEFAULT_PATH, base: BasePath = "", dry_run: DryRun = False) -> None:
        """Write a configuration with every key and its effective value."""
        if not dry_run and Path(config).exists():
            fail("error: target file already exists")
        loaded = load_base(base)
        try:
            text = write_tree(plain_tree(loaded.config), config)
            if dry_run:
                print(text)
            else:
                write_private(config, text)
        except (ConfigError, OSError) as error:
            fail(f"error: {error}")
