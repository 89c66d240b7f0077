"""aioquic's configuration from a listener's TLS object (02 section 3.2)."""

from typing import Final

from aioquic.quic.configuration import QuicConfiguration
from aioquic.tls import load_pem_private_key
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from ..tls import TLSError, TLSSettings, resolve_pem
from .connection import IDLE_SECONDS
from .connection_ids import ID_BYTES
from .quic import STREAM_WINDOW

_MAX_DATAGRAM_FRAME: Final = 65536


def quic_configuration(settings: TLSSettings) -> QuicConfiguration:
    """Return the configuration of all connections of a listener. Raises `TLSError`."""
    configuration = QuicConfiguration(
        is_client=False,
        alpn_protocols=["h3"],
        connection_id_length=ID_BYTES,
        idle_timeout=IDLE_SECONDS,
        max_stream_data=STREAM_WINDOW,
        max_datagram_frame_size=_MAX_DATAGRAM_FRAME,  # required by WebTransport, but not used
    )
    try:
        chain = x509.load_pem_x509_certificates(resolve_pem(settings.cert_pem).encode())
        configuration.private_key = load_pem_private_key(resolve_pem(settings.key_pem).encode())
    except (TLSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise TLSError(f"error make TLS config (for HTTP/3): error load certificate: {error}") from error
    configuration.certificate, *configuration.certificate_chain = chain
    return configuration
