"""Certificates with their keys in PEM: the key first, then the chain."""

from __future__ import annotations

import datetime
import hashlib
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID

from ..tls import TLSError, context_with
from .keys import key_from_pem, key_to_pem, new_key

if TYPE_CHECKING:
    import ssl

    from .keys import Key

CHALLENGE_PROTOCOL: Final = "acme-tls/1"
PROTOCOLS: Final = ("h2", "http/1.1", CHALLENGE_PROTOCOL)

_ACME_IDENTIFIER: Final = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.31")
_OCTET_STRING: Final = 4
_DAY: Final = 86400.0
_LONGEST_LEAD: Final = 30 * _DAY
_LONGEST_SPREAD: Final = 3600.0
_CERTIFICATE_MARK: Final = b"-----BEGIN CERTIFICATE-----"


class UnusableCertificate(ValueError):  # noqa: N818 (says what was found)
    """The certificate is not valid for this host, key or time; the text says which."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate in use."""

    context: ssl.SSLContext
    renew_at: float
    """Unix time of the renewal: in the last third of the lifetime, at most 30 days before expiry, with a random offset
    that spreads renewals."""


def signing_request(key: Key, name: str) -> bytes:
    """A certificate signing request for a host, in DER."""
    request = x509.CertificateSigningRequestBuilder().subject_name(_subject(name))
    request = request.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    return request.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def open_certificate(pem: bytes, name: str, now: float) -> Certificate:
    """Load a certificate and its key. Raises `UnusableCertificate`."""
    try:
        key = key_from_pem(pem[: pem.index(_CERTIFICATE_MARK)])
        leaf = x509.load_pem_x509_certificate(pem[pem.index(_CERTIFICATE_MARK) :])
        begins, ends = (each.timestamp() for each in (leaf.not_valid_before_utc, leaf.not_valid_after_utc))
        hosts = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        if name not in hosts.get_values_for_type(x509.DNSName):
            raise UnusableCertificate(f"the certificate is not for {name}")
        if leaf.public_key() != key.public_key():
            raise UnusableCertificate("the certificate is for another key")
        if not begins <= now <= ends:
            raise UnusableCertificate("the certificate is not valid at this time")
        return Certificate(context_with(pem.decode(), PROTOCOLS), _renewal_time(begins, ends))
    except (ValueError, x509.ExtensionNotFound, TLSError) as error:
        raise UnusableCertificate(str(error)) from error


def _renewal_time(begins: float, ends: float) -> float:
    lead = min((ends - begins) / 3, _LONGEST_LEAD)
    return ends - lead + random.uniform(0.0, min(lead / 10, _LONGEST_SPREAD))


def challenge_certificate(name: str, key_authorization: str) -> bytes:
    """The certificate with its key that answers a tls-alpn-01 challenge.

    RFC 8737 section 3.
    """
    key = new_key()
    digest = hashlib.sha256(key_authorization.encode()).digest()
    proof = x509.UnrecognizedExtension(_ACME_IDENTIFIER, bytes((_OCTET_STRING, len(digest))) + digest)
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(_subject("ACME challenge"))
        .issuer_name(_subject("ACME challenge"))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(proof, critical=True)
        .sign(key, hashes.SHA256())
    )
    return key_to_pem(key) + certificate.public_bytes(serialization.Encoding.PEM)


def challenge_context(pem: bytes) -> ssl.SSLContext:
    """The SSL context for a validating authority. Raises `TLSError`."""
    return context_with(pem.decode(), (CHALLENGE_PROTOCOL,))


def _subject(name: str) -> x509.Name:
    """The subject of a certificate for a host.

    A common name is limited to 64 characters; the host is also in the alternative names.
    """
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)] if len(name) <= 64 else [])
