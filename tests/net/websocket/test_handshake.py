import pytest

from fanjet.net.http1 import Request, parse_head
from fanjet.net.origin import origin_predicate
from fanjet.net.websocket.handshake import accept_head, handshake_error_status, offers_deflate, select_subprotocol

GOOD = {
    b"Host": b"h",
    b"Connection": b"keep-alive, Upgrade",
    b"Upgrade": b"WebSocket",
    b"Sec-WebSocket-Version": b"13",
    b"Sec-WebSocket-Key": b"dGhlIHNhbXBsZSBub25jZQ==",
}


def request(changes=(), method=b"GET", extra=()):
    fields = GOOD | dict(changes)
    lines = [name + b": " + value for name, value in fields.items() if value is not None]
    head = parse_head(b"\r\n".join((method + b" / HTTP/1.1", *lines, *extra)))
    return Request(head, b"", None, tls=False)


def refused(made):
    return handshake_error_status(made, origin_predicate(["https://ok"]))


@pytest.mark.parametrize(
    ("changes", "method", "status"),
    [
        pytest.param({}, b"GET", None, id="in-order"),
        pytest.param({b"Connection": None}, b"GET", 400, id="no-connection"),
        pytest.param({b"Connection": b"keep-alive"}, b"GET", 400, id="connection-without-upgrade"),
        pytest.param({b"Upgrade": None}, b"GET", 400, id="no-upgrade"),
        pytest.param({b"Upgrade": b"h2c"}, b"GET", 400, id="other-upgrade"),
        pytest.param({b"Upgrade": b"h2c, websocket"}, b"GET", None, id="upgrade-list"),
        pytest.param({}, b"POST", 405, id="post"),
        pytest.param({b"Upgrade": None}, b"POST", 400, id="headers-come-before-the-method"),
        pytest.param({b"Sec-WebSocket-Version": None}, b"GET", 400, id="no-version"),
        pytest.param({b"Sec-WebSocket-Version": b"8"}, b"GET", 400, id="old-version"),
        pytest.param({b"Sec-WebSocket-Version": b"8, 13"}, b"GET", None, id="version-list"),
        pytest.param({b"Sec-WebSocket-Version": b"8"}, b"POST", 405, id="method-comes-before-the-version"),
        pytest.param({b"Sec-WebSocket-Key": None}, b"GET", 400, id="no-key"),
        pytest.param({b"Sec-WebSocket-Key": b"0123456789"}, b"GET", 400, id="short-key"),
        pytest.param({b"Sec-WebSocket-Key": b"dGhlIHNhbXBsZSBub25jZQ!="}, b"GET", 400, id="key-not-base64"),
        pytest.param({b"Sec-WebSocket-Key": b"dGhlIHNhbXBsZSBub25jZTEx"}, b"GET", 400, id="key-of-18-bytes"),
        pytest.param({b"Origin": b"https://ok"}, b"GET", None, id="origin-allowed"),
        pytest.param({b"Origin": b"https://other"}, b"GET", 403, id="origin-not-allowed"),
        pytest.param({b"Origin": b"https://other", b"Sec-WebSocket-Key": b"x"}, b"GET", 400, id="origin-comes-last"),
    ],
)
def test_checks_in_their_order(changes, method, status):
    assert refused(request(changes, method)) == status


def test_tokens_may_be_spread_over_several_lines():
    assert refused(request({b"Connection": b"keep-alive"}, extra=(b"Connection: upgrade",))) is None


def test_the_accepting_head_of_the_standard_s_example():
    assert accept_head(request()) == (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
    )


def test_what_was_negotiated_is_announced():
    head = accept_head(request(), subprotocol=b"centrifuge-json", deflate=True)
    assert b"\r\nSec-WebSocket-Protocol: centrifuge-json\r\n" in head
    assert (
        b"\r\nSec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover\r\n"
        in head
    )


@pytest.mark.parametrize(
    ("lines", "selected"),
    [
        pytest.param([], None, id="none-offered"),
        pytest.param([b"foo"], None, id="unknown"),
        pytest.param([b"foo, b, a"], b"b", id="the-client-s-order-counts"),
        pytest.param([b" a "], b"a", id="spaces"),
        pytest.param([b"A"], None, id="case-matters"),
        pytest.param([b"foo", b"a"], None, id="only-the-first-line-counts"),
        pytest.param([b""], None, id="empty"),
    ],
)
def test_subprotocols(lines, selected):
    made = request(extra=[b"Sec-WebSocket-Protocol: " + line for line in lines])
    assert select_subprotocol(made, (b"a", b"b")) == selected


@pytest.mark.parametrize(
    ("lines", "offered"),
    [
        pytest.param([], False, id="nothing"),
        pytest.param([b"permessage-deflate"], True, id="plain"),
        pytest.param([b"permessage-deflate; client_max_window_bits"], True, id="with-parameters"),
        pytest.param([b"x-webkit-deflate-frame, permessage-deflate;a=b"], True, id="second-offer"),
        pytest.param([b"foo", b"permessage-deflate"], True, id="second-line"),
        pytest.param([b"permessage-deflate-2; permessage-deflate"], False, id="as-a-parameter-only"),
    ],
)
def test_compression_offers(lines, offered):
    made = request(extra=[b"Sec-WebSocket-Extensions: " + line for line in lines])
    assert offers_deflate(made) is offered
