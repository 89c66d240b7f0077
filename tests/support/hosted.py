"""Runs a server inside uvicorn or hypercorn: `python tests/support/hosted.py uvicorn config.json`.

FANJET_TEST_SERVER='{python} $PWD/tests/support/hosted.py uvicorn {config}' .venv/bin/pytest tests/sdk
"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import fanjet
from fanjet.config import load_config

if TYPE_CHECKING:
    from fanjet.embed.asgi import AsgiApplication


def serve_by_uvicorn(application: AsgiApplication, address: str, port: int) -> None:
    """Serve until a signal ends it."""
    import uvicorn  # noqa: PLC0415 (only one of both is needed)

    uvicorn.run(application, host=address, port=port, access_log=False, log_level="warning")


def serve_by_hypercorn(application: AsgiApplication, address: str, port: int) -> None:
    """Serve until a signal ends it."""
    from hypercorn import Config  # noqa: PLC0415
    from hypercorn.asyncio import serve  # noqa: PLC0415

    config = Config()
    config.bind = [f"{address}:{port}"]
    config.errorlog = None
    asyncio.run(serve(application, config))  # type: ignore[arg-type]  # its types are narrower than the interface


HOSTS = {"uvicorn": serve_by_uvicorn, "hypercorn": serve_by_hypercorn}

if __name__ == "__main__":
    host, path = sys.argv[1:]
    http = load_config(path).config.http_server
    HOSTS[host](fanjet.Server(path).asgi(), http.address, http.port)
