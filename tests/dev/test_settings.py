"""What the development server is configured with, and what it tells its user."""

import pytest

from fanjet.config.validation import validate
from fanjet.dev.settings import Place, allowed_origins, announcement, dev_config


def test_the_configuration_is_valid_and_open() -> None:
    config = dev_config(Place())
    validate(config)
    assert (config.http_server.address, config.http_server.port) == ("127.0.0.1", 8000)
    assert config.client.insecure
    assert config.http_api.insecure
    options = config.channel.without_namespace
    assert options.presence
    assert options.join_leave
    assert options.history_size > 0
    assert options.history_ttl > 0


@pytest.mark.parametrize(
    ("place", "origins"),
    [
        pytest.param(
            Place(),
            ("http://127.0.0.1:8000", "http://localhost:8000", "http://\\[::1\\]:8000"),
            id="loopback-by-any-of-its-names",
        ),
        pytest.param(Place("192.168.1.5", 9000), ("http://192.168.1.5:9000",), id="one-interface"),
        pytest.param(Place("fd00::5", 9000), ("http://\\[fd00::5\\]:9000",), id="brackets-escaped"),
        pytest.param(Place("0.0.0.0", 9000), ("http://*:9000",), id="all-interfaces"),
    ],
)
def test_only_its_own_page_may_connect(place: Place, origins: tuple[str, ...]) -> None:
    assert allowed_origins(place) == origins


@pytest.mark.parametrize(
    "word", ["client.insecure", "http_api.insecure", "INSECURE", "http://127.0.0.1:8000/api/publish"]
)
def test_insecure_choices_are_announced(word: str) -> None:
    assert word in announcement(Place(), "1.0")


@pytest.mark.parametrize(
    ("place", "warned"),
    [
        pytest.param(Place(), False, id="loopback"),
        pytest.param(Place("localhost"), False, id="localhost"),
        pytest.param(Place("::1"), False, id="loopback-v6"),
        pytest.param(Place("0.0.0.0"), True, id="all"),
        pytest.param(Place("192.168.1.5"), True, id="one-interface"),
        pytest.param(Place("my-laptop"), True, id="host-name"),
    ],
)
def test_an_address_that_others_can_reach_is_warned_of(place: Place, warned: bool) -> None:
    assert ("everyone who can reach" in announcement(place, "1.0")) == warned
