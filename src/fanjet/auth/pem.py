"""Reads public keys in PEM (03 §6.1)."""

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
"""Accepted curves. No token algorithm uses the first one."""


class InvalidKey(ValueError):  # noqa: N818 (says what was found)
    """The text holds no usable public key; the message gives the reason."""


def read_rsa_key(text: str) -> RSAPublicKey:
    """Return the RSA key in `text`. Raises `InvalidKey`."""
    key = _read(text)
    if not isinstance(key, RSAPublicKey):
        raise InvalidKey("key is not a valid RSA public key")
    return key


def read_ecdsa_key(text: str) -> EllipticCurvePublicKey:
    """Return the key in `text`, on one of the NIST curves. Raises `InvalidKey`."""
    key = _read(text)
    if not isinstance(key, EllipticCurvePublicKey):
        raise InvalidKey("key is not a valid ECDSA public key")
    if key.curve.name not in CURVES:
        raise InvalidKey(f"unsupported elliptic curve {key.curve.name}")
    return key


def _read(text: str) -> PublicKeyTypes | CertificatePublicKeyTypes:
    """Read the first complete PEM block, a public key or a certificate.

    Its label is ignored.
    """
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
        with suppress(Error, ValueError):  # ValueError: text that is not ASCII
            return a2b_base64("".join(block["body"].split()), strict_mode=True)
    raise InvalidKey("key must be PEM encoded")


def _key_of_certificate(content: bytes) -> CertificatePublicKeyTypes:
    try:
        return x509.load_der_x509_certificate(content).public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise InvalidKey("neither a public key (PKIX) nor a certificate (X.509)") from None
