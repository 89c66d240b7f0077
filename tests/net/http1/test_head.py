import contextlib

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanjet.net.http1.errors import BadRequest
from fanjet.net.http1.head import CHUNKED, parse_head


def head(*lines, request=b"GET /x HTTP/1.1", host=b"Host: h"):
    return b"\r\n".join((request, *((host,) if host else ()), *lines))


def refusal(raw):
    with pytest.raises(BadRequest) as caught:
        parse_head(raw)
    return caught.value.status, caught.value.detail


def test_a_plain_request():
    parsed = parse_head(head(b"X-Key:  a b \t", b"Content-Length: 12", request=b"POST /a%20b?c=%20 HTTP/1.1"))
    assert (parsed.method, parsed.path, parsed.raw_path, parsed.query) == ("POST", "/a b", "/a%20b", b"c=%20")
    assert parsed.headers == {b"host": b"h", b"x-key": b"a b", b"content-length": b"12"}
    assert (parsed.version, parsed.content_length, parsed.keep_alive) == ("1.1", 12, True)
    assert not parsed.expects_continue


def test_the_first_of_repeated_headers_wins_and_all_are_kept():
    parsed = parse_head(head(b"A: 1", b"a: 2", b"B: ", b"b: ", b"A: 3"))
    assert parsed.headers[b"a"] == b"1"
    assert parsed.repeated == {b"a": [b"1", b"2", b"3"], b"b": [b"", b""]}


@pytest.mark.parametrize(
    ("target", "raw_path", "query"),
    [
        pytest.param(b"/x?y?z", "/x", b"y?z", id="origin"),
        pytest.param(b"http://h.com:80/x?y", "/x", b"y", id="absolute"),
        pytest.param(b"http://h.com", "", b"", id="absolute-without-path"),
        pytest.param(b"http://h.com?q/r", "", b"q/r", id="absolute-with-query-only"),
        pytest.param(b"*", "*", b"", id="asterisk"),
        pytest.param(b"//x", "//x", b"", id="two-slashes-are-a-path"),
        pytest.param(b"/\xff", "/\xff", b"", id="raw-bytes"),
    ],
)
def test_targets(target, raw_path, query):
    parsed = parse_head(head(request=b"GET " + target + b" HTTP/1.1"))
    assert (parsed.raw_path, parsed.query) == (raw_path, query)


@pytest.mark.parametrize(
    "request_line",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"garbage", id="one-word"),
        pytest.param(b"GET /x", id="no-version"),
        pytest.param(b"GET  /x HTTP/1.1", id="two-spaces"),
        pytest.param(b"GET /x HTTP/1.1 ", id="space-at-the-end"),
        pytest.param(b"GET /x http/1.1", id="lower-case-version"),
        pytest.param(b"GET /x HTTP/1.10", id="long-version"),
        pytest.param(b"G(T /x HTTP/1.1", id="bad-method"),
        pytest.param(b"GET x HTTP/1.1", id="relative"),
        pytest.param(b"GET ?x HTTP/1.1", id="query-only"),
        pytest.param(b"GET /%zz HTTP/1.1", id="bad-escape"),
        pytest.param(b"GET /\x01 HTTP/1.1", id="control-character"),
        pytest.param(b"\x16\x03\x01\x02\x00 HTTP/1.1", id="tls-hello"),
    ],
)
def test_malformed_request_lines(request_line):
    assert refusal(head(request=request_line)) == (400, "")


@pytest.mark.parametrize(
    ("lines", "refused"),
    [
        pytest.param([b"A"], (400, ""), id="no-colon"),
        pytest.param([b": a"], (400, ""), id="no-name"),
        pytest.param([b"A\x00: b"], (400, ""), id="nul-in-name"),
        pytest.param([b"A: b\x00"], (400, ""), id="nul-in-value"),
        pytest.param([b"A: b\x7f"], (400, ""), id="control-in-value"),
        pytest.param([b"A: b\rc"], (400, ""), id="bare-carriage-return"),
        pytest.param([b"A : b"], (400, "invalid header name"), id="space-before-colon"),
        pytest.param([b"A b: c"], (400, "invalid header name"), id="space-in-name"),
        pytest.param([b"Host: other"], (400, ""), id="two-hosts"),
        pytest.param([b"Content-Length: x"], (400, ""), id="length-not-a-number"),
        pytest.param([b"Content-Length: +1"], (400, ""), id="length-with-sign"),
        pytest.param([b"Content-Length: -1"], (400, ""), id="length-negative"),
        pytest.param([b"Content-Length: "], (400, ""), id="length-empty"),
        pytest.param([b"Content-Length: 1" + b"0" * 30], (400, ""), id="length-huge"),
        pytest.param([b"Content-Length: 1, 1"], (400, ""), id="length-list"),
        pytest.param([b"Content-Length: 1", b"Content-Length: 2"], (400, ""), id="lengths-differ"),
        pytest.param([b"Transfer-Encoding: gzip"], (501, ""), id="unknown-coding"),
        pytest.param([b"Transfer-Encoding: gzip, chunked"], (501, ""), id="two-codings"),
        pytest.param([b"Transfer-Encoding: chunked"] * 2, (501, ""), id="coding-twice"),
        pytest.param([b"Expect: tea"], (417, ""), id="unknown-expectation"),
    ],
)
def test_malformed_headers(lines, refused):
    assert refusal(head(*lines)) == refused


@pytest.mark.parametrize(
    ("raw", "refused"),
    [
        pytest.param(head(host=None), (400, "missing required Host header"), id="missing"),
        pytest.param(head(host=b"Host : x"), (400, "missing required Host header"), id="space-before-colon"),
        pytest.param(head(host=b"Host: a b"), (400, "malformed Host header"), id="malformed"),
        pytest.param(head(request=b"GET /x HTTP/2.0"), (505, "unsupported protocol version"), id="version"),
        pytest.param(head(host=b" Host: x"), (400, ""), id="first-line-folded"),
    ],
)
def test_refusals_with_their_text(raw, refused):
    assert refusal(raw) == refused


@pytest.mark.parametrize("host", [b"", b"a.b:80", b"[::1]:80", b"x_y~", b"anything.example"])
def test_any_host_will_do(host):
    assert parse_head(head(host=b"Host: " + host)).headers[b"host"] == host


@pytest.mark.parametrize(
    ("version", "lines", "keep_alive"),
    [
        pytest.param(b"1.1", [], True, id="1.1"),
        pytest.param(b"1.1", [b"Connection: Close"], False, id="1.1-close"),
        pytest.param(b"1.1", [b"Connection: x", b"Connection: y, close"], False, id="1.1-close-in-second-line"),
        pytest.param(b"1.0", [], False, id="1.0"),
        pytest.param(b"1.0", [b"Connection: Keep-Alive"], True, id="1.0-keep-alive"),
        pytest.param(b"1.0", [b"Connection: keep-alive, close"], False, id="1.0-both"),
        pytest.param(b"1.2", [], True, id="a-later-minor-version"),
    ],
)
def test_keep_alive(version, lines, keep_alive):
    parsed = parse_head(head(*lines, request=b"GET / HTTP/" + version))
    assert parsed.keep_alive is keep_alive


def test_lengths():
    assert parse_head(head(b"Content-Length: 5", b"Content-Length: 5")).content_length == 5
    assert parse_head(head(b"Content-Length: 5", b"Transfer-Encoding: Chunked")).content_length == CHUNKED
    old = parse_head(head(b"Content-Length: 5", b"Transfer-Encoding: chunked", request=b"GET / HTTP/1.0", host=None))
    assert old.content_length == 5


def test_expectations():
    assert parse_head(head(b"Expect: 100-Continue", b"Content-Length: 5")).expects_continue
    assert not parse_head(head(b"Expect: 100-continue")).expects_continue


def test_bare_line_feeds_and_folded_lines_are_understood():
    parsed = parse_head(b"GET / HTTP/1.1\nHost: h\r\nA: b\n  c\n\td\nB: e")
    assert (parsed.headers[b"a"], parsed.headers[b"b"]) == (b"b c d", b"e")


@pytest.mark.parametrize(
    ("raw", "fits"),
    [
        pytest.param(head(), True, id="get"),
        pytest.param(head(request=b"POST / HTTP/1.1"), True, id="post"),
        pytest.param(head(request=b"HEAD / HTTP/1.1"), False, id="no-body-wanted"),
        pytest.param(head(b"Connection: close"), False, id="last-request"),
        pytest.param(head(b"Connection: keep-alive", request=b"GET / HTTP/1.0"), False, id="old-version"),
    ],
)
def test_when_the_ordinary_response_fits(raw, fits):
    assert parse_head(raw).ordinary is fits


TOKENS = st.text("abcXYZ019!#$%&'*+-.^_`|~", min_size=1, max_size=8).map(str.encode)
VALUES = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=20).map(
    lambda text: text.encode("latin-1")
)
RESERVED = {b"host", b"content-length", b"transfer-encoding", b"connection", b"expect", b"upgrade"}


class Oracle:
    def __init__(self):
        self.fields = []
        self.url = b""

    def on_url(self, url):
        self.url += url

    def on_header(self, name, value):
        self.fields.append((name.lower(), value.strip(b" \t")))


@given(st.lists(st.tuples(TOKENS.filter(lambda name: name.lower() not in RESERVED), VALUES), max_size=8))
def test_agrees_with_llhttp_about_well_formed_requests(fields):
    raw = head(*(name + b": " + value for name, value in fields))
    oracle = Oracle()
    httptools.HttpRequestParser(oracle).feed_data(raw + b"\r\n\r\n")
    parsed = parse_head(raw)
    assert oracle.url == parsed.target
    values = {}
    for name, value in oracle.fields:
        values.setdefault(name, []).append(value)
    assert parsed.headers == {name: all_values[0] for name, all_values in values.items()}
    assert parsed.repeated == {name: all_values for name, all_values in values.items() if len(all_values) > 1}


PIECES = [b"GET ", b"/", b" HTTP/1.1", b"\r\n", b"\n", b"Host", b":", b" ", b"\t", b"a", b"\x00", b"Content-Length"]


@given(st.binary(max_size=100) | st.lists(st.sampled_from(PIECES)).map(b"".join))
def test_any_bytes_are_parsed_or_refused(raw):
    with contextlib.suppress(BadRequest):
        parse_head(raw)
