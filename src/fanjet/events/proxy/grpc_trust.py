"""TLS to gRPC backends without verification of their certificates.

The gRPC library cannot disable verification, so the server's certificate is fetched and then trusted.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING, NamedTuple

from .backend import BackendFailed

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

FETCH_SECONDS = 5.0


class ServerCertificate(NamedTuple):
    """A server's certificate in PEM, and a name that it is valid for."""

    pem: bytes
    name: str


async def fetch_certificate(target: str) -> ServerCertificate:
    """Fetch the certificate of `target`. Must run in a task. Raises `BackendFailed`."""
    from cryptography import x509  # noqa: PLC0415 (costs 25 ms and 8 MB, rarely needed)

    host, _, port = target.rpartition("/")[2].rpartition(":")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    try:
        async with asyncio.timeout(FETCH_SECONDS):
            _, writer = await asyncio.open_connection(host.strip("[]"), int(port or 443), ssl=context)
        certificate = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.close()
    except (OSError, TimeoutError, ValueError) as error:
        raise BackendFailed(str(error) or "timeout") from None
    name = _name_in(x509.load_der_x509_certificate(certificate))
    return ServerCertificate(ssl.DER_cert_to_PEM_cert(certificate).encode(), name)


def _name_in(certificate: Certificate) -> str:
    from cryptography import x509  # noqa: PLC0415

    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ""
    dns = names.get_values_for_type(x509.DNSName)
    addresses = names.get_values_for_type(x509.IPAddress)
    return dns[0].replace("*", "any", 1) if dns else str(addresses[0]) if addresses else ""
