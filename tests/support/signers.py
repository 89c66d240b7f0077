"""Private keys that sign tokens, in the forms in which their public halves are given to a server."""

from __future__ import annotations

import base64
import datetime
import json
from functools import cache
from typing import Any, Protocol

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

HASHES = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
CURVES = {"ES256": ec.SECP256R1, "ES384": ec.SECP384R1, "ES512": ec.SECP521R1}
CURVE_NAMES = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}

JWK = dict[str, Any]


class Signer(Protocol):
    """A key pair. `algorithm` is what it signs with unless asked for another one."""

    algorithm: str

    def sign(self, signed: bytes, algorithm: str) -> bytes:
        """Return the signature as it stands in a token."""

    def jwk(self) -> JWK:
        """Return the public key as JSON web key, without id, use and algorithm."""


def token(signer: Signer, claims: dict[str, Any], *, algorithm: str = "", **header: Any) -> str:
    """Return a token; `header` adds to its header, such as `kid`."""
    algorithm = algorithm or signer.algorithm
    parts = [base64url(json.dumps(part).encode()) for part in ({"alg": algorithm, "typ": "JWT", **header}, claims)]
    signed = ".".join(parts)
    return f"{signed}.{base64url(signer.sign(signed.encode(), algorithm))}"


def key_of(signer: Signer, kid: str, **members: Any) -> JWK:
    """Return the key as it is published: for signatures, unless `members` say otherwise."""
    return {"kid": kid, "use": "sig", **signer.jwk(), **members}


class RSASigner:
    """RS256 and its relatives."""

    def __init__(self, bits: int = 2048) -> None:
        self.algorithm = "RS256"
        self.private = rsa.generate_private_key(65537, bits)

    def sign(self, signed: bytes, algorithm: str) -> bytes:
        return self.private.sign(signed, padding.PKCS1v15(), HASHES[algorithm[2:]])

    def jwk(self) -> JWK:
        numbers = self.private.public_key().public_numbers()
        return {"kty": "RSA", "n": base64url_number(numbers.n), "e": base64url_number(numbers.e)}


class ECSigner:
    """The algorithm of one curve."""

    def __init__(self, algorithm: str = "ES256") -> None:
        self.algorithm = algorithm
        self.private = ec.generate_private_key(CURVES[algorithm]())
        self.size = (self.private.key_size + 7) // 8

    def sign(self, signed: bytes, algorithm: str) -> bytes:
        r, s = decode_dss_signature(self.private.sign(signed, ec.ECDSA(HASHES[algorithm[2:]])))
        return r.to_bytes(self.size) + s.to_bytes(self.size)

    def jwk(self) -> JWK:
        numbers = self.private.public_key().public_numbers()
        x, y = (base64url_number(number, self.size) for number in (numbers.x, numbers.y))
        return {"kty": "EC", "crv": CURVE_NAMES[self.private.curve.name], "x": x, "y": y}


class EdSigner:
    """EdDSA on Ed25519."""

    def __init__(self) -> None:
        self.algorithm = "EdDSA"
        self.private = ed25519.Ed25519PrivateKey.generate()

    def sign(self, signed: bytes, algorithm: str) -> bytes:
        return self.private.sign(signed)

    def jwk(self) -> JWK:
        raw = self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return {"kty": "OKP", "crv": "Ed25519", "x": base64url(raw)}


@cache
def rsa_signer(number: int = 0) -> RSASigner:
    """A key that is made once per process: they take long to make."""
    return RSASigner()


def public_pem(signer: RSASigner | ECSigner, form: PublicFormat = PublicFormat.SubjectPublicKeyInfo) -> str:
    """Return the public key as PEM."""
    return signer.private.public_key().public_bytes(Encoding.PEM, form).decode()


def certificate_pem(signer: RSASigner | ECSigner) -> str:
    """Return a certificate with the public key."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tokens")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(signer.private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .sign(signer.private, hashes.SHA256())
    )
    return certificate.public_bytes(Encoding.PEM).decode()


def base64url(data: bytes) -> str:
    """Encode without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def base64url_number(number: int, size: int = 0) -> str:
    """Encode a number in as many bytes as it needs, `size` at least."""
    return base64url(number.to_bytes(max(size, (number.bit_length() + 7) // 8)))
