"""Resolution of channels to options (03 §1)."""

import pytest

from fanjet.channels import namespaces as module
from fanjet.channels.namespaces import Namespaces
from fanjet.channels.subscription import Source, from_namespace
from fanjet.config.tree.channel import Channel, ChannelNamespace, ChannelOptions
from fanjet.protocol.codes import ReplyError


def namespace(name: str, **options) -> ChannelNamespace:
    return ChannelNamespace(name=name, **options)


def configured(*namespaces: ChannelNamespace, **channel) -> Namespaces:
    return Namespaces(Channel(namespaces=namespaces, **channel))


@pytest.mark.parametrize(
    ("channel", "name", "rest"),
    [
        pytest.param("news", "", "news", id="no-namespace"),
        pytest.param("chat:index", "chat", "index", id="namespace"),
        pytest.param("chat:a:b", "chat", "a:b", id="only-the-first-boundary-counts"),
        pytest.param("chat:", "chat", "", id="empty-rest"),
        pytest.param(":foo", "", "foo", id="starts-with-the-boundary"),
        pytest.param("$chat:index", "chat", "index", id="private"),
        pytest.param("$news", "", "$news", id="private-without-namespace-keeps-its-prefix"),
        pytest.param("$$news", "", "$$news", id="only-one-prefix-counts"),
        pytest.param("", "", "", id="empty"),
        pytest.param("/chat", "", "/chat", id="slash-is-ordinary"),
    ],
)
def test_names_are_split(channel, name, rest):
    resolved = configured(namespace("chat")).resolve(channel)
    assert (resolved.namespace, resolved.rest) == (name, rest)
    assert resolved.channel == channel


@pytest.mark.parametrize("channel", ["nope:x", "$nope:x", "$$chat:x", "Chat:x", " chat:x"])
def test_unknown_namespaces_are_error_102(channel):
    namespaces = configured(namespace("chat"))
    for _ in range(2):
        with pytest.raises(ReplyError) as failure:
            namespaces.resolve(channel)
        assert failure.value.error.code == 102


def test_options_are_those_of_the_namespace_and_inherit_nothing():
    namespaces = configured(namespace("chat"), without_namespace=ChannelOptions(presence=True))
    assert namespaces.resolve("news").options.presence
    assert not namespaces.resolve("chat:x").options.presence


def test_channels_of_a_namespace_share_what_their_subscriptions_are_made_with():
    namespaces = configured(namespace("chat", presence=True))
    granted = namespaces.resolve("chat:a").granted
    assert granted is namespaces.resolve("chat:b").granted
    for source in Source:
        assert granted[source] == from_namespace(namespaces.resolve("chat:a").options, source)


def test_two_options_fall_back_to_the_channel_level():
    namespaces = configured(
        namespace("own", history_meta_ttl=60.0, publication_data_format="binary"),
        namespace("inherits"),
        history_meta_ttl=3600.0,
        publication_data_format="json",
    )
    own, inherits = namespaces.resolve("own:x").options, namespaces.resolve("inherits:x").options
    assert (own.history_meta_ttl, own.publication_data_format) == (60.0, "binary")
    assert (inherits.history_meta_ttl, inherits.publication_data_format) == (3600.0, "json")
    assert namespaces.resolve("x").options.history_meta_ttl == 3600.0


def test_special_symbols_are_configurable():
    namespaces = configured(
        namespace("a", allow_user_limited_channels=True),
        namespace_boundary="::",
        private_prefix="priv-",
        user_boundary="@@",
        user_separator="; ",
    )
    resolved = namespaces.resolve("priv-a::x@@u1; u2")
    assert (resolved.namespace, resolved.rest) == ("a", "x@@u1; u2")
    assert resolved.is_private
    assert resolved.users == ("u1", "u2")
    assert namespaces.resolve("a:b").namespace == ""


def test_empty_symbols_disable_their_rules():
    namespaces = configured(
        without_namespace=ChannelOptions(allow_user_limited_channels=True),
        namespace_boundary="",
        private_prefix="",
        user_boundary="",
    )
    resolved = namespaces.resolve("$nope:x#1")
    assert (resolved.namespace, resolved.rest) == ("", "$nope:x#1")
    assert not resolved.is_private
    assert not resolved.is_user_limited
    assert not resolved.admits("1")


@pytest.mark.parametrize(
    ("channel", "valid"),
    [
        pytest.param("news", True, id="ascii"),
        pytest.param("a b\x00\x7f", True, id="control-characters-and-spaces"),
        pytest.param("café", False, id="not-ascii"),
        pytest.param("num:12", True, id="matches"),
        pytest.param("num:a", False, id="does-not-match"),
        pytest.param("num:", False, id="empty-rest"),
        pytest.param("has:x-é-y", True, id="search-not-match-and-no-ascii-rule"),
        pytest.param("has:e", False, id="not-found"),
    ],
)
def test_names_are_checked(channel, valid):
    namespaces = configured(namespace("num", channel_regex="^[0-9]+$"), namespace("has", channel_regex="é"))
    assert namespaces.resolve(channel).name_is_valid is valid


def test_the_expression_sees_the_private_prefix_without_namespace_only():
    namespaces = configured(
        namespace("num", channel_regex="^[0-9]+$"), without_namespace=ChannelOptions(channel_regex=r"^\$[a-z]+$")
    )
    assert namespaces.resolve("$news").name_is_valid
    assert not namespaces.resolve("news").name_is_valid
    assert namespaces.resolve("$num:1").name_is_valid


@pytest.mark.parametrize(
    ("channel", "user", "admitted"),
    [
        pytest.param("dm:a#u1,u2", "u1", True, id="first"),
        pytest.param("dm:a#u1,u2", "u2", True, id="last"),
        pytest.param("dm:a#u1,u2", "u3", False, id="not-listed"),
        pytest.param("dm:a#u1, u2", "u2", False, id="no-trimming"),
        pytest.param("dm:a#x#u1", "u1", True, id="after-the-last-boundary"),
        pytest.param("dm:a#u1#x", "u1", False, id="before-the-last-boundary"),
        pytest.param("dm:a#", "", False, id="empty-list-does-not-list-the-anonymous"),
        pytest.param("dm:a#7,", "", False, id="empty-item-does-not-list-the-anonymous"),
        pytest.param("dm:plain", "u1", False, id="not-user-limited"),
    ],
)
def test_user_limited_channels_list_their_users(channel, user, admitted):
    resolved = configured(namespace("dm", allow_user_limited_channels=True)).resolve(channel)
    assert resolved.admits(user) is admitted
    assert resolved.is_user_limited is ("#" in channel)


def test_an_empty_separator_makes_the_whole_tail_one_user():
    namespaces = configured(namespace("dm", allow_user_limited_channels=True), user_separator="")
    assert namespaces.resolve("dm:a#u1,u2").admits("u1,u2")
    assert not namespaces.resolve("dm:a#u1,u2").admits("u1")


def test_without_the_option_the_user_list_means_nothing():
    resolved = configured(namespace("dm")).resolve("dm:a#u1")
    assert not resolved.is_user_limited
    assert not resolved.admits("u1")


@pytest.mark.parametrize(
    ("subscription_type", "is_stream"),
    [
        ("", True),
        ("stream", True),
        ("map", False),
        ("map_clients", False),
        ("map_users", False),
        ("shared_poll", False),
    ],
)
def test_streams_are_told_from_other_types(subscription_type, is_stream):
    assert configured(namespace("n", subscription_type=subscription_type)).resolve("n:x").is_stream is is_stream


PATTERNS = (
    namespace("room", pattern="/room/:id", presence=True),
    namespace("lobby", pattern="/room/lobby"),
    namespace("num", pattern="/num/:n", channel_regex="^/num/[0-9]+$"),
)


@pytest.mark.parametrize(
    ("channel", "name", "variables"),
    [
        pytest.param("/room/7", "room", {"id": "7"}, id="03-49-variable"),
        pytest.param("/room/lobby", "lobby", {}, id="03-49-static-wins"),
        pytest.param("/room/chat:7", "room", {"id": "chat:7"}, id="the-boundary-means-nothing"),
        pytest.param("chat:/room/7", "chat", {}, id="only-channels-that-start-with-a-slash"),
        pytest.param("$/room/7", "", {}, id="private-channels-start-with-their-prefix"),
        pytest.param("room/7", "", {}, id="no-slash"),
    ],
)
def test_channels_with_a_slash_belong_to_the_pattern_they_match(channel, name, variables):
    resolved = configured(*PATTERNS, namespace("chat"), patterns=True).resolve(channel)
    assert resolved.namespace == name
    assert resolved.variables == variables


@pytest.mark.parametrize(
    "channel",
    [
        pytest.param("/room/7/x", id="03-49-too-long"),
        pytest.param("/other", id="03-49-other"),
        pytest.param("/", id="slash"),
        pytest.param("room:7", id="the-name-of-a-pattern-namespace"),
    ],
)
def test_what_no_pattern_matches_is_error_102(channel):
    with pytest.raises(ReplyError) as failure:
        configured(*PATTERNS, patterns=True).resolve(channel)
    assert failure.value.error.code == 102


def test_a_pattern_namespace_has_its_options_and_checks_whole_names():
    namespaces = configured(*PATTERNS, patterns=True)
    assert namespaces.resolve("/room/7").options.presence
    assert namespaces.resolve("/room/7").rest == "/room/7"
    assert namespaces.resolve("/num/7").name_is_valid
    assert not namespaces.resolve("/num/x").name_is_valid
    assert not namespaces.resolve("/room/é").name_is_valid


def test_while_patterns_are_off_they_mean_nothing():
    namespaces = configured(*PATTERNS)
    assert namespaces.resolve("/room/7").namespace == ""
    assert namespaces.resolve("room:7").namespace == "room"


def test_personal_channels():
    assert configured().personal_channel("u7", "") == "#u7"
    assert configured(namespace("inbox")).personal_channel("u7", "inbox") == "inbox:#u7"


def test_the_cache_is_bounded(monkeypatch):
    monkeypatch.setattr(module, "CACHE_SIZE", 3)
    namespaces = configured(namespace("chat"))
    for n in range(10):
        assert namespaces.resolve(f"chat:{n}").rest == str(n)
    assert len(namespaces._cache) <= 3
