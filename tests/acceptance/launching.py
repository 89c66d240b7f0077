"""Starting servers with flags and variables, and telling what they logged."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any

from tests.support.server import Server, free_port
from tests.support.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.server import Config


class Launcher:
    """Servers in folders of their own; `stop_all` ends those that run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: list[Server] = []

    def __call__(self, config: Config | None, *flags: str, **variables: str) -> Server:
        """Start a server; without a configuration it finds no file, and is given a port.

        Raises `RuntimeError`, with exit status and log in its text, when it does not start.
        """
        folder = self._folder / f"server-{len(self._running)}"
        folder.mkdir()
        process = Server(config or {}, folder)
        if config is None:
            (folder / "config.json").unlink()
            process.port = free_port()
            flags = ("-p", str(process.port), *flags)
        process.words += flags
        process.environment |= variables
        self._running.append(process)
        process.start()
        return process

    def stop_all(self) -> None:
        """End what runs."""
        for process in self._running:
            process.stop()


def lines(process: Server) -> list[dict[str, Any]]:
    """What it has logged, all of it JSON objects. Lines come a little later than what they tell, until it has ended."""
    return [json.loads(line) for line in process.log.splitlines()]


def warnings(process: Server) -> list[str]:
    """The messages of its warnings."""
    return [line["message"] for line in lines(process) if line["level"] == "warn"]


async def logged(process: Server, message: str) -> None:
    """Wait until it has logged the message."""

    async def is_there() -> bool:
        return message in process.log

    await until(is_there)


def accepts_connections(process: Server) -> bool:
    """Whether somebody listens on its port."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", process.port)) == 0
