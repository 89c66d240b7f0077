import base64
import datetime
import ssl
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from fanjet.net import tls
from fanjet.net.tls import TLSError, resolve_pem, server_context
from fanjet.net.websocket.connection import WebSocketConnection
from fanjet.net.websocket.frames import text_frame
from fanjet.net.websocket.reader import ReadLimits

from .conftest import until_silent
from .websocket.test_reader import CLOSE, frame

GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"


@dataclass
class Settings:
    cert_pem: str = ""
    key_pem: str = ""
    client_ca_pem: str = ""


def issue():
    """A certificate for localhost that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    key_pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode(), key_pem.decode()


@pytest.fixture(scope="module")
def pair():
    return issue()


def client_context(certificate):
    context = ssl.create_default_context(cadata=certificate)
    context.check_hostname = False
    return context


@pytest.fixture
def answering(routes):
    routes.add("/", lambda exchange: exchange.respond(200, b"%d" % exchange.request.tls))
    return routes


# PEM values.


def test_the_three_forms_of_a_pem_value(pair, tmp_path):
    text = pair[0]
    path = tmp_path / "cert.pem"
    path.write_text(text)
    assert resolve_pem(text) == text
    assert resolve_pem(base64.b64encode(text.encode()).decode()) == text
    assert resolve_pem(base64.encodebytes(text.encode()).decode()) == text
    assert resolve_pem(str(path)) == text


@pytest.mark.parametrize("value", ["no such file", "x" * 100_000, "a\x00b", base64.b64encode(b"no pem").decode()])
def test_anything_else_is_refused(value):
    with pytest.raises(TLSError) as caught:
        resolve_pem(value)
    assert str(caught.value) == (
        "invalid PEM data: not a valid file path, base64-encoded PEM content, or raw PEM content"
    )


def test_a_file_without_pem_is_refused_by_its_name(tmp_path):
    path = tmp_path / "cert.pem"
    path.write_text("nothing")
    with pytest.raises(TLSError) as caught:
        resolve_pem(str(path))
    assert str(caught.value) == f'file "{path}" contains invalid PEM data'


def test_a_file_that_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(TLSError, match="error reading file: Is a directory"):
        resolve_pem(str(tmp_path))


# Contexts.


def test_errors_name_the_entity_and_the_step(pair):
    certificate, key = pair

    def refusal(*values):
        with pytest.raises(TLSError) as caught:
            server_context(Settings(*values), "http_server.tls")
        return str(caught.value)

    prefix = "error make TLS config (for http_server.tls): "
    assert refusal("x", key).startswith(prefix + "error load certificate: load TLS certificate: invalid PEM data")
    assert refusal(certificate, "x").startswith(prefix + "error load certificate: load TLS key: invalid PEM data")
    assert refusal(certificate, issue()[1]).startswith(prefix + "error load certificate: ")
    assert refusal(certificate, key, "x").startswith(
        prefix + "error load client CA: load PEM block for client CA: invalid PEM data"
    )
    assert refusal(certificate, key, key).endswith("no valid certificates found")
    assert refusal(certificate, "").startswith(prefix)


def test_invalid_blocks_of_a_bundle_are_skipped(pair):
    certificate, key = pair
    broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    context = server_context(Settings(certificate, key, broken + certificate), "x")
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert len(context.get_ca_certs()) == 1


def test_the_key_does_not_stay_on_disk(pair, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    server_context(Settings(*pair), "x")
    assert list(Path(tmp_path).iterdir()) == []


@dataclass
class ClientSettings:
    server_ca_pem: str = ""
    cert_pem: str = ""
    key_pem: str = ""
    insecure_skip_verify: bool = False


def test_the_client_side_trusts_the_system_or_the_given_authorities(pair):
    system = tls.client_context(ClientSettings(), "x")
    assert (system.verify_mode, system.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert system.minimum_version is ssl.TLSVersion.TLSv1_2
    own = tls.client_context(ClientSettings(pair[0]), "x")
    assert len(own.get_ca_certs()) == 1


def test_the_client_side_can_do_without_verification():
    context = tls.client_context(ClientSettings(insecure_skip_verify=True), "x")
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_NONE, False)


def test_errors_of_the_client_side_name_the_entity_and_the_step(pair):
    def refusal(**values):
        with pytest.raises(TLSError) as caught:
            tls.client_context(ClientSettings(**values), "provider aa")
        return str(caught.value)

    prefix = "error make TLS config (for provider aa): "
    assert refusal(server_ca_pem="x").startswith(
        prefix + "error load server CA: load PEM block for server CA: invalid PEM data"
    )
    assert refusal(server_ca_pem=pair[1]) == prefix + "error load server CA: no valid certificates found"
    assert refusal(cert_pem=pair[0], key_pem=issue()[1]).startswith(prefix + "error load certificate: ")


def test_a_certificate_of_the_client_counts_with_its_key_only(pair):
    tls.client_context(ClientSettings(cert_pem="x"), "x")
    tls.client_context(ClientSettings(cert_pem=pair[0], key_pem=pair[1]), "x")


# On the wire.


async def test_https(serve, answering, pair):
    served = await serve(answering, server_context(Settings(*pair), "x"))
    reader, writer = await served.connect(ssl=client_context(pair[0]))
    writer.write(GET)
    assert (await until_silent(reader)).endswith(b"\r\n\r\n1")


async def test_tls_1_1_is_refused(serve, answering, pair):
    served = await serve(answering, server_context(Settings(*pair), "x"))
    context = client_context(pair[0])
    with warnings.catch_warnings(action="ignore"):  # it is as old as that
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await served.connect(ssl=context)


async def test_a_client_certificate_is_required_when_an_authority_is_set(serve, answering, pair):
    authority, client_key = issue()
    served = await serve(answering, server_context(Settings(*pair, authority), "x"))
    context = client_context(pair[0])
    reader, writer = await served.connect(ssl=context)  # with TLS 1.3 the refusal follows the client's handshake
    writer.write(GET)
    try:
        assert b"200 OK" not in await until_silent(reader)
    except ssl.SSLError as error:
        assert "CERTIFICATE_REQUIRED" in str(error).upper()  # noqa: PT017 (either way is a refusal)
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(authority + client_key)
        file.flush()
        context.load_cert_chain(file.name)
    reader, writer = await served.connect(ssl=context)
    writer.write(GET)
    assert (await until_silent(reader)).startswith(b"HTTP/1.1 200 OK")


async def test_plain_http_on_a_tls_port_is_closed(serve, answering, pair):
    served = await serve(answering, server_context(Settings(*pair), "x"))
    assert b"200" not in await served.ask(GET)


async def test_a_websocket_over_tls(serve, routes, pair):
    class Echo(WebSocketConnection):
        __slots__ = ()

        def on_message(self, payload):
            self.write(text_frame(payload))

    def make(transport):
        return Echo(served.wheel, ReadLimits(None, None))

    routes.add("/", lambda exchange: exchange.upgrade(b"\r\n\r\n", make))
    served = await serve(routes, server_context(Settings(*pair), "x"))
    reader, writer = await served.connect(ssl=client_context(pair[0]), limit=1 << 22)
    writer.write(GET)
    await reader.readuntil(b"\r\n\r\n")
    payload = b"x" * 1_000_000
    writer.write(frame(payload) + frame(b"\x03\xe8", CLOSE))
    assert await until_silent(reader) == text_frame(payload) + b"\x88\x02\x03\xe8<EOF>"
