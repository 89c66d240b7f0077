"""Mapped claims and JWKS providers (03 §14.4)."""

import pytest

from fanjet.config import Config
from fanjet.config.validation import problems


def token(**content):
    return {"client": {"token": content}}


def provider(name="aa", **more):
    return {"name": name, "enabled": True, "endpoint": "http://a/k", "issuer": f"i-{name}", **more}


def providers(*several, **more):
    return {"jwks": {"enabled": True, "providers": list(several)}, **more}


SUBSCRIPTION = {"client": {"subscription_token": {"meta_from_claim": {"a": "b"}}}}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(
            token(meta_from_claim={"1a": "b"}),
            'in client.token: meta_from_claim: invalid key "1a", '
            "must match ^[A-Za-z_][A-Za-z0-9_]*$ regular expression",
            id="meta-key",
        ),
        pytest.param(
            token(labels_from_claim={"a-b": "b"}),
            'in client.token: labels_from_claim: invalid key "a-b", '
            "must match ^[A-Za-z_][A-Za-z0-9_]*$ regular expression",
            id="label",
        ),
        pytest.param(
            token(meta_from_claim={"a": "b.#"}),
            'in client.token: meta_from_claim: invalid path "b.#" of key "a": '
            'character "#" must be escaped with a backslash',
            id="path",
        ),
        pytest.param(
            token(meta_from_claim={"a": ""}),
            'in client.token: meta_from_claim: invalid path "" of key "a": must not be empty',
            id="empty-path",
        ),
        pytest.param(
            token(**providers(provider(labels_from_claim={"a": "b*"}))),
            'in client.token: JWKS provider aa: labels_from_claim: invalid path "b*" of key "a": '
            'character "*" must be escaped with a backslash',
            id="path-of-a-provider",
        ),
        pytest.param(
            SUBSCRIPTION,
            "in client.subscription_token: meta_from_claim (a) is for connection tokens only",
            id="subscription-token",
        ),
        pytest.param(
            {"client": {"subscription_token": providers(provider(labels_from_claim={"a": "b"}))}},
            "in client.subscription_token: JWKS provider aa: labels_from_claim (a) is for connection tokens only",
            id="provider-of-subscription-tokens",
        ),
        pytest.param(
            token(**providers(provider(), jwks_public_endpoint="http://a/k")),
            "in client.token: jwks_public_endpoint can not be used together with enabled jwks.providers, "
            "configure only one of them",
            id="endpoint-and-providers",
        ),
        pytest.param(
            token(**providers(provider("a"))),
            "in client.token: invalid JWKS provider name: a, must match ^[a-zA-Z0-9_]{2,}$ regular expression",
            id="name",
        ),
        pytest.param(
            token(**providers(provider(), provider(issuer="j", enabled=False))),
            "in client.token: invalid JWKS provider name: aa, must be unique",
            id="same-name",
        ),
        pytest.param(
            token(**providers(provider(endpoint=""))),
            "in client.token: in JWKS provider aa: endpoint is required",
            id="no-endpoint",
        ),
        pytest.param(
            {"client": {"subscription_token": providers(provider(issuer=""))}},
            "in client.subscription_token: in JWKS provider aa: issuer is required",
            id="no-issuer",
        ),
        pytest.param(
            token(**providers(provider(issuer="i"), provider("bb", issuer="i"))),
            'in client.token: JWKS providers aa and bb have the same issuer i and audience ""',
            id="same-issuer",
        ),
        pytest.param(
            token(**providers(provider(issuer="i", audience="x"), provider("bb", issuer="i", audience="x"))),
            'in client.token: JWKS providers aa and bb have the same issuer i and audience "x"',
            id="same-audience",
        ),
        pytest.param(
            token(**providers(provider(issuer="i", audience="x"), provider("bb", issuer="i"))),
            "in client.token: JWKS providers aa and bb have the same issuer i, each must have an audience of its own",
            id="one-audience",
        ),
    ],
)
def test_what_cannot_work_is_refused(content, expected):
    assert list(problems(Config.model_validate(content))) == [expected]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(token(meta_from_claim={"_A1": r"a\.b.0"}, labels_from_claim={"x": "y"}), id="mappings"),
        pytest.param(token(**providers(provider(), provider("bb"))), id="providers"),
        pytest.param(
            token(
                **providers(
                    provider(issuer="i", audience="x"),
                    provider("bb", issuer="i", audience="y"),
                    provider("cc", issuer="i", enabled=False),
                )
            ),
            id="audiences",
        ),
        pytest.param(token(**providers({"name": "aa"})), id="provider-off"),
        pytest.param(token(jwks={"providers": [provider("a"), provider("a")]}), id="all-off"),
        pytest.param({"client": {"subscription_token": providers(provider())}}, id="subscription-token"),
    ],
)
def test_what_works_is_not(content):
    assert list(problems(Config.model_validate(content))) == []
