"""How requests publish by what their namespace says (05 §7)."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import Raw
from msgspec.structs import replace

from fanjet.api import publish_options as module
from fanjet.api.errors import BadRequest
from fanjet.api.publish_options import publish_options
from fanjet.api.requests import PublishRequest
from fanjet.config.tree.channel import ChannelOptions
from fanjet.engines.interfaces import PublishOptions

HISTORY = ChannelOptions(history_size=10, history_ttl=60.9, history_meta_ttl=3600)
OF_HISTORY = PublishOptions(history_size=10, history_ttl=60, history_meta_ttl=3600, is_json=True)


@pytest.mark.parametrize(
    ("namespace", "expected"),
    [
        pytest.param(ChannelOptions(), PublishOptions(is_json=True), id="nothing"),
        pytest.param(HISTORY, OF_HISTORY, id="history-in-whole-seconds"),
        pytest.param(ChannelOptions(delta_publish=True), PublishOptions(use_delta=True, is_json=True), id="delta"),
    ],
)
def test_a_plain_request_publishes_as_its_namespace_says(namespace: ChannelOptions, expected: PublishOptions) -> None:
    first = publish_options(namespace, PublishRequest(), b"1")
    assert first == expected
    assert publish_options(namespace, PublishRequest(channel="a"), b"2") is first


@pytest.mark.parametrize(
    ("fields", "changes"),
    [
        pytest.param({"skip_history": True}, {"history_size": 0, "history_ttl": 0}, id="no-history"),
        pytest.param({"delta": True}, {"use_delta": True}, id="delta"),
        pytest.param({"tags": {"a": "b"}}, {"tags": {"a": "b"}}, id="tags"),
        pytest.param({"idempotency_key": "k"}, {"idempotency_key": "k"}, id="idempotency-key"),
        pytest.param({"version": 3}, {"version": 3}, id="version"),
        pytest.param({"version_epoch": "e"}, {"version_epoch": "e"}, id="version-epoch"),
    ],
)
def test_what_a_request_says_changes_that(fields: dict[str, Any], changes: dict[str, Any]) -> None:
    assert publish_options(HISTORY, PublishRequest(**fields), b"1") == replace(OF_HISTORY, **changes)
    assert publish_options(HISTORY, PublishRequest(), b"1") == OF_HISTORY


@pytest.mark.parametrize("tags", [{}, {"a": "b"}], ids=["plain", "tags"])
@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"b64data": "MQ=="}, id="base64"),
        pytest.param({"data": b"1"}, id="from-a-way-in-that-carries-any-bytes"),
    ],
)
def test_what_did_not_come_as_json_text_is_not_known_to_be_json(fields: dict[str, Any], tags: dict[str, str]) -> None:
    request = PublishRequest(**fields, tags=tags)
    assert not publish_options(HISTORY, request, b"1").is_json
    assert publish_options(HISTORY, PublishRequest(data=Raw(b"1"), tags=tags), b"1").is_json


@pytest.mark.parametrize(
    ("namespace", "data"),
    [
        pytest.param(ChannelOptions(), b"", id="no-data"),
        pytest.param(ChannelOptions(subscription_type="map"), b"1", id="no-stream"),
        pytest.param(ChannelOptions(publication_data_format="json"), b"hi", id="no-json"),
    ],
)
def test_what_cannot_be_published(namespace: ChannelOptions, data: bytes) -> None:
    for _ in range(2):
        with pytest.raises(BadRequest):
            publish_options(namespace, PublishRequest(), data)


def test_options_of_a_new_configuration_count_at_once_and_old_ones_are_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MAX_CACHED", 5)
    for size in range(1, 50):
        namespace = ChannelOptions(history_size=size)
        assert publish_options(namespace, PublishRequest(), b"1").history_size == size
        assert len(module._rules_cache) <= 5
