"""Commands that talk to a running server."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.paths import ROOT
from tests.support.server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator

CONFIG = {
    "channel": {"without_namespace": {"presence": True, "history_size": 10, "history_ttl": "60s"}},
    "health": {"enabled": True},
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(CONFIG, tmp_path_factory.mktemp("remote"))
    running.start()
    yield running
    running.stop()


@pytest.fixture
def config(server: Server) -> str:
    return str(server.folder / "config.json")


def test_publications_are_confirmed_and_tailed(fanjet, server: Server, config: str) -> None:
    ran = fanjet("publish", "tailed", '{"n": 1}', "-c", config)
    assert (ran.status, ran.out.startswith("published into tailed, offset 1 in epoch")) == (0, True)
    words = [sys.executable, "-m", "fanjet", "tail", "tailed", "-c", config, "--json", "--history", "5", "--count", "1"]
    environment = server.environment | {"PYTHONPATH": str(ROOT / "src")}
    with subprocess.Popen(words, stdout=subprocess.PIPE, env=environment, text=True) as tail:
        assert tail.stdout is not None
        assert json.loads(tail.stdout.readline()) == {"data": {"n": 1}, "offset": 1}
        while "fanjet-tail" not in fanjet("presence", "tailed", "-c", config).out:
            assert tail.poll() is None
        assert json.loads(fanjet("publish", "tailed", "2", "-c", config, "--json").out)["offset"] == 2
        assert json.loads(tail.stdout.readline()) == {"data": 2, "offset": 2}
        assert tail.wait(10) == 0


def test_nodes_are_listed(fanjet, config: str) -> None:
    assert fanjet("info", "-c", config).out.splitlines()[0].split() == [
        "NODE", "VERSION", "UPTIME", "CLIENTS", "USERS", "SUBSCRIPTIONS", "CHANNELS",
    ]  # fmt: skip
    assert json.loads(fanjet("info", "-c", config, "--json").out)["num_clients"] == 0


def test_an_unreachable_server_is_reported(fanjet, config: str) -> None:
    ran = fanjet("presence", "lonely", "-c", config)
    assert (ran.status, ran.out) == (0, "nobody is in lonely\n")


@pytest.mark.parametrize(
    ("words", "text"),
    [
        pytest.param(["publish", "a", "hello"], "data is not JSON", id="data"),
        pytest.param(["publish", "a", "1", "--tags", "x"], "tags is not JSON", id="tags"),
        pytest.param(["publish", "nowhere:a", "1"], "error 102: unknown channel", id="channel"),
        pytest.param(["info", "--key", "wrong"], "does not take the API key", id="key"),
        pytest.param(["info", "--url", "http://127.0.0.1:1/api"], "cannot be reached", id="nobody-there"),
        pytest.param(["tail", "a", "--ws", "ws://127.0.0.1:1/x"], "cannot be reached", id="tail-nobody-there"),
        pytest.param(["tail", "nowhere:a"], "subscribing to nowhere:a: unknown channel (102)", id="tail-channel"),
    ],
)
def test_errors_are_printed(fanjet, config: str, words: list[str], text: str) -> None:
    ran = fanjet(*words, "-c", config)
    assert (ran.status, ran.out) == (1, "")
    assert text in ran.err


def test_a_healthy_server_has_no_failures(fanjet, config: str) -> None:
    ran = fanjet("doctor", "-c", config)
    assert ran.status == 0, ran.out
    assert "FAIL" not in ran.out
    assert "answers: 1 nodes" in ran.out


def test_the_doctor_says_what_to_change(fanjet, write) -> None:
    backend = {"connect": {"enabled": True, "endpoint": "http://127.0.0.1:1/connect"}}
    path = write({"http_server": {"port": 1}, "client": {"insecure": True, "proxy": backend}, "nonsense": 1})
    ran = fanjet("doctor", "-c", str(path), "--json")
    found = {(line["level"], line["subject"]): line for line in map(json.loads, ran.out.splitlines())}
    assert ran.status == 1
    assert "127.0.0.1:1" in found["fail", "client.proxy.connect"]["text"]
    assert found["fail", "server"]["advice"]
    assert "nonsense" in found["warn", "configuration"]["text"]
    assert any("client.insecure" in line["text"] for line in map(json.loads, ran.out.splitlines()))


def test_the_doctor_looks_for_every_engine(fanjet, write) -> None:
    nowhere = "127.0.0.1:1"
    redis, nats = {"address": nowhere}, {"url": f"nats://{nowhere}"}
    path = write(
        {
            "enable_unreleased_features": True,
            "broker": {"enabled": True, "type": "redisnats", "redis": redis, "nats": nats},
            "brokers": [{"name": "light", "enabled": True, "type": "nats", "nats": nats}],
            "presence_managers": [{"name": "people", "enabled": True, "redis": {"cluster_address": nowhere}}],
            "controller": {"enabled": True, "type": "nats", "nats": nats},
        }
    )
    ran = fanjet("doctor", "-c", str(path), "--json")
    failed = {line["subject"] for line in map(json.loads, ran.out.splitlines()) if line["level"] == "fail"}
    engines = {"broker.redis", "broker.nats", "brokers.light.nats", "presence_managers.people.redis", "controller.nats"}
    assert failed == engines | {"server"}
