"""Subscription tokens (03 §6.4, §6.6, §6.8)."""

import pytest

from fanjet.auth import SubscriptionVerifier, TokenExpired, TokenInvalid, TokenRules
from fanjet.auth.claims import BoolValue, OverrideClaims
from fanjet.config.tree.token import SubscriptionToken as TokenConfig
from fanjet.protocol.codes import ReplyError
from fanjet.protocol.messages import FilterNode

NOW = 1_700_000_000


@pytest.fixture
def verify(forge, known_channels, at_once):
    def run(claims, *, skip_signature=False, **config):
        section = TokenConfig(**{"hmac_secret_key": "secret", **config})
        rules = TokenRules(section, skip_signature=skip_signature, clock=forge.clock)
        verifier = SubscriptionVerifier(rules, resolve=known_channels)
        return at_once(verifier.verify(claims if isinstance(claims, str) else forge(claims)))

    return run


def test_everything_that_a_token_grants(verify):
    token = verify(
        {
            "sub": "u1",
            "channel": "$news",
            "client": "c1",
            "exp": NOW + 60,
            "info": {"a": 1},
            "data": [1],
            "override": {"force_recovery": {"value": True}, "presence": {}},
        }
    )
    assert (token.channel, token.user, token.client) == ("$news", "u1", "c1")
    assert token.expire_at == NOW + 60
    assert (token.info, token.data) == (b'{"a": 1}', b"[1]")
    assert token.override == OverrideClaims(force_recovery=BoolValue(True), presence=BoolValue(False))


def test_a_short_token_grants_the_rest_of_the_defaults(verify):
    token = verify({"channel": "news"})
    assert (token.user, token.client, token.expire_at) == ("", "", 0)
    assert (token.info, token.data, token.override) == (b"", b"", None)


def test_permissions_and_the_filter_of_the_server(verify):
    token = verify({"channel": "news", "allow": ["pub", "x"], "server_tags_filter": {"key": "a", "cmp": "ex"}})
    assert token.allow == ["pub", "x"]
    assert token.server_tags_filter == FilterNode(key="a", cmp="ex")
    assert verify({"channel": "news", "allow": "pub"}).allow is None
    plain = verify({"channel": "news", "allow": None})
    assert (plain.allow, plain.server_tags_filter) == (None, None)


def test_base64_wins_over_json(verify):
    token = verify({"channel": "news", "info": 1, "b64info": "AQ==", "data": 2, "b64data": "Ag=="})
    assert (token.info, token.data) == (b"\x01", b"\x02")


def test_expire_at_decides_about_the_subscription(verify):
    assert verify({"channel": "news", "exp": NOW + 60, "expire_at": NOW + 10}).expire_at == NOW + 10
    assert verify({"channel": "news", "exp": NOW + 60, "expire_at": 0}).expire_at == 0


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param({}, id="no-channel"),
        pytest.param({"channel": ""}, id="empty-channel"),
        pytest.param({"channel": None}, id="null-channel"),
        pytest.param({"channel": 1}, id="channel-number"),
        pytest.param({"channel": "news", "client": 1}, id="client-number"),
        pytest.param({"channel": "news", "b64info": "!"}, id="bad-b64info"),
        pytest.param({"channel": "news", "b64data": "!"}, id="bad-b64data"),
        pytest.param({"channel": "news", "override": []}, id="override-array"),
        pytest.param({"channel": "news", "sub": 1}, id="sub-number"),
        pytest.param({"channel": "news", "server_tags_filter": "x"}, id="filter-string"),
    ],
)
def test_invalid_tokens(verify, claims):
    with pytest.raises(TokenInvalid):
        verify(claims)


def test_a_connection_token_is_not_for_subscribing(verify):
    with pytest.raises(TokenInvalid):
        verify({"sub": "u1", "channels": ["news"]})


def test_claims_of_connection_tokens_may_be_anything(verify):
    assert verify({"channel": "news", "channels": 1, "subs": 2, "meta": 3}).channel == "news"


def test_an_expired_token_says_what_it_was_for(verify):
    with pytest.raises(TokenExpired) as expired:
        verify({"channel": "news", "sub": "u1", "client": "c1", "exp": NOW - 1})
    assert (expired.value.channel, expired.value.user, expired.value.client) == ("news", "u1", "c1")


def test_expiry_is_looked_at_before_the_channel(verify):
    with pytest.raises(TokenExpired):
        verify({"exp": NOW - 1})
    with pytest.raises(TokenExpired):
        verify({"channel": "nope:x", "exp": NOW - 1})


def test_unknown_namespaces_are_error_102(verify):
    with pytest.raises(ReplyError) as failure:
        verify({"channel": "nope:x"})
    assert failure.value.error.code == 102


def test_user_id_claim_counts_here_too(verify):
    assert verify({"channel": "news", "sub": "a", "uid": 7}, user_id_claim="uid").user == "7"


def test_wrong_signatures(verify, forge):
    text = forge({"channel": "news"}, secret="other")
    with pytest.raises(TokenInvalid):
        verify(text)
    assert verify(text, skip_signature=True).channel == "news"
