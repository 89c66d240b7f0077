"""Public keys as PEM text (03 §6.1)."""

import re
from binascii import Error, a2b_base64
from contextlib import suppress
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes, PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

_block: Final = re.compile(
    r"^-----BEGIN (?P<label>[^\n]*?)-----[ \t\r]*\n"
    r"(?:[^\n:]+:[^\n]*\n)*"
    r"(?P<body>[^-]*)"
    r"-----END (?P=label)-----",
    re.MULTILINE,
)

CURVES: Final = ("secp224r1", "secp256r1", "secp384r1", "secp521r1")
"""Tokens use all but the first, which is accepted and of no use."""


class InvalidKey(ValueError):  # noqa: N818 (says what was found)
    """No usable public key; the text says why."""


def read_rsa_key(text: str) -> RSAPublicKey:
    """The RSA key in `text`. Raises `InvalidKey`."""
    key = _read(text)
    if not isinstance(key, RSAPublicKey):
        raise InvalidKey("key is not a valid RSA public key")
    return key


def read_ecdsa_key(text: str) -> EllipticCurvePublicKey:
    """The key on one of the NIST curves in `text`. Raises `InvalidKey`."""
    key = _read(text)
    if not isinstance(key, EllipticCurvePublicKey):
        raise InvalidKey("key is not a valid ECDSA public key")
    if key.curve.name not in CURVES:
        raise InvalidKey(f"unsupported elliptic curve {key.curve.name}")
    return key


def _read(text: str) -> PublicKeyTypes | CertificatePublicKeyTypes:
    """Of the first whole PEM block the content counts, whatever its label says: a public key, or a certificate."""
    content = _content(text)
    try:
        key = load_der_public_key(content)
    except (ValueError, UnsupportedAlgorithm):
        return _key_of_certificate(content)
    if isinstance(key, RSAPublicKey) and key.public_bytes(Encoding.DER, PublicFormat.PKCS1) == content:
        raise InvalidKey("a bare RSA key (PKCS#1) is not accepted, convert it to PKIX (BEGIN PUBLIC KEY)")
    return key


def _content(text: str) -> bytes:
    for block in _block.finditer(text):
        with suppress(Error, ValueError):  # the latter for what is not ASCII
            return a2b_base64("".join(block["body"].split()), strict_mode=True)
    raise InvalidKey("key must be PEM encoded")


def _key_of_certificate(content: bytes) -> CertificatePublicKeyTypes:
    try:
        return x509.load_der_x509_certificate(content).public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise InvalidKey("neither a public key (PKIX) nor a certificate (X.509)") from None
