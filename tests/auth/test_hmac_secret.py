"""HMAC codes are those of the standard library."""

import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanjet.auth.hmac_secret import HASHES, HMACSecret


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
@given(secret=st.binary(min_size=1, max_size=300), messages=st.lists(st.binary(), min_size=1, max_size=3))
def test_codes_are_right_for_every_secret_however_often_it_is_used(algorithm, secret, messages):
    prepared = HMACSecret(secret, HASHES[algorithm])
    for message in messages:
        assert prepared.sign(message) == hmac.digest(secret, message, f"sha{algorithm[2:]}")


@pytest.mark.parametrize("length", [63, 64, 65, 127, 128, 129])
@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_secrets_around_the_size_of_a_block(algorithm, length):
    secret = b"s" * length
    assert HMACSecret(secret, HASHES[algorithm]).sign(b"x") == hmac.digest(secret, b"x", f"sha{algorithm[2:]}")
