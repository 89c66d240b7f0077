import pytest

from fanjet.net.http1 import parse_head
from fanjet.net.router import DuplicateRoute, Routes, clean_path


class Recorder:
    """Stands in for an exchange: keeps the answer."""

    def __init__(self, head):
        self.request = head
        self.answer = None

    def respond(self, status, body=b"", content_type=b"", headers=()):
        self.answer = status, dict(headers), body


def ask(routes, target, method="GET"):
    head = parse_head(f"{method} {target} HTTP/1.1\r\nHost: x".encode("latin-1"))
    route = routes.find(head)
    recorder = Recorder(head)
    route.endpoint(recorder)
    return recorder.answer


@pytest.fixture
def routes():
    routes = Routes()
    for pattern in ("/health", "/connection/websocket", "/swagger/", "/swagger/deep/"):
        routes.add(pattern, lambda exchange, pattern=pattern: exchange.respond(200, pattern.encode()))
    return routes


@pytest.mark.parametrize(
    ("target", "pattern"),
    [
        pytest.param("/health", "/health", id="exact"),
        pytest.param("/health?x=/y", "/health", id="query-does-not-matter"),
        pytest.param("/heal%74h", "/health", id="encoded"),
        pytest.param("http://h.com/health", "/health", id="absolute-form"),
        pytest.param("/swagger/", "/swagger/", id="subtree-root"),
        pytest.param("/swagger/a/b.js", "/swagger/", id="subtree"),
        pytest.param("/swagger/deep/x", "/swagger/deep/", id="longest-subtree"),
    ],
)
def test_finds(routes, target, pattern):
    assert ask(routes, target) == (200, {}, pattern.encode())


@pytest.mark.parametrize("target", ["/nope", "/health/", "/", "/connection%2Fwebsocket", "/HEALTH", "/\xff", "/%00"])
def test_unknown_paths_are_404(routes, target):
    status, headers, body = ask(routes, target)
    assert (status, body) == (404, b"404 page not found\n")
    assert headers == {b"X-Content-Type-Options": b"nosniff"}


@pytest.mark.parametrize(
    ("target", "location"),
    [
        pytest.param("//health", "/health", id="empty-segment"),
        pytest.param("/./health", "/health", id="dot"),
        pytest.param("/a/../health?x=1%20&y", "/health?x=1%20&y", id="dots-with-query"),
        pytest.param("/../..", "/", id="above-the-root"),
        pytest.param("/x/.", "/x", id="dot-at-the-end"),
        pytest.param("/x//", "/x/", id="slash-at-the-end"),
        pytest.param("/swagger", "/swagger/", id="subtree-root"),
        pytest.param("/a/../swagger", "/swagger/", id="cleaned-subtree-root"),
        pytest.param("/x/../?a<b", "/?a<b", id="odd-query"),
        pytest.param("http://h.com", "/", id="no-path"),
        pytest.param("foo:bar", "/", id="opaque"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "FOO"])
def test_redirects_to_the_cleaned_path(routes, target, location, method):
    status, headers, body = ask(routes, target, method)
    assert (status, headers[b"Location"]) == (307, location.encode())
    assert bool(body) == (method == "GET")


def test_a_redirect_cannot_be_split(routes):
    location = ask(routes, "/a/../%0d%0aX:y?%0d%0a")[1][b"Location"]
    assert b"\r" not in location
    assert b"\n" not in location


def test_the_root_pattern_catches_all(routes):
    routes.add("/", lambda exchange: exchange.respond(299))
    assert ask(routes, "/")[0] == 299
    assert ask(routes, "/nope/x")[0] == 299
    assert ask(routes, "/health")[0] == 200
    assert ask(routes, "/swagger")[0] == 307


def test_connect_is_not_redirected(routes):
    assert ask(routes, "x:1", "CONNECT")[0] == 404


def test_the_asterisk(routes):
    assert ask(routes, "*", "OPTIONS")[0] == 200
    assert ask(routes, "*")[0] == 400


@pytest.mark.parametrize("pattern", ["/health", "/swagger/"])
def test_one_pattern_twice_is_refused(routes, pattern):
    with pytest.raises(DuplicateRoute):
        routes.add(pattern, lambda exchange: None)


def test_a_pattern_begins_with_a_slash(routes):
    with pytest.raises(ValueError, match="slash"):
        routes.add("health", lambda exchange: None)


@pytest.mark.parametrize(("path", "cleaned"), [("", "/"), ("/", "/"), ("//", "/"), ("/a/./b/../c/", "/a/c/")])
def test_clean_path(path, cleaned):
    assert clean_path(path) == cleaned
