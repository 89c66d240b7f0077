import pytest

from fanjet.net.http1 import head_cache
from fanjet.net.http1.errors import BadRequest
from fanjet.net.http1.head import parse_head
from fanjet.net.http1.head_cache import HeadCache
from fanjet.net.router import Routes


def head(path, *lines):
    return b"\r\n".join((b"POST %b HTTP/1.1" % path, b"Host: h", *lines))


def first(exchange):
    """One endpoint."""


def second(exchange):
    """Another."""


@pytest.fixture
def heads():
    routes = Routes()
    routes.add("/first", first, max_body=10)
    routes.add("/second", second, max_body=None)
    return HeadCache(routes)


def test_a_head_leads_to_its_endpoint(heads):
    found = heads.parse(head(b"/first"), keep=False)
    assert (found.head.path, found.endpoint, found.max_body) == ("/first", first, 10)
    assert heads.parse(head(b"/second"), keep=False).endpoint is second
    assert heads.parse(head(b"/third"), keep=False).endpoint not in (first, second)


def test_a_head_that_is_kept_is_parsed_once(heads):
    raw = head(b"/first")
    assert heads.get(raw) is None
    kept = heads.parse(raw, keep=True)
    assert heads.get(raw) is heads.parse(raw, keep=True) is heads.parse(raw, keep=False) is kept


@pytest.mark.parametrize(
    ("raw", "keep"),
    [
        pytest.param(head(b"/first"), False, id="not-likely-to-come-again"),
        pytest.param(head(b"/first", b"A: " + b"x" * 5000), True, id="large"),
    ],
)
def test_what_is_not_kept(heads, raw, keep):
    heads.parse(raw, keep=keep)
    assert heads.get(raw) is None


def test_what_is_no_head_is_refused_every_time(heads):
    for _ in range(2):
        with pytest.raises(BadRequest):
            heads.parse(b"garbage", keep=True)


@pytest.mark.parametrize(
    ("raw", "rest"),
    [
        pytest.param(head(b"/first"), 4, id="no-body"),
        pytest.param(head(b"/first", b"Content-Length: 10"), 14, id="largest-body"),
        pytest.param(head(b"/first", b"Content-Length: 11"), 0, id="too-large"),
        pytest.param(head(b"/second", b"Content-Length: 11"), 15, id="no-limit"),
        pytest.param(head(b"/second", b"Transfer-Encoding: chunked"), 0, id="in-chunks"),
        pytest.param(head(b"/second", b"Content-Length: 11", b"Expect: 100-continue"), 0, id="leave-is-asked-for"),
    ],
)
def test_how_long_a_simple_request_is(heads, raw, rest):
    known = heads.parse(raw, keep=True)
    assert known.raw == raw + b"\r\n\r\n"
    assert known.size == (len(raw) + rest if rest else 0)


def test_no_more_than_so_many_are_kept(heads, monkeypatch):
    monkeypatch.setattr(head_cache, "MAX_CACHED", 3)
    raws = [head(b"/first", b"A: %d" % number) for number in range(4)]
    for raw in raws:
        heads.parse(raw, keep=True)
    assert [heads.get(raw) is not None for raw in raws] == [False, False, False, True]


KEY, OTHER_KEY = b"AAECAwQFBgcICQoLDA0ODw==", b"8PHy8/T19vf4+fr7/P3+/w=="


def handshake(key, *, before=b"Upgrade: websocket", after=(b"Sec-WebSocket-Version: 13",)):
    return b"\r\n".join((b"GET /first HTTP/1.1\r\nHost: h", before, b"Sec-WebSocket-Key: " + key, *after))


@pytest.mark.parametrize("after", [(), (b"Sec-WebSocket-Version: 13", b"Origin: http://a")], ids=["last", "not last"])
def test_a_handshake_is_known_but_for_its_key(heads, after):
    first_come = heads.parse(handshake(KEY, after=after), keep=False)
    found = heads.handshake(handshake(OTHER_KEY, after=after))
    assert found.head == parse_head(handshake(OTHER_KEY, after=after))
    assert (found.endpoint, found.max_body, found.size) == (first, 10, first_come.size)
    assert found.raw == handshake(OTHER_KEY, after=after) + b"\r\n\r\n"
    assert first_come.head.headers[b"sec-websocket-key"] == KEY


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(handshake(OTHER_KEY, before=b"Upgrade: other"), id="something else differs"),
        pytest.param(handshake(OTHER_KEY[:-1]), id="shorter key"),
        pytest.param(handshake(OTHER_KEY + b"="), id="longer key"),
        pytest.param(handshake(b"8PHy8/T19vf4+fr7/P3+\r\nA:"), id="line end in the key"),
        pytest.param(handshake(b"8PHy8/T19vf4+fr7/P3+/w \x00"), id="control character in the key"),
        pytest.param(handshake(b" " + OTHER_KEY[1:]), id="space before the key"),
        pytest.param(head(b"/first"), id="no handshake"),
    ],
)
def test_another_head_is_not_taken_for_a_known_handshake(heads, raw):
    heads.parse(handshake(KEY), keep=False)
    assert heads.handshake(raw) is None


def test_a_handshake_with_two_keys_is_not_kept(heads):
    for twice in (
        handshake(KEY, after=(b"Sec-WebSocket-Key: " + KEY,)),
        handshake(KEY, before=b"sec-websocket-key: " + OTHER_KEY),
    ):
        heads.parse(twice, keep=False)
        assert heads.handshake(twice) is None


def test_known_handshakes_are_bounded(heads, monkeypatch):
    monkeypatch.setattr(head_cache, "MAX_HANDSHAKES", 2)
    hellos = [handshake(KEY, before=b"Cookie: %d" % number) for number in range(3)]
    for raw in hellos:
        heads.parse(raw, keep=False)
    assert [heads.handshake(raw) is None for raw in hellos] == [True, True, False]
