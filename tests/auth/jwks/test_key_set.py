"""Which keys of a published set are used, and what makes the set unusable (03 §6.3)."""

import json
from contextlib import suppress

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from fanjet.auth.jwks.key_set import MalformedKeySet, read_key_set
from tests.support.signers import ECSigner, EdSigner, base64url, base64url_number, key_of, rsa_signer

RSA = rsa_signer()
EC = ECSigner()
ED = EdSigner()
D_OF_EC = base64url_number(EC.private.private_numbers().private_value, 32)
D_OF_ED = base64url(ED.private.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption()))


def read(*keys):
    return read_key_set(json.dumps({"keys": keys}).encode())


@pytest.mark.parametrize(
    ("key", "algorithms"),
    [
        pytest.param(key_of(RSA, "1"), ["RS256", "RS384", "RS512"], id="rsa"),
        pytest.param(key_of(RSA, "1", alg="RS384"), ["RS384"], id="rsa-for-one-algorithm"),
        pytest.param(key_of(RSA, "1", alg="PS256"), [], id="rsa-for-an-algorithm-we-do-not-have"),
        pytest.param(key_of(RSA, "1", alg="ES256"), [], id="rsa-for-a-foreign-algorithm"),
        pytest.param(key_of(RSA, "1", d="AQ"), ["RS256", "RS384", "RS512"], id="rsa-with-d-alone"),
        pytest.param(key_of(RSA, "1", d="AQ", p="AQ", q="AQ"), [], id="private-rsa"),
        pytest.param(key_of(RSA, "1", n="AQAB"), [], id="tiny-rsa"),
        pytest.param(key_of(RSA, "1", n=""), [], id="rsa-of-zero"),
        pytest.param(key_of(RSA, "1", e="Ag"), [], id="rsa-with-even-exponent"),
        pytest.param(key_of(EC, "1"), ["ES256"], id="p-256"),
        pytest.param(key_of(ECSigner("ES384"), "1"), ["ES384"], id="p-384"),
        pytest.param(key_of(ECSigner("ES512"), "1"), ["ES512"], id="p-521"),
        pytest.param(key_of(EC, "1", alg="ES256"), ["ES256"], id="ec-with-its-algorithm"),
        pytest.param(key_of(EC, "1", alg="ES384"), [], id="ec-with-that-of-another-curve"),
        pytest.param(key_of(EC, "1", d=D_OF_EC), [], id="private-ec"),
        pytest.param(key_of(ED, "1"), ["EdDSA"], id="ed25519"),
        pytest.param(key_of(ED, "1", d=D_OF_ED), ["EdDSA"], id="private-ed25519"),
        pytest.param(key_of(ED, "1", alg="Ed25519"), ["EdDSA"], id="ed25519-whatever-it-calls-its-algorithm"),
        pytest.param(key_of(ED, "1", x=""), [], id="empty-ed25519"),
        pytest.param(key_of(ED, "1", crv="X25519"), [], id="x25519"),
        pytest.param({"kid": "1", "use": "sig", "kty": "OKP", "crv": "Ed448", "x": "AQ"}, [], id="ed448"),
        pytest.param({"kid": "1", "use": "sig", "kty": "oct", "k": "AQ"}, [], id="secret"),
        pytest.param(key_of(EC, "1", exp=1, x5c=["x"], key_ops=["verify"]), ["ES256"], id="other-members"),
        pytest.param(key_of(EC, "1", alg=None, d=None), ["ES256"], id="null-is-absent"),
    ],
)
def test_what_a_key_is_good_for(key, algorithms):
    assert list(read(key)["1"]) == algorithms


def test_only_keys_for_signatures_are_used():
    keys = read(key_of(RSA, "a"), key_of(EC, "b", use="enc"), {"kid": "c", **EC.jwk()}, key_of(ED, "d", use="SIG"))
    assert list(keys) == ["a"]


def test_other_keys_stay_usable_beside_one_that_is_not():
    assert list(read({"kid": "x", "use": "sig", "kty": "oct", "k": "AQ"}, key_of(EC, "b"))["b"]) == ["ES256"]


def test_the_last_of_two_keys_with_the_same_id_counts():
    assert list(read(key_of(RSA, "1"), key_of(EC, "1"))["1"]) == ["ES256"]


def test_a_set_without_keys_for_signatures_is_a_set():
    assert read(key_of(RSA, "a", use="enc")) == {}


@pytest.mark.parametrize(
    "key",
    [
        pytest.param({}, id="empty"),
        pytest.param(None, id="null"),
        pytest.param({"kty": "DSA"}, id="unknown-type"),
        pytest.param({"kty": "RSA", "e": "AQAB"}, id="rsa-without-n"),
        pytest.param({"kty": "RSA", "n": "AQAB"}, id="rsa-without-e"),
        pytest.param(key_of(RSA, "1", e=""), id="exponent-empty"),
        pytest.param(key_of(RSA, "1", e="AA"), id="exponent-zero"),
        pytest.param(key_of(RSA, "1", e="gAAAAA"), id="exponent-too-big"),
        pytest.param(key_of(RSA, "1", n="+"), id="not-base64url"),
        pytest.param(key_of(RSA, "1", n=1), id="number-for-text"),
        pytest.param(key_of(RSA, "1", n="AQAB=="), id="padded"),
        pytest.param(key_of(EC, "1", crv="secp256k1"), id="unknown-curve"),
        pytest.param(key_of(EC, "1", crv=""), id="no-curve"),
        pytest.param(key_of(EC, "1", x=None), id="ec-without-x"),
        pytest.param(key_of(EC, "1", y="AQ"), id="y-too-short"),
        pytest.param(key_of(EC, "1", crv="P-384"), id="wrong-curve"),
        pytest.param(key_of(EC, "1", x=base64url(bytes(32))), id="not-on-the-curve"),
        pytest.param(key_of(EC, "1", d="AQ"), id="d-too-short"),
        pytest.param(key_of(EC, "1", d=base64url_number(1, 32)), id="d-of-another-key"),
        pytest.param(key_of(ED, "1", crv="Ed1"), id="unknown-okp-curve"),
        pytest.param(key_of(ED, "1", x=None), id="okp-without-x"),
        pytest.param(key_of(ED, "1", x="AQ"), id="okp-too-short"),
        pytest.param(key_of(ED, "1", d="AQ"), id="okp-d-too-short"),
        pytest.param({"kty": "oct"}, id="secret-without-k"),
        pytest.param(key_of(EC, "1", exp=1.5), id="exp-fraction"),
        pytest.param({**key_of(EC, "1"), "kid": 7}, id="kid-number"),
    ],
)
def test_one_key_that_cannot_be_read_spoils_the_set(key):
    with pytest.raises(MalformedKeySet):
        read(key_of(RSA, "good"), key)


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"{", id="cut"),
        pytest.param(b"null", id="null"),
        pytest.param(b"[]", id="array"),
        pytest.param(b"{}", id="no-keys"),
        pytest.param(b'{"keys":[]}', id="empty"),
        pytest.param(b'{"keys":null}', id="keys-null"),
        pytest.param(b'{"keys":{}}', id="keys-object"),
        pytest.param(b"<html>", id="html"),
    ],
)
def test_what_is_no_set_is_refused(document):
    with pytest.raises(MalformedKeySet):
        read_key_set(document)


members = st.sampled_from(["kid", "kty", "alg", "use", "crv", "x", "y", "n", "e", "d", "p", "q", "k", "exp"])
texts = st.sampled_from(["", "AQAB", "AA", "P-256", "Ed25519", "X25519", "RSA", "EC", "OKP", "oct", D_OF_EC, D_OF_ED])
anything = texts | st.text(max_size=50) | st.integers() | st.none() | st.booleans() | st.just([])


@given(st.sampled_from([key_of(RSA, "1"), key_of(EC, "1"), key_of(ED, "1")]), st.dictionaries(members, anything))
def test_no_key_does_more_than_spoil_the_set(key, changes):
    with suppress(MalformedKeySet):
        for checks in read(key | changes).values():
            for check in checks.values():
                assert not check(b"message", bytes(64))
