"""Signatures that public keys verify (03 §6.1)."""

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers

from fanjet.auth.public_keys import ecdsa_checks, eddsa_checks, rsa_checks
from tests.support.signers import ECSigner, EdSigner, RSASigner, rsa_signer

MESSAGE = b"header.claims"

SIGNERS = [
    pytest.param(rsa_signer(), rsa_checks, "RS256", id="RS256"),
    pytest.param(rsa_signer(), rsa_checks, "RS384", id="RS384"),
    pytest.param(rsa_signer(), rsa_checks, "RS512", id="RS512"),
    pytest.param(ECSigner("ES256"), ecdsa_checks, "ES256", id="ES256"),
    pytest.param(ECSigner("ES384"), ecdsa_checks, "ES384", id="ES384"),
    pytest.param(ECSigner("ES512"), ecdsa_checks, "ES512", id="ES512"),
    pytest.param(EdSigner(), eddsa_checks, "EdDSA", id="EdDSA"),
]


@pytest.mark.parametrize(("signer", "checks_of", "algorithm"), SIGNERS)
def test_the_right_signature_alone_is_accepted(signer, checks_of, algorithm):
    check = checks_of(signer.private.public_key())[algorithm]
    signature = signer.sign(MESSAGE, algorithm)
    assert check(MESSAGE, signature)
    assert not check(MESSAGE + b"x", signature)
    assert not check(MESSAGE, signature[:-1] + bytes([signature[-1] ^ 1]))
    assert not check(MESSAGE, signature[:-1])
    assert not check(MESSAGE, signature + b"\0")
    assert not check(MESSAGE, b"")
    assert not check(MESSAGE, bytes(len(signature)))


def test_rsa_keys_are_good_for_three_hashes():
    assert list(rsa_checks(rsa_signer().private.public_key())) == ["RS256", "RS384", "RS512"]


def test_rsa_signatures_with_the_newer_padding_are_not_accepted():
    private = rsa_signer().private
    signature = private.sign(MESSAGE, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
    assert not rsa_checks(private.public_key())["RS256"](MESSAGE, signature)


def test_rsa_keys_that_are_too_short_are_good_for_nothing():
    assert rsa_checks(RSAPublicNumbers(65537, (1 << 1022) + 1).public_key()) == {}
    assert rsa_checks(RSASigner(1024).private.public_key())


def test_an_rsa_key_that_is_none_accepts_nothing():
    assert not rsa_checks(RSAPublicNumbers(65537, 1 << 2047).public_key())["RS256"](MESSAGE, bytes(256))


@pytest.mark.parametrize("algorithm", ["ES256", "ES384", "ES512"])
def test_a_curve_is_good_for_one_algorithm(algorithm):
    assert list(ecdsa_checks(ECSigner(algorithm).private.public_key())) == [algorithm]


def test_a_curve_without_algorithm_is_good_for_nothing():
    assert ecdsa_checks(ec.generate_private_key(ec.SECP224R1()).public_key()) == {}


def test_ecdsa_signatures_are_two_numbers_and_no_der():
    signer = ECSigner()
    der = signer.private.sign(MESSAGE, ec.ECDSA(hashes.SHA256()))
    assert not ecdsa_checks(signer.private.public_key())["ES256"](MESSAGE, der)
