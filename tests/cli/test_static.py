"""`fanjet serve` (04 §7.11)."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

from tests.support.server import free_port


def test_files_are_served_with_listing_and_index(tmp_path):
    (tmp_path / "a.txt").write_text("hello")
    port = free_port()
    arguments = [sys.executable, "-m", "fanjet", "serve", "-d", str(tmp_path), "-p", str(port), "-a", "127.0.0.1"]
    with subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=os.environ
    ) as server:
        try:
            assert server.stdout.readline() == f"start serving {tmp_path} on 127.0.0.1:{port}\n"
            assert fetch(port, "/a.txt") == "hello"
            assert "a.txt" in fetch(port, "/")
            (tmp_path / "index.html").write_text("front")
            assert fetch(port, "/") == "front"
        finally:
            server.kill()


def fetch(port: int, path: str, patience: float = 10.0) -> str:
    """The line that a test waits for is printed before the port is open: ask until it is."""
    deadline = time.monotonic() + patience
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}") as response:
                return response.read().decode()
        except urllib.error.URLError as error:
            if time.monotonic() > deadline or not isinstance(error.reason, ConnectionRefusedError):
                raise
        time.sleep(0.02)


def test_a_port_in_use_is_an_error(fanjet):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ran = fanjet("serve", "-a", "127.0.0.1", "-p", str(taken.getsockname()[1]))
    assert ran.status == 1
    assert "in use" in ran.out
