import pytest

from fanjet.net.cors import cors_headers
from fanjet.net.http1 import Request, parse_head
from fanjet.net.origin import origin_predicate


def headers_for(*lines):
    head = parse_head(b"\r\n".join((b"POST / HTTP/1.1", b"Host: x", *lines)))
    request = Request(head, b"", None, tls=False)
    return dict(cors_headers(request, origin_predicate(["https://ok"])))


def test_an_allowed_origin_is_echoed():
    assert headers_for(b"Origin: https://OK") == {
        b"Access-Control-Allow-Origin": b"https://OK",
        b"Access-Control-Allow-Credentials": b"true",
    }


def test_without_origin_the_header_is_empty():
    assert headers_for()[b"Access-Control-Allow-Origin"] == b""


def test_a_rejected_origin_gets_nothing():
    assert headers_for(b"Origin: https://other", b"Access-Control-Request-Headers: x") == {}


@pytest.mark.parametrize(("wanted", "echoed"), [(b"x-a, x-b", b"x-a, x-b"), (b"null", None), (b"", None)])
def test_requested_headers_are_echoed(wanted, echoed):
    answer = headers_for(b"Origin: https://ok", b"Access-Control-Request-Headers: " + wanted)
    assert answer.get(b"Access-Control-Allow-Headers") == echoed
