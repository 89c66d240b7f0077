"""Subscription options by source (03 §4.2)."""

import pytest
from msgspec import Struct

from fanjet.channels.subscription import (
    Source,
    SubscriptionOptions,
    from_grant,
    from_namespace,
    from_server_api,
    is_stream,
)
from fanjet.config.tree.channel import ChannelOptions
from fanjet.protocol.messages import FilterNode
from fanjet.protocol.tags_filter import InvalidFilter, TagsFilter


class Value(Struct, frozen=True):
    value: bool = False


class Override(Struct, frozen=True):
    presence: Value | None = None
    join_leave: Value | None = None
    force_push_join_leave: Value | None = None
    force_recovery: Value | None = None
    force_positioning: Value | None = None


class Grant(Struct, frozen=True):
    info: bytes = b""
    data: bytes = b""
    override: Override | None = None
    server_tags_filter: FilterNode | None = None


FULL = ChannelOptions(
    presence=True,
    join_leave=True,
    force_push_join_leave=True,
    force_positioning=True,
    force_recovery=True,
    force_recovery_mode="cache",
    auto_cache_recover=True,
    allowed_delta_types=("fossil",),
    allow_tags_filter=True,
    history_meta_ttl=60.0,
)


def test_without_token_the_namespace_decides_everything():
    assert from_namespace(FULL, Source.CLIENT_ALLOWED) == SubscriptionOptions(
        Source.CLIENT_ALLOWED,
        presence=True,
        join_leave=True,
        push_join_leave=True,
        positioning=True,
        recovery=True,
        cache_mode=True,
        auto_recover=True,
        allowed_delta_types=("fossil",),
        allow_tags_filter=True,
        history_meta_ttl=60,
    )
    assert from_namespace(ChannelOptions(), Source.USER_PERSONAL) == SubscriptionOptions(Source.USER_PERSONAL)


def test_a_token_brings_info_data_and_expiry():
    made = from_grant(FULL, Source.SUBSCRIPTION_TOKEN, Grant(b"info", b"data"), expire_at=5)
    assert (made.chan_info, made.data, made.expire_at) == (b"info", b"data", 5)
    assert made.source is Source.SUBSCRIPTION_TOKEN
    assert made.history_meta_ttl == 60
    assert made.allow == ()
    assert made.server_tags_filter is None
    assert made.cache_mode
    assert made.auto_recover
    assert made.allowed_delta_types == ("fossil",)


def test_a_token_brings_capabilities_and_a_filter():
    node = FilterNode(key="team", cmp="eq", val="eng")
    made = from_grant(FULL, Source.SUBSCRIPTION_TOKEN, Grant(server_tags_filter=node), allow=["pub", "hst"])
    assert made.allow == ("pub", "hst")
    assert made.server_tags_filter == TagsFilter(node)


def test_an_invalid_filter_of_a_token_is_no_filter_to_go_without():
    with pytest.raises(InvalidFilter):
        from_grant(FULL, Source.CONNECTION_TOKEN, Grant(server_tags_filter=FilterNode(cmp="eq")))


@pytest.mark.parametrize(
    ("option", "field"),
    [
        ("presence", "presence"),
        ("join_leave", "join_leave"),
        ("force_push_join_leave", "push_join_leave"),
        ("force_recovery", "recovery"),
        ("force_positioning", "positioning"),
    ],
)
@pytest.mark.parametrize("namespace_has_it", [True, False])
@pytest.mark.parametrize("override", [None, True, False])
def test_overrides_replace_what_they_name(option, field, namespace_has_it, override):
    options = ChannelOptions(**{option: namespace_has_it})
    replaced = Override(**({} if override is None else {option: Value(override)}))
    expected = namespace_has_it if override is None else override
    by_token = from_grant(options, Source.CONNECTION_TOKEN, Grant(override=replaced))
    by_api = from_server_api(options, info=b"", data=b"", expire_at=0, override=replaced)
    for made in (by_token, by_api):
        assert getattr(made, field) is expected


def test_an_empty_switch_means_false():
    assert not from_grant(FULL, Source.CONNECTION_TOKEN, Grant(override=Override(presence=Value()))).presence


def test_the_server_api_knows_neither_cache_mode_nor_delta_nor_filter():
    made = from_server_api(FULL, info=b"info", data=b"data", expire_at=5, override=None)
    assert made == SubscriptionOptions(
        Source.SERVER_API,
        presence=True,
        join_leave=True,
        push_join_leave=True,
        positioning=True,
        recovery=True,
        history_meta_ttl=60,
        chan_info=b"info",
        data=b"data",
        expire_at=5,
    )


def test_automatic_recovery_is_for_cache_mode_only():
    stream = ChannelOptions(force_recovery=True, auto_cache_recover=True)
    assert not from_namespace(stream, Source.CLIENT_ALLOWED).auto_recover


@pytest.mark.parametrize(
    ("positioning", "recovery", "positioned"),
    [(False, False, False), (True, False, True), (False, True, True), (True, True, True)],
)
def test_recovery_implies_positions(positioning, recovery, positioned):
    made = SubscriptionOptions(Source.UNKNOWN, positioning=positioning, recovery=recovery)
    assert made.positioned is positioned


def test_sources_have_the_numbers_of_the_contract():
    assert [int(source) for source in Source] == list(range(14))
    assert Source(6) is Source.CLIENT_ALLOWED
    assert Source(10) is Source.SERVER_API


def test_stream_is_the_default_type():
    assert is_stream(ChannelOptions())
    assert is_stream(ChannelOptions(subscription_type="stream"))
    assert not is_stream(ChannelOptions(subscription_type="map"))
