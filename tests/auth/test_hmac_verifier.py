"""HMAC signatures and key rotation (03 §6.9)."""

import pytest

from fanjet.auth.hmac_verifier import all_checks
from fanjet.auth.jwt import parse_token
from fanjet.config.tree.token import Token as TokenConfig


def verify(forge, text: str, **config) -> bool:
    token = parse_token(text)
    check = all_checks(TokenConfig(**config), forge.clock).get(token.algorithm)
    return check is not None and check(token.signed, token.signature)


@pytest.mark.parametrize("hash_name", ["sha256", "sha384", "sha512"])
def test_all_three_algorithms_are_accepted(forge, hash_name):
    assert verify(forge, forge({}, hash_name=hash_name), hmac_secret_key="secret")


@pytest.mark.parametrize("algorithm", ["none", "None", "", "HS1", "hs256", "RS256", "ES256", "EdDSA", "PS256"])
def test_other_algorithms_are_not(forge, algorithm):
    assert not verify(forge, forge({}, header={"alg": algorithm}), hmac_secret_key="secret")


def test_the_algorithm_of_the_header_counts(forge):
    assert not verify(forge, forge({}, header={"alg": "HS384"}, hash_name="sha256"), hmac_secret_key="secret")


def test_a_wrong_secret_and_a_cut_signature_are_refused(forge):
    assert not verify(forge, forge({}, secret="other"), hmac_secret_key="secret")
    assert not verify(forge, forge({})[:-4], hmac_secret_key="secret")
    assert not verify(forge, forge({}).rpartition(".")[0] + ".", hmac_secret_key="secret")


def test_an_empty_secret_is_none(forge):
    assert not verify(forge, forge({}, secret=""))


@pytest.mark.parametrize(
    ("valid_until", "accepted"),
    [
        pytest.param(0, True, id="no-limit"),
        pytest.param(1_700_000_001, True, id="still-valid"),
        pytest.param(1_700_000_000, True, id="this-very-second"),
        pytest.param(1_699_999_999, False, id="over"),
    ],
)
def test_the_previous_secret_counts_as_long_as_it_is_valid(forge, valid_until, accepted):
    config = {"hmac_previous_secret_key": "old", "hmac_previous_secret_key_valid_until": valid_until}
    text = forge({}, secret="old")
    assert verify(forge, text, hmac_secret_key="new", **config) is accepted
    assert verify(forge, text, **config) is accepted


def test_both_secrets_are_tried(forge):
    config = {"hmac_secret_key": "new", "hmac_previous_secret_key": "old"}
    assert verify(forge, forge({}, secret="new"), **config)
    assert verify(forge, forge({}, secret="old", hash_name="sha512"), **config)
    assert not verify(forge, forge({}, secret="older"), **config)
