"""`fanjet genconfig` (04 §7.2)."""

import base64
import os
import secrets
from pathlib import Path

import typer

from fanjet.cli.options import DEFAULT_PATH, IGNORES_ARGUMENTS, ConfigPath, fail, load_valid
from fanjet.config import ConfigError
from fanjet.config.formats import write_tree

SECRET_BYTES = 64
PASSWORD_BYTES = 16


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command("genconfig", context_settings=IGNORES_ARGUMENTS)
    def genconfig(config: ConfigPath = DEFAULT_PATH) -> None:
        """Write a minimal configuration with fresh secrets."""
        if Path(config).exists():
            fail(f"error: output config file already exists: {config}")
        try:
            text = write_tree(minimal_tree(), config)
            write_private(config, text)
        except (ConfigError, OSError) as error:
            fail(f"error: {error}")
        try:
            load_valid(config)
        except typer.Exit:
            Path(config).unlink()
            raise


def minimal_tree() -> dict[str, object]:
    """Return a minimal configuration: secrets, and the two most common settings."""
    return {
        "client": {"token": {"hmac_secret_key": random_text(SECRET_BYTES)}, "allowed_origins": []},
        "admin": {"enabled": False, "password": random_text(PASSWORD_BYTES), "secret": random_text(SECRET_BYTES)},
        "http_api": {"key": random_text(SECRET_BYTES)},
    }


def random_text(size: int) -> str:
    """Return `size` random bytes in unpadded URL-safe base64."""
    return base64.urlsafe_b64encode(secrets.token_bytes(size)).rstrip(b"=").decode()


def write_private(path: str, text: str) -> None:
    """Create a file that only its owner can read. Raises OSError, also when it exists."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
