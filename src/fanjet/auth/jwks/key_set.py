"""Reads a JSON Web Key Set: usable keys, and errors of the whole set (03 §6.3)."""

from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers

from fanjet.auth.errors import TokenInvalid
from fanjet.auth.jwt import decode_json, decode_part
from fanjet.auth.public_keys import ecdsa_checks, eddsa_checks, rsa_checks
from fanjet.auth.signature_verifier import Checks
from fanjet.protocol.json_encoding.document import Document
from fanjet.protocol.json_encoding.document_decoder import DocumentDecoder
from fanjet.protocol.messages import Int64

SIGNATURES: Final = "sig"
"""The `use` that a key must have."""

LARGEST_EXPONENT: Final = 2**31 - 1
UNUSABLE: Final[Checks] = {}
"""A known key that verifies nothing."""

CURVES: Final[dict[str, ec.EllipticCurve]] = {
    "P-256": ec.SECP256R1(),
    "P-384": ec.SECP384R1(),
    "P-521": ec.SECP521R1(),
}
OKP_KEY_SIZES: Final = {"Ed25519": 32, "X25519": 32, "Ed448": 0, "X448": 0}
"""Key size in bytes; 0 for any size."""


class MalformedKeySet(ValueError):  # noqa: N818 (says what was found)
    """The whole set is unusable."""


class JSONWebKey(Document, frozen=True):
    """A key of a set.

    Numbers are base64url; private ones only mark the key as unusable.
    """

    kid: str = ""
    kty: str = ""
    alg: str = ""
    use: str = ""
    crv: str = ""
    x: str | None = None
    y: str | None = None
    n: str | None = None
    e: str | None = None
    d: str | None = None
    p: str | None = None
    q: str | None = None
    k: str | None = None
    exp: Int64 = 0


class _Set(Document, frozen=True):
    keys: list[JSONWebKey] = []


_decoder: Final = DocumentDecoder(_Set)


def read_key_set(document: bytes, *, without_use: bool = False) -> dict[str, Checks]:
    """Return the checks of the signature keys by key id. Raises `MalformedKeySet`.

    `without_use` also accepts keys without the member `use`.
    """
    try:
        keys = decode_json(document, _decoder).keys
        wanted = (SIGNATURES, "") if without_use else (SIGNATURES,)
        read = {key.kid: checks for key in keys for checks in [_checks(key)] if key.use in wanted}
    except TokenInvalid as error:
        raise MalformedKeySet(str(error)) from None
    if not keys:
        raise MalformedKeySet("no keys")
    return read


def _checks(key: JSONWebKey) -> Checks:
    """Return the checks of a key.

    Raises `MalformedKeySet`, and `TokenInvalid` for invalid base64.
    """
    match key.kty:
        case "RSA":
            return _restrict_to(key.alg, _rsa(key))
        case "EC":
            return _restrict_to(key.alg, _ec(key))
        case "OKP":
            return _okp(key)
        case "oct":
            _bytes("k", key.k)
            return UNUSABLE
    raise MalformedKeySet(f"unknown key type: {key.kty}")


def _restrict_to(algorithm: str, checks: Checks) -> Checks:
    """Restrict the checks to the `alg` of the key, if it has one."""
    if not algorithm:
        return checks
    return {algorithm: checks[algorithm]} if algorithm in checks else UNUSABLE


def _rsa(key: JSONWebKey) -> Checks:
    modulus, exponent = _number("n", key.n), _number("e", key.e)
    if not 0 < exponent <= LARGEST_EXPONENT:
        raise MalformedKeySet("exponent out of range")
    private = [_bytes(name, value) for name, value in (("d", key.d), ("p", key.p), ("q", key.q)) if value is not None]
    if len(private) == 3:
        return UNUSABLE
    try:
        return rsa_checks(RSAPublicNumbers(exponent, modulus).public_key())
    except ValueError:
        return UNUSABLE


def _ec(key: JSONWebKey) -> Checks:
    curve = CURVES.get(key.crv)
    if curve is None:
        raise MalformedKeySet(f"unknown elliptic curve {key.crv}")
    size = (curve.key_size + 7) // 8
    x, y = _bytes("x", key.x), _bytes("y", key.y)
    if len(x) != size or len(y) != size:
        raise MalformedKeySet(f"x and y of {key.crv} must have {size} bytes")
    numbers = ec.EllipticCurvePublicNumbers(int.from_bytes(x), int.from_bytes(y), curve)
    try:
        public = numbers.public_key()
        if key.d is None:
            return ecdsa_checks(public)
        ec.EllipticCurvePrivateNumbers(_private_number(key.d, size), numbers).private_key()
    except ValueError as error:
        raise MalformedKeySet(str(error)) from None
    return UNUSABLE


def _private_number(value: str, size: int) -> int:
    octets = _bytes("d", value)
    if len(octets) != size:
        raise MalformedKeySet(f"d must have {size} bytes")
    return int.from_bytes(octets)


def _okp(key: JSONWebKey) -> Checks:
    """Return the check of an octet key pair (RFC 8037).

    Of its curves only Ed25519 signs.
    """
    if key.crv not in OKP_KEY_SIZES:
        raise MalformedKeySet(f"unknown curve {key.crv}")
    size = OKP_KEY_SIZES[key.crv]
    public = _bytes("x", key.x)
    private = b"" if key.d is None else _bytes("d", key.d)
    if size and not {len(public), len(private)} <= {0, size}:
        raise MalformedKeySet(f"keys on {key.crv} have {size} bytes")
    if key.crv != "Ed25519" or not public:
        return UNUSABLE
    return eddsa_checks(Ed25519PublicKey.from_public_bytes(public))


def _number(name: str, value: str | None) -> int:
    return int.from_bytes(_bytes(name, value))


def _bytes(name: str, value: str | None) -> bytes:
    if value is None:
        raise MalformedKeySet(f"missing member {name}")
    return decode_part(value.encode())
