"""Account and certificate keys, and JWS signatures.

RFC 8555 section 6.2, RFC 7515, RFC 7638.
"""

from __future__ import annotations

import base64
import hashlib
import json
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

if TYPE_CHECKING:
    from collections.abc import Mapping

Key = ec.EllipticCurvePrivateKey

_COORDINATE_BYTES: Final = 32


def new_key() -> Key:
    """Create a P-256 key."""
    return ec.generate_private_key(ec.SECP256R1())


def key_to_pem(key: Key) -> bytes:
    """The key in the format of other ACME clients: `EC PRIVATE KEY`."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )


def key_from_pem(pem: bytes) -> Key:
    """Load a P-256 key. Raises `ValueError`."""
    key = serialization.load_pem_private_key(pem, None)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != ec.SECP256R1.name:
        raise ValueError("not an ECDSA key on P-256")
    return key


def base64url(data: bytes) -> str:
    """Encode without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def public_jwk(key: Key) -> dict[str, str]:
    """The public key as JWK, with members in thumbprint order."""
    numbers = key.public_key().public_numbers()
    x, y = (base64url(each.to_bytes(_COORDINATE_BYTES, "big")) for each in (numbers.x, numbers.y))
    return {"crv": "P-256", "kty": "EC", "x": x, "y": y}


def key_authorization(key: Key, token: str) -> str:
    """Proof that the account of `key` answers the challenge `token`."""
    thumbprint = hashlib.sha256(json.dumps(public_jwk(key), separators=(",", ":")).encode()).digest()
    return f"{token}.{base64url(thumbprint)}"


def signed(key: Key, header: Mapping[str, object], payload: object) -> bytes:
    """The signed body of a request. A payload of None is empty (POST-as-GET)."""
    protected = base64url(json.dumps({"alg": "ES256", **header}).encode())
    content = "" if payload is None else base64url(json.dumps(payload).encode())
    r, s = decode_dss_signature(key.sign(f"{protected}.{content}".encode(), ec.ECDSA(hashes.SHA256())))
    signature = b"".join(each.to_bytes(_COORDINATE_BYTES, "big") for each in (r, s))
    return json.dumps({"protected": protected, "payload": content, "signature": base64url(signature)}).encode()
