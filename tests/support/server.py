"""A real server process with its own configuration, on a port of its own.

`FANJET_TEST_SERVER` may name the command of another server that takes the same configuration, with `{config}` where the
path of the file belongs; it is meant for finding out whether a test or the server is wrong.
"""

import contextlib
import copy
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp

from tests.support.paths import ROOT
from tests.support.tokens import SECRET

Config = Mapping[str, Any]

API_KEY = "test-api-key"
COMMAND = "{python} -m fanjet -c {config}"
START_SECONDS = 30.0
STOP_SECONDS = 30.0

BASE: dict[str, Any] = {
    "http_server": {"address": "127.0.0.1"},
    "http_api": {"key": API_KEY},
    "client": {"token": {"hmac_secret_key": SECRET}},
}


def merge(base: Config, over: Config) -> dict[str, Any]:
    """Deep-merge two configurations; `over` wins, lists are replaced."""
    merged: dict[str, Any] = copy.deepcopy(dict(base))
    for key, value in over.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = merge(merged[key], value) if both else value
    return merged


def free_port(wanted: int = 0) -> int:
    """Return a TCP port of 127.0.0.1 that nobody listens on, and that nobody else gets while this process runs. Raises
    OSError when it has to be one that is not free.

    A socket stays bound to it without listening. So the system chooses the port for nobody, neither for a server nor
    for a client, but lets those listen who want this very port and set SO_REUSEADDR, as servers do.
    """
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        held.bind(("127.0.0.1", wanted))
    except OSError:
        held.close()
        raise
    port = held.getsockname()[1]
    held.detach()  # open until the process ends
    return int(port)


class ApiError(Exception):
    """The server API answered with an error."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code} {message}")
        self.code = code


class Process:
    """A process that listens on a port of 127.0.0.1. What it prints is kept, and must be free of tracebacks."""

    def __init__(self, words: list[str], port: int, folder: Path) -> None:
        self.words = words
        self.port = port
        self.folder = folder
        self.environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "PYTHONUNBUFFERED": "1"}
        self.process: subprocess.Popen[bytes] | None = None
        self.user: str | None = None
        self.scheme = "http"

    @property
    def url(self) -> str:
        """Base of its HTTP endpoints."""
        return f"{self.scheme}://127.0.0.1:{self.port}"

    @property
    def ws_url(self) -> str:
        """The WebSocket endpoint."""
        return f"ws://127.0.0.1:{self.port}/connection/websocket"

    @property
    def pid(self) -> int:
        """Process id while it runs."""
        assert self.process is not None
        return self.process.pid

    @property
    def log(self) -> str:
        """Everything it has printed so far, over all starts."""
        return (self.folder / "log").read_text(errors="replace")

    def start(self) -> None:
        """Start the process and return when it accepts connections."""
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                self.words, cwd=self.folder, env=self.environment, stdout=log, stderr=log, user=self.user
            )
        self._await_listening(time.monotonic() + START_SECONDS)

    def _await_listening(self, deadline: float) -> None:
        assert self.process is not None
        while self.process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.02)
        status = self.process.poll()
        self.process.kill()
        self.process.wait()
        raise RuntimeError(f"nothing listens on {self.port}, exit status {status}:\n{self.log[-3000:]}")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """End the process, wait for it and return its exit status."""
        if self.process is None:
            return 0
        process, self.process = self.process, None
        process.send_signal(how)
        try:
            status = process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"it did not stop within {STOP_SECONDS} s:\n{self.log[-3000:]}") from None
        assert "Traceback" not in self.log, f"it logged a traceback:\n{self.log[-6000:]}"
        return status

    def restart(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Stop, then start on the same port. Blocks: call it in a thread where an event loop must run on."""
        self.stop(how)
        self.start()


class Server(Process):
    """A server with a configuration of its own, `config` merged over `BASE`."""

    def __init__(self, config: Config, folder: Path) -> None:
        merged = merge(BASE, config)
        port = merged["http_server"].setdefault("port", free_port())
        self.config = merged
        path = folder / "config.json"
        path.write_text(json.dumps(merged))
        command = shlex.split(os.environ.get("FANJET_TEST_SERVER", COMMAND))
        super().__init__([word.format(config=path, python=sys.executable) for word in command], port, folder)
        self.scheme = "https" if merged["http_server"].get("tls", {}).get("enabled") else "http"

    async def api(self, method: str, body: Config | None = None) -> dict[str, Any]:
        """Call the server API; return the result or raise `ApiError`."""
        return await self.post(method, json.dumps(body or {}))

    async def post(self, method: str, body: str) -> dict[str, Any]:
        """Call the server API with a body as it is written; return the result or raise `ApiError`."""
        headers = {"X-API-Key": API_KEY, "Content-Type": "application/json"}
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{self.url}/api/{method}", data=body.encode(), headers=headers, ssl=False) as response,
        ):
            answer = await response.json()
        if error := answer.get("error"):
            raise ApiError(error["code"], error["message"])
        return dict(answer["result"])
