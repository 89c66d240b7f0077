"""SSL contexts from the TLS objects of the configuration.

02 section 3.2, 04 sections 2.4 and 2.5.
"""

import base64
import binascii
import os
import ssl
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from .tls_alert import AlertingContext

_PEM_MARK = "-----BEGIN "
_CERTIFICATE_BEGIN = "-----BEGIN CERTIFICATE-----"
_CERTIFICATE_END = "-----END CERTIFICATE-----"


class TLSError(Exception):
    """A TLS object is invalid; the text says why."""


class TLSSettings(Protocol):
    """The server side of a TLS object.

    Every PEM value is PEM text, base64 of it, or a file path.
    """

    @property
    def cert_pem(self) -> str:
        """The certificate chain."""

    @property
    def key_pem(self) -> str:
        """The private key."""

    @property
    def client_ca_pem(self) -> str:
        """Certificate authorities of client certificates.

        Client certificates are required if this is set.
        """


class ClientTLSSettings(Protocol):
    """The client side of a TLS object. The caller passes the name to send and verify."""

    @property
    def cert_pem(self) -> str:
        """The client's certificate chain; used only with its key."""

    @property
    def key_pem(self) -> str:
        """The client's private key."""

    @property
    def server_ca_pem(self) -> str:
        """Certificate authorities of the server, replacing the system's."""

    @property
    def insecure_skip_verify(self) -> bool:
        """Whether the server's certificate is not verified."""


def server_context(settings: TLSSettings, entity: str) -> ssl.SSLContext:
    """Return the context of a listener. Raises `TLSError`, whose text names `entity`.

    The contract ignores a certificate without its key, and a key without its certificate; a listener without a
    certificate is refused here.
    """
    try:
        return _server_context(settings)
    except TLSError as error:
        raise TLSError(f"error make TLS config (for {entity}): {error}") from error


def client_context(settings: ClientTLSSettings, entity: str, *, server_name: str = "") -> ssl.SSLContext:
    """Return the context of connections to another server.

    Raises `TLSError`, whose text names `entity`.

    `server_name`: the name to send and verify instead of the host, for libraries that have no such parameter.
    """
    try:
        return _client_context(settings, server_name)
    except TLSError as error:
        raise TLSError(f"error make TLS config (for {entity}): {error}") from error


def resolve_pem(value: str) -> str:
    """Return the PEM text of a configuration value. Raises `TLSError`."""
    if _PEM_MARK in value:
        return value
    decoded = _decode_base64(value)
    if decoded is not None and _PEM_MARK in decoded:
        return decoded
    path = Path(value)
    try:
        is_file = path.exists()
    except (OSError, ValueError):  # too long for a path, or a NUL in it
        is_file = False
    if not is_file:
        raise TLSError("invalid PEM data: not a valid file path, base64-encoded PEM content, or raw PEM content")
    try:
        text = path.read_text("utf-8", "replace")
    except OSError as error:
        raise TLSError(f"error reading file: {error.strerror}") from error
    if _PEM_MARK not in text:
        raise TLSError(f'file "{value}" contains invalid PEM data')
    return text


def context_with(pair: str, protocols: Sequence[str]) -> ssl.SSLContext:
    """Return the context of a listener with a certificate chain and its key in PEM.

    Raises `TLSError`.
    """
    context = _bare_server_context(protocols)
    _load_pair(context, pair)
    return context


def _bare_server_context(protocols: Sequence[str]) -> ssl.SSLContext:
    context = AlertingContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(protocols)
    return context


def _server_context(settings: TLSSettings) -> ssl.SSLContext:
    context = _bare_server_context(["h2", "http/1.1"])
    if not settings.cert_pem or not settings.key_pem:
        raise TLSError("neither certificate nor key may be empty")
    _load_key_pair(context, settings.cert_pem, settings.key_pem)
    if settings.client_ca_pem:
        _trust(context, settings.client_ca_pem, "client CA")
        context.verify_mode = ssl.CERT_REQUIRED
    return context


class _NamingContext(ssl.SSLContext):
    """Sends and verifies a fixed server name instead of the host."""

    expected_name = ""

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        return super().wrap_bio(incoming, outgoing, server_side, self.expected_name, session)


def _client_context(settings: ClientTLSSettings, server_name: str) -> ssl.SSLContext:
    context = _NamingContext(ssl.PROTOCOL_TLS_CLIENT) if server_name else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if isinstance(context, _NamingContext):
        context.expected_name = server_name
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if settings.insecure_skip_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if settings.server_ca_pem:
        _trust(context, settings.server_ca_pem, "server CA")
    else:
        context.load_default_certs()
    if settings.cert_pem and settings.key_pem:
        _load_key_pair(context, settings.cert_pem, settings.key_pem)
    return context


def _load_key_pair(context: ssl.SSLContext, certificate: str, key: str) -> None:
    try:
        pair = _resolve("load TLS certificate", certificate) + "\n" + _resolve("load TLS key", key)
        _load_pair(context, pair)
    except TLSError as error:
        raise TLSError(f"error load certificate: {error}") from error


def _load_pair(context: ssl.SSLContext, pair: str) -> None:
    try:
        with _private_file(pair) as path:
            # An encrypted key must not make the server ask for a password on its terminal.
            context.load_cert_chain(path, password="")
    except (ssl.SSLError, ValueError) as error:
        raise TLSError(str(error)) from error


def _trust(context: ssl.SSLContext, authorities: str, whose: str) -> None:
    bundle = _resolve(f"error load {whose}: load PEM block for {whose}", authorities)
    loaded = 0
    for block in _certificate_blocks(bundle):
        try:
            context.load_verify_locations(cadata=block)
        except (ssl.SSLError, ValueError):
            continue  # invalid blocks are skipped as long as one is valid
        loaded += 1
    if not loaded:
        raise TLSError(f"error load {whose}: no valid certificates found")


def _resolve(step: str, value: str) -> str:
    try:
        return resolve_pem(value)
    except TLSError as error:
        raise TLSError(f"{step}: {error}") from error


def _certificate_blocks(bundle: str) -> Iterator[str]:
    for part in bundle.split(_CERTIFICATE_BEGIN)[1:]:
        body, end, _ = part.partition(_CERTIFICATE_END)
        if end:
            yield f"{_CERTIFICATE_BEGIN}{body}{_CERTIFICATE_END}\n"


@contextmanager
def _private_file(text: str) -> Iterator[str]:
    """Write a temporary file readable only by this user.

    `ssl` loads keys only from files.
    """
    descriptor, path = tempfile.mkstemp(prefix="fanjet-tls-")  # created with mode 0600
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        yield path
    finally:
        os.unlink(path)


def _decode_base64(value: str) -> str | None:
    try:
        return base64.b64decode(value.replace("\r", "").replace("\n", ""), validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return None
