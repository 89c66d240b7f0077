"""The server command as a process: configuration, log and exit status (04 §1, §8, §15)."""

import json
import os
import signal
import subprocess
import sys

import pytest

from tests.support.server import free_port

READY = "FANJET_READY"
"""An unknown variable: the warning about it comes when the server accepts connections and signals."""
SERVING = "serving websocket, api endpoints on "


class Process:
    """A server in the current directory."""

    def __init__(self, *arguments: str, **variables: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "fanjet", *arguments],
            env={**os.environ, READY: "1", **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.log: list[dict] = []

    def until(self, message: str) -> dict:
        for line in self._process.stderr:
            self.log.append(json.loads(line))
            if self.log[-1]["message"].startswith(message):
                return self.log[-1]
        raise AssertionError(self.log)

    def until_ready(self) -> dict:
        """Wait for the first line after the start, and return the one that said what is served."""
        self.until("unknown var in environment")
        return next(line for line in self.log if line["message"].startswith(SERVING))

    def stop(self) -> int:
        self._process.send_signal(signal.SIGTERM)
        return self.end()

    def end(self) -> int:
        out, err = self._process.communicate(timeout=30)
        assert out == ""
        self.log += [json.loads(line) for line in err.splitlines()]
        return self._process.returncode

    def messages(self) -> list[str]:
        return [line["message"] for line in self.log]


@pytest.fixture
def start():
    processes = []

    def start_(*arguments: str, **variables: str) -> Process:
        processes.append(Process(*arguments, **variables))
        return processes[-1]

    yield start_
    for process in processes:
        process._process.kill()
        process._process.communicate()


def test_a_missing_file_is_a_warning_and_unknown_variables_are_reported(start):
    port = free_port()
    server = start("-p", str(port), CENTRIFUGO_FOO="1", FANJET_BAR="")
    for _ in range(3):
        server.until("unknown var in environment")
    assert server.stop() == 0
    assert "config file not found, continue using environment and flag options" in server.messages()
    assert f"{SERVING}:{port}" in server.messages()
    assert {line["var"] for line in server.log if "var" in line} == {"CENTRIFUGO_FOO", "FANJET_BAR", READY}


def test_unknown_keys_are_reported_after_the_start(start, write):
    write({"clinet": {"a": 1}, "channel": {"namespaces": [{"name": "ns", "histroy_size": 1}]}})
    server = start("-p", str(free_port()))
    keys = {server.until("unknown key in configuration file")["key"] for _ in range(2)}
    assert keys == {"clinet", "channel.namespaces.[0].histroy_size"}
    assert server.stop() == 0


def test_dotenv_is_read_and_the_environment_wins_over_it(start, write):
    port, other = free_port(), free_port()
    write(f"CENTRIFUGO_HTTP_SERVER_PORT={port}\n", ".env")
    server = start()
    assert server.until_ready()["message"].endswith(f":{port}")
    assert server.stop() == 0
    assert "environment variables have been loaded from .env file" in server.messages()
    server = start(CENTRIFUGO_HTTP_SERVER_PORT=str(other))
    assert server.until_ready()["message"].endswith(f":{other}")


def test_flags_and_insecure_switches(start):
    server = start("--client.insecure", "--http_api.insecure", "-p", str(free_port()), "--health.enabled=false")
    server.until("INSECURE")
    server.until("INSECURE")
    assert server.stop() == 0


def test_with_a_log_file_nothing_is_written_elsewhere(start, tmp_path):
    server = start("--log.file", "x.log", "--log.level", "loud", "-p", "nothing")
    assert server.end() == 1
    assert server.messages() == ["error getting config"]
    (tmp_path / "x.log").unlink(missing_ok=True)
    server = start("--log.file", "x.log", "--log.level", "loud", "--engine.type", "rabbit")
    assert server.end() == 1
    assert server.log == []
    lines = [json.loads(line) for line in (tmp_path / "x.log").read_text().splitlines()]
    assert lines[0]["message"] == "unknown log level loud, defaulting to INFO"
    assert lines[-1]["level"] == "fatal"


@pytest.mark.parametrize(
    ("content", "arguments", "message", "error"),
    [
        pytest.param("{", [], "error getting config", "error reading config file config.json", id="broken-file"),
        pytest.param(
            {}, ["-c", "settings.conf"], "error getting config", 'Unsupported Config Type "conf"', id="extension"
        ),
        pytest.param(
            {"broker": {"type": "rabbit"}}, [], "error validating config", "unknown broker: rabbit", id="invalid"
        ),
        pytest.param(
            {"engine": {"type": "rabbit"}}, [], "configure engines error", "unknown engine type: rabbit", id="engine"
        ),
        pytest.param(
            {"client": {"ping_interval": "5s"}}, [], "ping_interval must be greater than pong_timeout", "", id="pings"
        ),
        pytest.param(
            {"broker": {"enabled": True, "type": "postgres", "postgres": {"dsn": "postgres://"}}},
            [],
            "error validating config",
            "broker.type: ",
            id="unbuilt",
        ),
        pytest.param({}, ["-p", "x"], "error getting config", 'http_server.port: cannot use "x" as int', id="port"),
    ],
)
def test_a_start_that_fails_says_why_and_exits_with_status_one(start, write, content, arguments, message, error):
    write(content)
    server = start(*arguments)
    assert server.end() == 1
    last = server.log[-1]
    assert (last["level"], last["message"]) == ("fatal", message)
    assert error in last.get("error", "")


@pytest.mark.parametrize("text", ["=x\n", "A B C=1\n", "'open"])
def test_a_malformed_dotenv_is_fatal(start, write, text):
    write(text, ".env")
    server = start()
    assert server.end() == 1
    assert server.log[-1]["message"] == "error loading .env file"


def test_the_pid_file_lives_as_long_as_the_server(start, tmp_path):
    server = start("--pid_file", "run.pid", "-p", str(free_port()))
    server.until_ready()
    file = tmp_path / "run.pid"
    assert file.read_text() == f"{server._process.pid}\n"
    assert file.stat().st_mode & 0o777 == 0o600
    assert server.stop() == 0
    assert not file.exists()
