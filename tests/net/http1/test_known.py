import pytest

from fanjet.net.http1 import known
from fanjet.net.http1.errors import BadRequest
from fanjet.net.http1.known import KnownHeads
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
    return KnownHeads(routes)


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
def test_how_much_follows_the_head_of_a_simple_request(heads, raw, rest):
    assert heads.parse(raw, keep=True).rest == rest


def test_no_more_than_so_many_are_kept(heads, monkeypatch):
    monkeypatch.setattr(known, "MAX_KNOWN", 3)
    raws = [head(b"/first", b"A: %d" % number) for number in range(4)]
    for raw in raws:
        heads.parse(raw, keep=True)
    assert [heads.get(raw) is not None for raw in raws] == [False, False, False, True]
