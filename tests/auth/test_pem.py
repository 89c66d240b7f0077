"""Public keys as PEM text (03 §6.1)."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import PublicFormat

from fanjet.auth.pem import InvalidKey, read_ecdsa_key, read_rsa_key
from tests.support.signers import ECSigner, certificate_pem, public_pem, rsa_signer

RSA = rsa_signer()
EC = ECSigner()


def relabelled(pem: str) -> str:
    return pem.replace("PUBLIC KEY", "SOMETHING ELSE")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(public_pem(RSA), id="pkix"),
        pytest.param(certificate_pem(RSA), id="certificate"),
        pytest.param("# ours\n" + public_pem(RSA) + "trailing\n", id="text-around"),
        pytest.param(public_pem(RSA).replace("\n", "\r\n"), id="line-ends-of-windows"),
        pytest.param(public_pem(RSA).rstrip(), id="no-last-line-end"),
        pytest.param(public_pem(RSA) + public_pem(EC), id="the-first-block-counts"),
        pytest.param("-----BEGIN X-----\n!\n-----END X-----\n" + public_pem(RSA), id="broken-blocks-do-not"),
        pytest.param("-----BEGIN X-----\n" + public_pem(RSA), id="open-blocks-do-not"),
        pytest.param(relabelled(public_pem(RSA)), id="the-label-does-not"),
        pytest.param(public_pem(RSA).replace("KEY-----\n", "KEY-----\nComment: x\n\n", 1), id="headers"),
    ],
)
def test_an_rsa_key_is_read(text):
    assert read_rsa_key(text).public_numbers() == RSA.private.public_key().public_numbers()


@pytest.mark.parametrize(
    "text",
    [pytest.param(public_pem(EC), id="pkix"), pytest.param(certificate_pem(EC), id="certificate")],
)
def test_an_ecdsa_key_is_read(text):
    assert read_ecdsa_key(text).public_numbers() == EC.private.public_key().public_numbers()


@pytest.mark.parametrize(
    ("read", "text", "reason"),
    [
        pytest.param(read_rsa_key, "", "key must be PEM encoded", id="nothing"),
        pytest.param(read_rsa_key, "no key", "key must be PEM encoded", id="no-pem"),
        pytest.param(read_rsa_key, public_pem(RSA).replace("\n", "\\n"), "key must be PEM encoded", id="escaped"),
        pytest.param(read_rsa_key, public_pem(RSA).replace("END", "EN"), "key must be PEM encoded", id="no-end"),
        pytest.param(read_rsa_key, public_pem(RSA).replace("M", "!"), "key must be PEM encoded", id="bad-base64"),
        pytest.param(
            read_rsa_key,
            public_pem(RSA).replace("A", "B"),
            r"neither a public key \(PKIX\) nor a certificate",
            id="damaged",
        ),
        pytest.param(read_rsa_key, public_pem(RSA, PublicFormat.PKCS1), "PKCS#1", id="pkcs1"),
        pytest.param(
            read_rsa_key, public_pem(RSA, PublicFormat.PKCS1).replace("RSA ", ""), "PKCS#1", id="pkcs1-relabelled"
        ),
        pytest.param(read_rsa_key, public_pem(EC), "not a valid RSA public key", id="ecdsa-for-rsa"),
        pytest.param(read_rsa_key, certificate_pem(EC), "not a valid RSA public key", id="certificate-for-rsa"),
        pytest.param(read_ecdsa_key, public_pem(RSA), "not a valid ECDSA public key", id="rsa-for-ecdsa"),
    ],
)
def test_what_is_no_key_is_refused(read, text, reason):
    with pytest.raises(InvalidKey, match=reason):
        read(text)


def test_curves_that_tokens_never_use_are_refused():
    signer = ECSigner()
    signer.private = ec.generate_private_key(ec.SECP256K1())
    with pytest.raises(InvalidKey, match="unsupported elliptic curve secp256k1"):
        read_ecdsa_key(public_pem(signer))
