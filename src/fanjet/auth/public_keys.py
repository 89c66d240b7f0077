"""Signature checks of public keys, by algorithm (03 §6.1)."""

from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm

from .signature_verifier import Check, Checks

RSA_HASHES: Final[dict[str, HashAlgorithm]] = {"RS256": SHA256(), "RS384": SHA384(), "RS512": SHA512()}
SHORTEST_RSA_KEY: Final = 1024
"""Bits. Shorter keys can be factored."""

CURVES: Final[dict[str, tuple[str, HashAlgorithm]]] = {
    "secp256r1": ("ES256", SHA256()),
    "secp384r1": ("ES384", SHA384()),
    "secp521r1": ("ES512", SHA512()),
}
"""Algorithm and hash of each curve."""

EDDSA: Final = "EdDSA"


def rsa_checks(key: RSAPublicKey) -> Checks:
    """Return checks for RS256, RS384 and RS512 (PKCS#1 v1.5 padding).

    There are none if the key is too short.
    """
    if key.key_size < SHORTEST_RSA_KEY:
        return {}
    return {algorithm: _rsa_check(key, hash_) for algorithm, hash_ in RSA_HASHES.items()}


def ecdsa_checks(key: EllipticCurvePublicKey) -> Checks:
    """Return the check for the algorithm of the curve.

    There is none for curves that tokens do not use.
    """
    if key.curve.name not in CURVES:
        return {}
    algorithm, hash_ = CURVES[key.curve.name]
    return {algorithm: _ecdsa_check(key, hash_)}


def eddsa_checks(key: Ed25519PublicKey) -> Checks:
    """Return the check for EdDSA."""
    return {EDDSA: _eddsa_check(key)}


def _rsa_check(key: RSAPublicKey, hash_: HashAlgorithm) -> Check:
    padding = PKCS1v15()

    def check(signed: bytes, signature: bytes) -> bool:
        try:
            key.verify(signature, signed, padding, hash_)
        except (InvalidSignature, ValueError):
            return False
        return True

    return check


def _ecdsa_check(key: EllipticCurvePublicKey, hash_: HashAlgorithm) -> Check:
    """Make a check of signatures that are two integers.

    Each integer has the size of the curve's field.
    """
    size = (key.key_size + 7) // 8
    algorithm = ECDSA(hash_)

    def check(signed: bytes, signature: bytes) -> bool:
        if len(signature) != 2 * size:
            return False
        r, s = int.from_bytes(signature[:size]), int.from_bytes(signature[size:])
        try:
            key.verify(encode_dss_signature(r, s), signed, algorithm)
        except InvalidSignature:
            return False
        return True

    return check


def _eddsa_check(key: Ed25519PublicKey) -> Check:
    def check(signed: bytes, signature: bytes) -> bool:
        try:
            key.verify(signature, signed)
        except InvalidSignature:
            return False
        return True

    return check
