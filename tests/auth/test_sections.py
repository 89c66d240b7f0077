"""The sections for both kinds of tokens (04 §5.12, §6.5)."""

import pytest

from fanjet.auth import TokenSettingsError, load_sections, startup_error_message
from fanjet.config.tree.client import Client


def sections(separate=True, **client):
    return load_sections(Client.model_validate(client), separate=separate)


def test_subscriptions_have_rules_of_their_own_if_they_are_separate():
    shared = sections(separate=False, subscription_token={"rsa_public_key": "not looked at"})
    assert shared.subscription is shared.connection
    separate = sections(subscription_token={"hmac_secret_key": "x"})
    assert separate.subscription is not separate.connection


def test_the_start_tells_of_both():
    told = sections(token={"hmac_secret_key": "x"}, subscription_token={"jwks_public_endpoint": "http://a/k"}).notices
    assert [notice.message for notice in told] == [
        "enabled JWT verifiers",
        "initializing separate verifier for subscription tokens",
        "JWKS manager created",
    ]


@pytest.mark.parametrize(
    ("client", "key", "message"),
    [
        pytest.param(
            {"token": {"rsa_public_key": "x"}},
            "client.token.rsa_public_key",
            "error creating JWT verifier config",
            id="key",
        ),
        pytest.param(
            {"subscription_token": {"ecdsa_public_key": "x"}},
            "client.subscription_token.ecdsa_public_key",
            "error creating subscription JWT verifier config",
            id="subscription-key",
        ),
        pytest.param(
            {"token": {"issuer_regex": "("}}, "client.token.issuer_regex", "error creating token verifier", id="pattern"
        ),
        pytest.param(
            {"subscription_token": {"issuer_regex": "("}},
            "client.subscription_token.issuer_regex",
            "error creating token verifier",
            id="subscription-pattern",
        ),
    ],
)
def test_a_refusal_says_which_section_it_is_about(client, key, message):
    with pytest.raises(TokenSettingsError) as refused:
        sections(**client)
    assert (refused.value.key, startup_error_message(refused.value)) == (key, message)
