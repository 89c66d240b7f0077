"""Getting the documents of key sets from real servers (03 §6.3)."""

import ssl
from types import SimpleNamespace

import pytest

from fanjet.auth.jwks import download as module
from fanjet.auth.jwks.download import LARGEST_DOCUMENT, ClientTLS, EndpointDown, download
from fanjet.net.tls import client_context
from tests.support.certificates import issue
from tests.support.key_server import key_server
from tests.support.server import free_port


async def test_a_document_is_fetched_with_one_request():
    async with key_server() as server:
        assert await download(server.url) == b'{"keys": []}'
        assert server.requests == ["/jwks.json"]


async def test_a_failure_is_made_good_by_the_second_attempt():
    async with key_server() as server:
        server.statuses = [500]
        assert await download(server.url) == b'{"keys": []}'
        assert len(server.requests) == 2


@pytest.mark.parametrize("status", [500, 404, 204, 403])
async def test_two_other_statuses_are_a_failure(status):
    async with key_server() as server:
        server.statuses = [status, status]
        with pytest.raises(EndpointDown, match=f"unexpected status code: {status}"):
            await download(server.url)
        assert len(server.requests) == 2


async def test_a_server_that_does_not_answer_gets_a_second_for_each_attempt(monkeypatch):
    monkeypatch.setattr(module, "TIMEOUT", module.ClientTimeout(total=0.1))
    async with key_server() as server:
        server.silent = True
        with pytest.raises(EndpointDown, match=r"."):
            await download(server.url)
        assert len(server.requests) == 2


def test_the_second_is_one():
    assert module.TIMEOUT.total == 1.0


async def test_nobody_there_is_a_failure():
    with pytest.raises(EndpointDown):
        await download(f"http://127.0.0.1:{free_port()}/")


@pytest.mark.parametrize("url", ["http:///x", "http://a..b/", "http://127.0.0.1:99999/"])
async def test_an_address_that_cannot_be_asked_is_a_failure(url):
    with pytest.raises(EndpointDown):
        await download(url)


async def test_redirects_are_followed():
    async with key_server() as server:
        assert await download(server.base + "/moved") == b'{"keys": []}'
        assert server.requests == ["/moved", "/jwks.json"]


async def test_a_user_in_the_address_is_sent():
    async with key_server() as server:
        await download(server.url.replace("http://", "http://me:secret@"))
        assert server.headers[0]["authorization"] == "Basic bWU6c2VjcmV0"


async def test_documents_without_end_are_cut():
    async with key_server() as server:
        server.documents["/jwks.json"] = bytes(LARGEST_DOCUMENT * 2)
        assert len(await download(server.url)) == LARGEST_DOCUMENT


@pytest.fixture(scope="module")
def pair():
    return issue()


def settings(**given):
    plain = {"cert_pem": "", "key_pem": "", "server_ca_pem": "", "insecure_skip_verify": False}
    return SimpleNamespace(**plain | given)


def server_side(pair, tmp_path):
    file = tmp_path / "pair.pem"
    file.write_text(pair.certificate + pair.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


async def test_an_authority_of_ones_own_is_trusted(pair, tmp_path):
    tls = ClientTLS(client_context(settings(server_ca_pem=pair.certificate), "x"))
    async with key_server(tls=server_side(pair, tmp_path)) as server:
        assert await download(server.url, tls) == b'{"keys": []}'
        with pytest.raises(EndpointDown, match=r"(?i)certificate"):
            await download(server.url)
        with pytest.raises(EndpointDown, match=r"(?i)certificate"):
            await download(server.url.replace("localhost", "127.0.0.1"), tls)


async def test_the_name_of_the_server_can_be_given(pair, tmp_path):
    context = client_context(settings(server_ca_pem=pair.certificate), "x")
    async with key_server(tls=server_side(pair, tmp_path)) as server:
        by_number = server.url.replace("localhost", "127.0.0.1")
        assert await download(by_number, ClientTLS(context, "localhost")) == b'{"keys": []}'


async def test_verification_can_be_skipped(pair, tmp_path):
    tls = ClientTLS(client_context(settings(insecure_skip_verify=True), "x"))
    async with key_server(tls=server_side(pair, tmp_path)) as server:
        assert await download(server.url.replace("localhost", "127.0.0.1"), tls) == b'{"keys": []}'


async def test_a_certificate_of_the_client_is_shown(pair, tmp_path):
    mutual = server_side(pair, tmp_path)
    mutual.load_verify_locations(cadata=pair.certificate)
    mutual.verify_mode = ssl.CERT_REQUIRED
    trusting = {"server_ca_pem": pair.certificate}
    async with key_server(tls=mutual) as server:
        with pytest.raises(EndpointDown):
            await download(server.url, ClientTLS(client_context(settings(**trusting), "x")))
        shown = settings(**trusting, cert_pem=pair.certificate, key_pem=pair.key)
        assert await download(server.url, ClientTLS(client_context(shown, "x"))) == b'{"keys": []}'
