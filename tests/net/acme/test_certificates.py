import asyncio
import logging
import shutil
import ssl
import stat

import pytest
from cryptography import x509

from fanjet.net.acme import certificates as module
from fanjet.net.acme.authority import Authority
from fanjet.net.acme.certificates import Certificates
from fanjet.net.acme.hosts import HostPolicy
from fanjet.net.acme.http_challenges import HttpChallenges
from fanjet.net.acme.store import Store
from fanjet.net.client_hello import ClientHello
from fanjet.net.router import Routes
from fanjet.net.tls_acceptor import ClientHelloRejected
from tests.support.waiting import until

from .fake_authority import FakeAuthority

HOST = "chat.example.org"


@pytest.fixture
async def authority():
    async with FakeAuthority() as fake:
        yield fake


@pytest.fixture
def server(authority, serve):
    """A function that starts a server whose certificates come from the authority."""
    opened = []

    async def start(folder="", allowed=(), **options):
        certificates = Certificates(
            Authority(f"{authority.url}/dir", "a@example.org"), HostPolicy(allowed), Store(str(folder)), **options
        )
        opened.append(certificates)
        routes = Routes()
        routes.add("/", lambda exchange: exchange.respond(200, b"hello"))
        served = await serve(routes, certificates)
        served.certificates = certificates
        authority.tls_port = served.listener.port
        return served

    yield start
    for each in opened:
        each.stop()


async def handshake(served, name=HOST, protocols=("h2", "http/1.1")):
    """Connect; return the certificate and the protocol agreed on."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(list(protocols))
    _, writer = await asyncio.open_connection(
        "127.0.0.1", served.listener.port, ssl=context, server_hostname=name or ""
    )
    agreed = writer.get_extra_info("ssl_object")
    writer.transport.abort()
    return x509.load_der_x509_certificate(agreed.getpeercert(True)), agreed.selected_alpn_protocol()


def hosts_of(certificate):
    return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(
        x509.DNSName
    )


def orders_of(authority, count):
    """Whether as many have been made, refused ones included."""

    async def condition():
        return authority.order_requests >= count

    return condition


def validated(authority, count):
    """Whether so many orders wait for nothing but the gate."""

    async def condition():
        return authority.validated >= count

    return condition


def serves_another_than(served, certificate):
    async def condition():
        return (await handshake(served))[0] != certificate

    return condition


async def refusal(served, name=HOST, protocols=("h2",)):
    with pytest.raises(ssl.SSLError) as caught:
        await handshake(served, name, protocols)
    return caught.value.reason


async def test_a_certificate_is_got_at_the_first_handshake(server, authority):
    served = await server()
    certificate, protocol = await handshake(served)
    assert hosts_of(certificate) == [HOST]
    assert certificate.issuer.rfc4514_string() == "CN=Fake Authority"
    assert protocol in ("h2", "http/1.1")
    again, _ = await handshake(served, HOST.upper() + ".")
    assert again == certificate
    assert authority.ordered == [HOST]
    assert authority.contacts == [["mailto:a@example.org"]]


async def test_everybody_who_asks_meanwhile_waits_for_one_order(server, authority):
    served = await server()
    authority.gate.clear()
    waiting = [asyncio.create_task(handshake(served)) for _ in range(5)]
    other = asyncio.create_task(handshake(served, "other.example.org"))
    await until(orders_of(authority, 2))
    assert not any(each.done() for each in (*waiting, other))
    authority.gate.set()
    got = {certificate for certificate, _ in await asyncio.gather(*waiting)}
    assert len(got) == 1
    assert hosts_of((await other)[0]) == ["other.example.org"]
    assert sorted(authority.ordered) == [HOST, "other.example.org"]


async def test_a_client_that_gives_up_does_not_end_the_order(server, authority):
    served = await server()
    authority.gate.clear()
    impatient = asyncio.create_task(handshake(served))
    await until(validated(authority, 1))  # the clock below would end the authority's own connection, too
    served.push_clock(11)
    with pytest.raises((ConnectionError, ssl.SSLError)):
        await impatient
    authority.gate.set()
    await handshake(served)
    assert authority.ordered == [HOST]


async def test_clients_without_a_name_mean_the_default_one(server, authority):
    served = await server(default_name="default.example.org")
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    _, writer = await asyncio.open_connection("127.0.0.1", served.listener.port, ssl=context, server_hostname="")
    certificate = x509.load_der_x509_certificate(writer.get_extra_info("ssl_object").getpeercert(True))
    writer.transport.abort()
    assert hosts_of(certificate) == ["default.example.org"]


@pytest.mark.parametrize("name", ["else.example.org", "localhost", "a..b", "../../etc/passwd.x", ""])
async def test_other_hosts_are_refused_without_asking_the_authority(server, authority, name):
    served = await server(allowed=[HOST])
    with pytest.raises(ClientHelloRejected):
        served.certificates.context_for(ClientHello(name))
    assert authority.ordered == []


async def test_a_host_that_is_not_listed_gets_an_alert(server, authority):
    served = await server(allowed=[HOST])
    assert await refusal(served, "else.example.org") == "TLSV1_ALERT_INTERNAL_ERROR"


async def test_without_a_challenge_there_is_no_challenge_certificate(server, authority):
    served = await server()
    assert await refusal(served, protocols=["acme-tls/1"]) == "TLSV1_ALERT_INTERNAL_ERROR"
    assert authority.ordered == []


# What is kept.


async def test_a_folder_survives_a_restart(server, authority, tmp_path):
    folder = tmp_path / "new" / "cache"
    first, _ = await handshake(await server(folder))
    assert sorted(each.name for each in folder.iterdir()) == ["acme_account+key", HOST]
    assert {stat.S_IMODE(each.stat().st_mode) for each in folder.iterdir()} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    second, _ = await handshake(await server(folder))
    assert second == first
    assert authority.ordered == [HOST]
    await handshake(await server(folder), "b.example.org")
    assert len(authority.accounts) == 1


async def test_without_a_folder_everything_is_got_anew(server, authority):
    await handshake(await server())
    await handshake(await server())
    assert authority.ordered == [HOST, HOST]
    assert len(authority.accounts) == 2


@pytest.mark.parametrize("damage", ["expired", "cut", "empty", "other"])
async def test_what_is_kept_but_unusable_is_replaced(server, authority, tmp_path, damage):
    authority.lifetime = -0.5 if damage == "expired" else 3600
    served = await server(tmp_path)
    if damage == "expired":
        await refusal(served)
        authority.lifetime = 3600
    else:
        await handshake(served)
        kept = (tmp_path / HOST).read_bytes()
        (tmp_path / HOST).write_bytes({"cut": kept[:-200], "empty": b"", "other": b"nonsense"}[damage])
    certificate, _ = await handshake(await server(tmp_path))
    assert hosts_of(certificate) == [HOST]
    assert authority.ordered == [HOST, HOST]


async def test_servers_that_share_a_folder_meet_each_others_challenges(server, authority, tmp_path):
    first = await server(tmp_path)
    await server(tmp_path)  # and the authority comes to the second one
    certificate, _ = await handshake(first)
    assert hosts_of(certificate) == [HOST]


async def test_servers_that_share_a_folder_make_one_order(server, authority, tmp_path):
    first, second = await server(tmp_path), await server(tmp_path)
    certificates = await asyncio.gather(*(handshake(each) for each in (first, second) * 3))
    assert len({certificate for certificate, _ in certificates}) == 1
    assert authority.ordered == [HOST]


def test_an_account_key_that_is_none_is_refused(tmp_path):
    (tmp_path / "acme_account+key").write_text("nonsense")
    with pytest.raises(ValueError, match="PEM"):
        Certificates(Authority("http://127.0.0.1:1/"), HostPolicy([]), Store(str(tmp_path)))


# Challenges over HTTP.


async def test_http_is_tried_when_tls_fails(server, authority, serve):
    served = await server(answers_http=True)
    challenges = await serve(HttpChallenges(served.certificates))
    authority.http_port = challenges.listener.port
    authority.tls_port = 1  # nothing there
    certificate, _ = await handshake(served)
    assert hosts_of(certificate) == [HOST]
    assert authority.ordered == [HOST, HOST]
    assert b"404" in await challenges.ask(
        b"GET /.well-known/acme-challenge/token_2 HTTP/1.1\r\nHost: %b\r\n\r\n" % HOST.encode()
    )


async def test_http_alone(server, authority, serve):
    authority.kinds = ["http-01"]
    served = await server(answers_http=True, allowed=[HOST])
    authority.http_host = f"{HOST}:8080"
    challenges = await serve(HttpChallenges(served.certificates))
    authority.http_port = challenges.listener.port
    assert hosts_of((await handshake(served))[0]) == [HOST]


@pytest.mark.parametrize(
    ("request_line", "status", "rest"),
    [
        ("GET /a//b/../c?d=%20e", 302, f"Location: https://{HOST}/a//b/../c?d=%20e"),
        ("GET /'<b>", 302, f'<a href="https://{HOST}/%27%3Cb%3E">Found</a>.'),
        ("HEAD /", 302, f"Location: https://{HOST}/"),
        ("POST /", 400, "Use HTTPS\n"),
        ("OPTIONS *", 400, "Use HTTPS\n"),
        ("GET /.well-known/acme-challenge/none", 404, ""),
        ("GET /.well-known/acme-challenge/../../x", 404, ""),
        ("GET /.well-known/acme-challenge/..%2Facme_account", 404, ""),
        ("GET /.well-known/acme-challenge/", 404, ""),
    ],
)
async def test_everybody_else_is_sent_to_https(server, serve, request_line, status, rest):
    served = await server()
    challenges = await serve(HttpChallenges(served.certificates))
    answer = await challenges.ask(f"{request_line} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert rest.encode() in answer


async def test_a_port_becomes_that_of_https(server, serve):
    challenges = await serve(HttpChallenges((await server()).certificates))
    answer = await challenges.ask(b"GET / HTTP/1.1\r\nHost: a.example:8080\r\n\r\n")
    assert b"\r\nLocation: https://a.example:443/\r\n" in answer


async def test_challenges_of_hosts_that_are_not_listed_are_refused(server, serve):
    challenges = await serve(HttpChallenges((await server(allowed=[HOST])).certificates))
    answer = await challenges.ask(b"GET /.well-known/acme-challenge/x HTTP/1.1\r\nHost: b.example\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 403 ")


# Failures.


async def test_a_failed_host_is_left_alone_for_a_while(server, authority, caplog):
    served = await server()
    authority.tls_port = 1
    assert await refusal(served) == "TLSV1_ALERT_INTERNAL_ERROR"
    assert await refusal(served) == "TLSV1_ALERT_INTERNAL_ERROR"
    assert authority.ordered == [HOST]
    (error,) = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert error.startswith(f"no certificate for {HOST}: tls-alpn-01 validation of {HOST} failed: urn:x:unauthorized")
    assert error.endswith("the next attempt is made in 60 s at the earliest")
    authority.tls_port = served.listener.port
    await handshake(served, "b.example.org")


async def test_an_authority_that_wants_to_be_left_alone_is(server, authority):
    served = await server()
    authority.fault = (429, "rateLimited", "slow down", {"Retry-After": "1000"})
    await refusal(served)
    authority.fault = None
    await refusal(served, "b.example.org")
    assert authority.ordered == []


@pytest.mark.parametrize(
    "fault",
    [(500, "serverInternal"), (403, "rejectedIdentifier", "no"), (429, "rateLimited", "", {"Retry-After": "soon"})],
)
async def test_an_authority_that_fails_costs_the_handshake_only(server, authority, fault):
    served = await server()
    authority.fault = fault
    await refusal(served)
    authority.fault = None
    await handshake(served, "b.example.org")


async def test_an_authority_that_is_down(server, authority):
    served = await server()
    await authority._runner.cleanup()
    assert await refusal(served) == "TLSV1_ALERT_INTERNAL_ERROR"


async def test_a_nonce_that_went_bad_is_replaced(server, authority):
    served = await server()
    authority.bad_nonces = 2
    await handshake(served)


async def test_a_nonce_that_stays_bad_is_a_failure(server, authority):
    served = await server()
    authority.bad_nonces = 100
    await refusal(served)


async def test_orders_at_once_are_limited(server, authority, monkeypatch):
    monkeypatch.setattr(module, "MAX_ORDERS", 2)
    served = await server()
    authority.gate.clear()
    waiting = [asyncio.create_task(handshake(served, f"{each}.example.org")) for each in "ab"]
    await until(orders_of(authority, 2))
    assert await refusal(served, "c.example.org") == "TLSV1_ALERT_INTERNAL_ERROR"
    authority.gate.set()
    await asyncio.gather(*waiting)
    await handshake(served, "c.example.org")


# Renewal.


async def test_certificates_are_renewed_before_they_end(server, authority, tmp_path):
    authority.lifetime = 2.0
    served = await server(tmp_path)
    first, _ = await handshake(served)
    authority.lifetime = 3600
    await until(serves_another_than(served, first))
    renewed, _ = await handshake(served)
    assert renewed.not_valid_after_utc > first.not_valid_after_utc
    assert renewed.public_key() != first.public_key()


async def test_a_certificate_that_another_server_renewed_is_taken_over(server, authority, tmp_path):
    renewed, _ = await handshake(await server(tmp_path / "other"))
    served = await server(tmp_path / "ours")
    authority.lifetime = 4.0
    first, _ = await handshake(served)
    shutil.copy(tmp_path / "other" / HOST, tmp_path / "ours" / HOST)
    await until(serves_another_than(served, first))
    assert (await handshake(served))[0] == renewed
    assert authority.ordered == [HOST, HOST]


async def test_a_failed_renewal_leaves_the_certificate_in_use(server, authority):
    authority.lifetime = 2.0
    served = await server()
    first, _ = await handshake(served)
    authority.fault = (500, "serverInternal")
    await until(orders_of(authority, 2))
    assert (await handshake(served))[0] == first
