"""Sections of the configuration, from settings to verdicts (03 §6.1, §6.3, §6.4, §14.4)."""

import asyncio

import pytest

from fanjet.auth import (
    ConnectionVerifier,
    KeysUnavailable,
    SubscriptionVerifier,
    TokenExpired,
    TokenInvalid,
    TokenRules,
    TokenSettingsError,
)
from fanjet.config.tree.token import Token as TokenConfig
from tests.support.key_server import key_server
from tests.support.server import free_port
from tests.support.signers import ECSigner, certificate_pem, key_of, public_pem, rsa_signer, token

RSA = rsa_signer()
OTHER = rsa_signer(1)
EC = ECSigner()
NOW = 1_700_000_000


@pytest.fixture
def rules(forge):
    def make(*, skip_signature=False, **config):
        section = TokenConfig.model_validate(config)
        return TokenRules(section, skip_signature=skip_signature, clock=forge.clock)

    return make


@pytest.fixture
def verify(rules, known_channels):
    """Return a function that verifies connection tokens by rules that are made once."""

    def make(**config):
        return ConnectionVerifier(rules(**config), resolve=known_channels).verify

    return make


async def test_tokens_by_public_keys(verify):
    by_keys = verify(rsa_public_key=certificate_pem(RSA), ecdsa_public_key=public_pem(EC))
    assert (await by_keys(token(RSA, {"sub": "r"}))).user == "r"
    assert (await by_keys(token(EC, {"sub": "e"}))).user == "e"
    with pytest.raises(TokenInvalid):
        await by_keys(token(OTHER, {"sub": "r"}))


def test_public_keys_verify_at_once(verify, at_once):
    assert at_once(verify(rsa_public_key=public_pem(RSA))(token(RSA, {"sub": "r"}))).user == "r"


async def test_published_keys_take_the_place_of_all_others(verify, forge):
    async with key_server(key_of(RSA, "1")) as server:
        published = verify(
            hmac_secret_key="secret",
            hmac_previous_secret_key="secret",
            ecdsa_public_key=public_pem(EC),
            jwks_public_endpoint=server.url,
        )
        assert (await published(token(RSA, {"sub": "r"}, kid="1"))).user == "r"
        for text in (forge({}), forge({}, header={"alg": "HS256", "kid": "1"}), token(EC, {}), token(RSA, {})):
            with pytest.raises(TokenInvalid):
                await published(text)


async def test_rules_keep_keys_for_both_kinds_of_tokens(rules, known_channels):
    async with key_server(key_of(RSA, "1")) as server:
        shared = rules(jwks_public_endpoint=server.url)
        await ConnectionVerifier(shared, resolve=known_channels).verify(token(RSA, {}, kid="1"))
        subscription = SubscriptionVerifier(shared, resolve=known_channels)
        assert (await subscription.verify(token(RSA, {"channel": "a"}, kid="1"))).channel == "a"
        assert len(server.requests) == 1


async def test_a_subscription_token_may_be_what_a_key_is_fetched_for(rules, known_channels):
    async with key_server(key_of(RSA, "1")) as server:
        subscription = SubscriptionVerifier(rules(jwks_public_endpoint=server.url), resolve=known_channels)
        assert (await subscription.verify(token(RSA, {"channel": "a"}, kid="1"))).channel == "a"


async def test_time_counts_after_a_key_was_fetched(verify, forge):
    async with key_server(key_of(RSA, "1")) as server:
        waiting = asyncio.create_task(verify(jwks_public_endpoint=server.url)(token(RSA, {"exp": NOW + 1}, kid="1")))
        await asyncio.sleep(0)
        forge.now += 10
        with pytest.raises(TokenExpired):
            await waiting


async def test_an_endpoint_that_is_down_is_a_temporary_error(verify):
    with pytest.raises(KeysUnavailable) as failure:
        await verify(jwks_public_endpoint=f"http://127.0.0.1:{free_port()}/k")(token(RSA, {}, kid="1"))
    assert (failure.value.error.code, failure.value.error.temporary) == (100, True)


async def test_issuers_choose_the_endpoint(verify):  # 03-13
    async with key_server() as server:
        server.publish(key_of(RSA, "1"), path="/aa/keys")
        server.publish(key_of(OTHER, "1"), path="/bb/keys")
        by_issuer = verify(jwks_public_endpoint=server.base + "/{{t}}/keys", issuer_regex="^https://(?P<t>aa|bb)$")
        assert (await by_issuer(token(RSA, {"sub": "a", "iss": "https://aa"}, kid="1"))).user == "a"
        assert (await by_issuer(token(OTHER, {"sub": "b", "iss": "https://bb"}, kid="1"))).user == "b"
        for claims in ({"iss": "https://cc"}, {"iss": "https://bb"}, {}):
            with pytest.raises(TokenInvalid):
                await by_issuer(token(RSA, claims, kid="1"))
        assert server.requests == ["/aa/keys", "/bb/keys"]


async def test_patterns_are_looked_at_without_signature_too(verify, forge):
    lax = verify(skip_signature=True, issuer_regex="^a$", audience_regex="^b$")
    assert (await lax(forge({"sub": "u", "iss": "a", "aud": ["x", "b"]}, secret="wrong"))).user == "u"
    for claims in ({"iss": "a"}, {"aud": "b"}, {"iss": "ab", "aud": "b"}):
        with pytest.raises(TokenInvalid):
            await lax(forge(claims, secret="wrong"))


async def test_pattern_and_fixed_value_may_be_for_different_claims(verify, forge):
    both = verify(hmac_secret_key="secret", issuer_regex="a", audience="b")
    assert await both(forge({"iss": "a", "aud": "b"}))
    with pytest.raises(TokenInvalid):
        await both(forge({"iss": "a", "aud": "c"}))


MAPPED = {"meta_from_claim": {"role": "user.role"}, "labels_from_claim": {"tier": "plan.tier"}}
CLAIMS = {"sub": "u", "user": {"role": "admin"}, "plan": {"tier": 2}, "meta": {"a": 1}, "labels": {"b": "c"}}


async def test_claims_become_meta_and_labels(verify, forge):
    mapped = await verify(hmac_secret_key="secret", **MAPPED)(forge(CLAIMS))
    assert (mapped.meta, mapped.labels) == (b'{"a":1,"role":"admin"}', {"b": "c", "tier": "2"})


async def test_subscription_tokens_are_not_mapped(rules, known_channels, forge):
    subscription = SubscriptionVerifier(rules(hmac_secret_key="secret", **MAPPED), resolve=known_channels)
    assert (await subscription.verify(forge(CLAIMS | {"channel": "a"}))).channel == "a"


def provider(name, server, path, **more):
    return {"name": name, "enabled": True, "endpoint": server.base + path, "issuer": f"https://{name}", **more}


async def test_each_provider_verifies_its_tokens(verify, forge):
    async with key_server() as server:
        server.publish(key_of(RSA, "1"), path="/aa")
        server.publish(key_of(OTHER, "1"), path="/bb")
        providers = [
            provider("aa", server, "/aa", **MAPPED),
            provider("bb", server, "/bb", audience="chat"),
            provider("cc", server, "/aa") | {"enabled": False},
        ]
        several = verify(
            hmac_secret_key="secret",
            meta_from_claim={"never": "sub"},
            jwks={"enabled": True, "providers": providers},
        )
        mapped = await several(token(RSA, CLAIMS | {"iss": "https://aa"}, kid="1"))
        assert (mapped.meta, mapped.labels) == (b'{"a":1,"role":"admin"}', {"b": "c", "tier": "2"})
        plain = await several(token(OTHER, CLAIMS | {"iss": "https://bb", "aud": "chat"}, kid="1"))
        assert (plain.meta, plain.labels) == (b'{"a": 1}', {"b": "c"})
        for text in (
            token(RSA, {"iss": "https://bb", "aud": "chat"}, kid="1"),
            token(OTHER, {"iss": "https://bb"}, kid="1"),
            token(RSA, {"iss": "https://cc"}, kid="1"),
            token(RSA, {}, kid="1"),
            forge({"iss": "https://aa"}),
        ):
            with pytest.raises(TokenInvalid):
                await several(text)
        assert server.requests == ["/aa", "/bb"]


async def test_providers_that_are_off_as_a_whole_are_none(verify, forge):
    async with key_server() as server:
        jwks = {"enabled": False, "providers": [provider("aa", server, "/aa")]}
        assert (await verify(hmac_secret_key="secret", jwks=jwks)(forge({"sub": "u"}))).user == "u"


@pytest.mark.parametrize(
    ("config", "key", "reason"),
    [
        pytest.param({"rsa_public_key": "x"}, "rsa_public_key", "error parsing RSA public key: ", id="key"),
        pytest.param(
            {"audience": "a", "audience_regex": "b"},
            "audience_regex",
            "can not use both token_audience and token_audience_regex, configure only one of them",
            id="audience",
        ),
        pytest.param(
            {"issuer": "a", "issuer_regex": "b"},
            "issuer_regex",
            "can not use both token_issuer and token_issuer_regex, configure only one of them",
            id="issuer",
        ),
        pytest.param({"issuer_regex": "("}, "issuer_regex", "error compiling issuer regex: ", id="issuer-pattern"),
        pytest.param({"audience_regex": "("}, "audience_regex", "error compiling audience regex: ", id="aud-pattern"),
        pytest.param(
            {"jwks_public_endpoint": "a/b"}, "jwks_public_endpoint", "must have http:// or https:// scheme", id="url"
        ),
        pytest.param(
            {"jwks_public_endpoint": "http://{{t}}/", "issuer_regex": "(?P<t>.*)"},
            "issuer_regex",
            'named group "t" is used in JWKS endpoint URL template',
            id="unsafe",
        ),
        pytest.param(
            {"jwks": {"enabled": True, "providers": [{"name": "a", "enabled": True, "endpoint": "x"}]}},
            "jwks.providers[0].endpoint",
            "must have http:// or https:// scheme",
            id="provider",
        ),
        pytest.param(
            {
                "jwks": {
                    "enabled": True,
                    "providers": [
                        {
                            "name": "aa",
                            "enabled": True,
                            "endpoint": "http://x",
                            "tls": {"enabled": True, "server_ca_pem": "nowhere"},
                        }
                    ],
                }
            },
            "jwks.providers[0].tls",
            r"error make TLS config \(for JWKS provider aa\): error load server CA: ",
            id="provider-tls",
        ),
    ],
)
def test_what_cannot_work_is_refused_by_its_key(rules, config, key, reason):
    with pytest.raises(TokenSettingsError, match=reason) as refused:
        rules(**config)
    assert refused.value.key == key


def test_an_unsafe_template_can_be_insisted_on(rules):
    unsafe = rules(
        jwks_public_endpoint="http://{{t}}/",
        issuer_regex="(?P<t>.*)",
        insecure_skip_jwks_endpoint_safety_check=True,
    )
    assert [(notice.level, notice.fields.keys()) for notice in unsafe.notices] == [
        ("warn", {"error"}),
        ("info", {"endpoint"}),
    ]


@pytest.mark.parametrize(
    ("config", "told"),
    [
        pytest.param({}, [], id="nothing"),
        pytest.param({"hmac_secret_key": "x"}, [{"algorithms": "HS256, HS384, HS512"}], id="secret"),
        pytest.param({"ecdsa_public_key": public_pem(EC)}, [{"algorithms": "ES256"}], id="key"),
        pytest.param(
            {"hmac_secret_key": "x", "jwks_public_endpoint": "http://u:p@a/k"},
            [{"endpoint": "http://u:xxxxx@a/k"}],
            id="endpoint",
        ),
        pytest.param(
            {"jwks": {"enabled": True, "providers": [{"name": "aa", "enabled": True, "endpoint": "http://a/k"}]}},
            [{"endpoint": "http://a/k", "provider": "aa"}],
            id="provider",
        ),
    ],
)
def test_what_is_there_is_told(rules, config, told):
    assert [notice.fields for notice in rules(**config).notices] == told
