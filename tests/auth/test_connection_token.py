"""Connection tokens (03 §6.4, §6.5, §6.7)."""

import pytest

from fanjet.auth import ConnectionVerifier, ServerSubscription, TokenExpired, TokenInvalid, TokenRules
from fanjet.auth.claims import BoolValue, OverrideClaims
from fanjet.config.tree.token import Token as TokenConfig
from fanjet.protocol.capability import Capability
from fanjet.protocol.codes import ReplyError
from fanjet.protocol.messages import FilterNode

NOW = 1_700_000_000


@pytest.fixture
def verify(forge, known_channels, at_once):
    """Verify claims as signed, or a ready-made token."""

    def run(claims, *, skip_signature=False, **config):
        section = TokenConfig(**{"hmac_secret_key": "secret", **config})
        rules = TokenRules(section, skip_signature=skip_signature, clock=forge.clock)
        verifier = ConnectionVerifier(rules, resolve=known_channels)
        return at_once(verifier.verify(claims if isinstance(claims, str) else forge(claims)))

    return run


def test_a_plain_token_names_the_user(verify):
    token = verify({"sub": "u1"})
    assert (token.user, token.expire_at, token.info, token.meta, token.subs) == ("u1", 0, b"", b"", {})


@pytest.mark.parametrize(
    ("claims", "user"),
    [
        pytest.param({}, "", id="absent"),
        pytest.param({"sub": ""}, "", id="empty"),
        pytest.param({"sub": None}, "", id="null"),
        pytest.param(b"null", "", id="claims-are-null"),
        pytest.param(b'{"sub":"a","sub":"b"}', "b", id="the-last-of-two-counts"),
        pytest.param(b'{"sub":"a\\ud800"}', "a\ufffd", id="half-surrogate"),
        pytest.param(b'{"sub":"a\xff\xe2\x82"}', "a\ufffd\ufffd\ufffd", id="each-byte-that-is-not-utf-8"),
        pytest.param('{"sub":"é"}'.encode(), "é", id="utf-8"),
    ],
)
def test_users(verify, claims, user):
    assert verify(claims).user == user


@pytest.mark.parametrize(
    ("claims", "expire_at"),
    [
        pytest.param({"exp": NOW + 60}, NOW + 60, id="exp"),
        pytest.param({"exp": NOW + 60.9}, NOW + 60, id="fraction"),
        pytest.param({"exp": str(NOW + 60)}, NOW + 60, id="numeric-string"),
        pytest.param({"exp": None}, 0, id="null"),
        pytest.param({"exp": NOW + 60, "expire_at": NOW + 10}, NOW + 10, id="expire_at-decides"),
        pytest.param({"exp": NOW + 60, "expire_at": None}, NOW + 60, id="expire_at-null"),
        pytest.param({"exp": NOW + 60, "expire_at": 0}, 0, id="expire_at-zero-is-never"),
        pytest.param({"exp": NOW + 60, "expire_at": -5}, 0, id="expire_at-negative-is-never"),
        pytest.param({"exp": NOW + 60, "expire_at": NOW - 5}, NOW - 5, id="expire_at-in-the-past"),
        pytest.param({"expire_at": NOW + 10}, NOW + 10, id="expire_at-alone"),
        pytest.param({"nbf": NOW - 1}, 0, id="not-before-is-over"),
        pytest.param({"iat": NOW + 100}, 0, id="iat-is-not-checked"),
    ],
)
def test_expiry(verify, claims, expire_at):
    assert verify(claims).expire_at == expire_at


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param({"exp": NOW - 1}, id="past"),
        pytest.param({"exp": NOW}, id="now"),
        pytest.param({"exp": str(NOW - 1)}, id="past-as-string"),
        pytest.param({"exp": NOW - 1, "expire_at": NOW + 60}, id="expire_at-does-not-prolong-the-token"),
        pytest.param({"exp": 10**30}, id="past-the-end-of-time"),
        pytest.param({"nbf": NOW + 60}, id="not-yet-valid"),
        pytest.param({"nbf": NOW}, id="not-valid-this-very-moment"),
    ],
)
def test_expired_tokens(verify, claims):
    with pytest.raises(TokenExpired):
        verify(claims)


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param(b"[]", id="array"),
        pytest.param(b'"x"', id="string"),
        pytest.param(b"", id="nothing"),
        pytest.param(b"{", id="cut"),
        pytest.param(b"{} {}", id="two"),
        pytest.param({"sub": 1}, id="sub-number"),
        pytest.param({"iss": 1}, id="iss-number"),
        pytest.param({"jti": 1}, id="jti-number"),
        pytest.param({"exp": True}, id="exp-bool"),
        pytest.param({"exp": "soon"}, id="exp-text"),
        pytest.param({"nbf": []}, id="nbf-array"),
        pytest.param({"iat": "x"}, id="iat-text"),
        pytest.param({"aud": None}, id="aud-null"),
        pytest.param({"aud": [1]}, id="aud-of-numbers"),
        pytest.param({"b64info": 1}, id="b64info-number"),
        pytest.param({"b64info": "!"}, id="b64info-bad"),
        pytest.param({"channels": "a"}, id="channels-string"),
        pytest.param({"channels": [1]}, id="channels-of-numbers"),
        pytest.param({"subs": []}, id="subs-array"),
        pytest.param({"subs": {"a": 1}}, id="subs-of-numbers"),
        pytest.param({"subs": {"a": {"b64data": "!"}}}, id="subs-with-bad-base64"),
        pytest.param({"subs": {"a": {"override": {"presence": True}}}}, id="override-bool"),
        pytest.param({"subs": {"a": {"override": {"presence": {"value": 1}}}}}, id="override-value-number"),
        pytest.param({"expire_at": "1"}, id="expire_at-string"),
        pytest.param({"expire_at": 1.5}, id="expire_at-fraction"),
        pytest.param({"expire_at": 2**63}, id="expire_at-too-large"),
        pytest.param({"channel": "x"}, id="a-subscription-token"),
        pytest.param({"channel": 1}, id="channel-number"),
        pytest.param({"subs": {"a": {"server_tags_filter": []}}}, id="filter-array"),
        pytest.param({"subs": {"a": {"server_tags_filter": {"vals": "x"}}}}, id="filter-vals-string"),
    ],
)
def test_invalid_tokens(verify, claims):
    with pytest.raises(TokenInvalid):
        verify(claims)


def test_other_claims_may_be_anything(verify):
    assert verify({"sub": "u", "client": 1, "data": 2, "override": 3, "caps": [None]}).user == "u"
    assert verify(b'{"sub":"u","deep":' + b"[" * 5000 + b"]" * 5000 + b"}").user == "u"


@pytest.mark.parametrize(
    ("claims", "info", "meta"),
    [
        pytest.param(b'{"info": {"b":1, "a":1.50}}', b'{"b":1, "a":1.50}', b"", id="info-as-written"),
        pytest.param(b'{"info":null,"meta":null}', b"null", b"null", id="null-is-a-value"),
        pytest.param(b'{"meta":{"r": 1}}', b"", b'{"r": 1}', id="meta-as-written"),
        pytest.param(b'{"info":1,"b64info":"AQI="}', b"\x01\x02", b"", id="b64info-wins"),
        pytest.param(b'{"info":1,"b64info":""}', b"1", b"", id="empty-b64info-does-not"),
        pytest.param(b'{"info":"\\ud800"}', b'"\\ud800"', b"", id="half-surrogate-as-written"),
    ],
)
def test_info_and_meta(verify, claims, info, meta):
    token = verify(claims)
    assert (token.info, token.meta) == (info, meta)


def test_labels_and_capabilities(verify):
    assert (verify({}).labels, verify({}).caps) == (None, None)
    assert (verify({"labels": None, "caps": None}).labels, verify({"caps": None}).caps) == (None, None)
    token = verify(
        {
            "labels": {"tier": "pro", "region": None},
            "caps": [{"channels": ["n:*"], "match": "wildcard", "allow": ["sub", "x"], "more": 1}, None],
        }
    )
    assert token.labels == {"tier": "pro", "region": ""}
    assert token.caps == [Capability(["n:*"], "wildcard", ["sub", "x"]), Capability()]


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param({"caps": {}}, id="caps-object"),
        pytest.param({"caps": ["sub"]}, id="caps-of-strings"),
        pytest.param({"caps": [{"channels": "a"}]}, id="caps-channels-string"),
        pytest.param({"caps": [{"match": 1}]}, id="caps-match-number"),
        pytest.param({"caps": [{"allow": [1]}]}, id="caps-allow-of-numbers"),
        pytest.param({"labels": []}, id="labels-array"),
        pytest.param({"labels": {"a": 1}}, id="labels-of-numbers"),
    ],
)
def test_somebody_else_s_claims_of_these_names_mean_nothing(verify, claims):
    token = verify({"sub": "u"} | claims)
    assert (token.user, token.labels, token.caps) == ("u", None, None)


def test_filters_of_the_server(verify):
    node = {"op": "not", "nodes": [{"key": "a", "cmp": "in", "vals": ["1", "2"]}]}
    subs = verify({"subs": {"a": {"server_tags_filter": node}, "b": {}}}).subs
    assert subs["a"].server_tags_filter == FilterNode(op="not", nodes=[FilterNode(key="a", cmp="in", vals=["1", "2"])])
    assert subs["b"].server_tags_filter is None


def test_channels_are_subscriptions_without_options(verify):
    assert verify({"channels": ["a", "b"]}).subs == {"a": ServerSubscription(), "b": ServerSubscription()}
    assert verify({"channels": [None]}).subs == {"": ServerSubscription()}


def test_subs_win_over_channels_unless_they_are_empty(verify):
    assert list(verify({"channels": ["a"], "subs": {"b": {}}}).subs) == ["b"]
    assert list(verify({"channels": ["a"], "subs": {}}).subs) == ["a"]
    assert list(verify({"channels": ["a"], "subs": None}).subs) == ["a"]


def test_entries_of_subs(verify):
    token = verify(
        b'{"subs":{"a":{"info":{"x": 1},"data":[1],"override":{"presence":{"value":true},"join_leave":{},'
        b'"force_recovery":null}},"b":null,"c":{"b64info":"AQ==","b64data":"Ag==","info":1}}}'
    )
    assert token.subs == {
        "a": ServerSubscription(b'{"x": 1}', b"[1]", OverrideClaims(presence=BoolValue(True), join_leave=BoolValue())),
        "b": ServerSubscription(),
        "c": ServerSubscription(b"\x01", b"\x02"),
    }


@pytest.mark.parametrize("claims", [{"channels": ["a", "nope:b"]}, {"subs": {"nope:b": {}}}])
def test_unknown_namespaces_are_error_102(verify, claims):
    with pytest.raises(ReplyError) as failure:
        verify(claims)
    assert failure.value.error.code == 102


def test_an_expired_token_is_expired_whatever_its_channels(verify):
    with pytest.raises(TokenExpired):
        verify({"exp": NOW - 1, "channels": ["nope:b"]})


def test_wrong_signatures(verify, forge):
    for text in (
        forge({"sub": "u"}, secret="other"),
        forge({"sub": "u"}, header={"alg": "none"}),
        forge({"sub": "u"}, header={"alg": "RS256"}),
    ):
        with pytest.raises(TokenInvalid):
            verify(text)
        assert verify(text, skip_signature=True).user == "u"


def test_an_expired_token_with_a_wrong_signature_is_invalid(verify, forge):
    with pytest.raises(TokenInvalid):
        verify(forge({"exp": NOW - 1}, secret="other"))


def test_everything_but_the_signature_counts_without_it(verify, forge):
    with pytest.raises(TokenExpired):
        verify(forge({"exp": NOW - 1}, secret="other"), skip_signature=True)
    with pytest.raises(TokenInvalid):
        verify(forge({"aud": "b"}, secret="other"), skip_signature=True, audience="a")


def test_no_key_makes_every_token_invalid(verify):
    with pytest.raises(TokenInvalid):
        verify({"sub": "u"}, hmac_secret_key="")


@pytest.mark.parametrize(
    ("config", "claims", "accepted"),
    [
        pytest.param({"audience": "a"}, {"aud": "a"}, True, id="aud"),
        pytest.param({"audience": "a"}, {"aud": ["x", "a"]}, True, id="one-of-aud"),
        pytest.param({"audience": "a"}, {"aud": "ab"}, False, id="other-aud"),
        pytest.param({"audience": "a"}, {"aud": []}, False, id="empty-aud"),
        pytest.param({"audience": "a"}, {}, False, id="no-aud"),
        pytest.param({"issuer": "i"}, {"iss": "i"}, True, id="iss"),
        pytest.param({"issuer": "i"}, {"iss": "I"}, False, id="other-iss"),
        pytest.param({"issuer": "i"}, {}, False, id="no-iss"),
        pytest.param({"audience": "a", "issuer": "i"}, {"aud": "a", "iss": "x"}, False, id="only-aud"),
    ],
)
def test_audience_and_issuer(verify, config, claims, accepted):
    if accepted:
        verify(claims, **config)
    else:
        with pytest.raises(TokenInvalid):
            verify(claims, **config)


@pytest.mark.parametrize(
    ("claims", "user"),
    [
        pytest.param({"sub": "a", "uid": 42}, "42", id="number"),
        pytest.param({"sub": "a", "uid": "u"}, "u", id="string"),
        pytest.param({"sub": "a"}, "", id="sub-is-no-fallback"),
        pytest.param({"uid": {"a": 1}}, '{"a": 1}', id="object"),
        pytest.param(b'{"uid":1e400}', "+Inf", id="too-large"),
        pytest.param(b'{"uid":-1e400}', "-Inf", id="too-small"),
        pytest.param(b'{"uid":"u","deep":' + b"[" * 5000 + b"]" * 5000 + b"}", "u", id="deep"),
        pytest.param({"sub": "a", "x": {"uid": 1}}, "", id="top-level-only"),
    ],
)
def test_user_id_claim(verify, claims, user):
    assert verify(claims, user_id_claim="uid").user == user


@pytest.mark.parametrize("name", ["sub", "class", "_", "info", "None"])
def test_user_id_claims_may_have_any_name(verify, name):
    assert verify({name: "u"}, user_id_claim=name).user == "u"


def test_sub_must_be_a_string_even_when_another_claim_counts(verify):
    with pytest.raises(TokenInvalid):
        verify({"sub": 1, "uid": "u"}, user_id_claim="uid")
