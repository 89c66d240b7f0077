"""`fanjet version` (04 §7.1)."""

import platform

import typer

from fanjet import __version__
from fanjet.cli.options import IGNORES_ARGUMENTS


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command("version", context_settings=IGNORES_ARGUMENTS)
    def version() -> None:
        """Print the version."""
        print(f"Fanjet v{__version__} (Python version: {platform.python_version()})")
