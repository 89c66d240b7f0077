"""The configuration and the start-up message of the development server."""

import pytest

from fanjet.config.validation import validate
from fanjet.dev.settings import ListenAddress, allowed_origins, dev_config, startup_message


def test_the_configuration_is_valid_and_open() -> None:
    config = dev_config(ListenAddress())
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
    ("listen", "origins"),
    [
        pytest.param(
            ListenAddress(),
            ("http://127.0.0.1:8000", "http://localhost:8000", "http://\\[::1\\]:8000"),
            id="loopback-by-any-of-its-names",
        ),
        pytest.param(ListenAddress("192.168.1.5", 9000), ("http://192.168.1.5:9000",), id="one-interface"),
        pytest.param(ListenAddress("fd00::5", 9000), ("http://\\[fd00::5\\]:9000",), id="brackets-escaped"),
        pytest.param(ListenAddress("0.0.0.0", 9000), ("http://*:9000",), id="all-interfaces"),
    ],
)
def test_only_its_own_page_may_connect(listen: ListenAddress, origins: tuple[str, ...]) -> None:
    assert allowed_origins(listen) == origins


@pytest.mark.parametrize(
    "word", ["client.insecure", "http_api.insecure", "INSECURE", "http://127.0.0.1:8000/api/publish"]
)
def test_insecure_settings_are_announced(word: str) -> None:
    assert word in startup_message(ListenAddress(), "1.0")


@pytest.mark.parametrize(
    ("listen", "warned"),
    [
        pytest.param(ListenAddress(), False, id="loopback"),
        pytest.param(ListenAddress("localhost"), False, id="localhost"),
        pytest.param(ListenAddress("::1"), False, id="loopback-v6"),
        pytest.param(ListenAddress("0.0.0.0"), True, id="all"),
        pytest.param(ListenAddress("192.168.1.5"), True, id="one-interface"),
        pytest.param(ListenAddress("my-laptop"), True, id="host-name"),
    ],
)
def test_a_reachable_address_is_warned_about(listen: ListenAddress, warned: bool) -> None:
    assert ("everyone who can reach" in startup_message(listen, "1.0")) == warned
