"""Addresses of key sets, fixed ones and templates (03 §6.3)."""

import pytest

from fanjet.auth.errors import TokenInvalid, TokenSettingsError
from fanjet.auth.jwks.endpoint import Endpoint, without_password


@pytest.mark.parametrize(
    ("template", "named", "url"),
    [
        pytest.param("https://a.b/keys", {}, "https://a.b/keys", id="fixed"),
        pytest.param("http://a", {}, "http://a", id="no-path"),
        pytest.param("http://a/", {}, "http://a/", id="root"),
        pytest.param("http://a/k?x=//..", {}, "http://a/k?x=//..", id="query-is-not-looked-at"),
        pytest.param("http://a/{{t}}/k", {"t": "x"}, "http://a/x/k", id="path"),
        pytest.param("http://{{t}}.b/k", {"t": "x"}, "http://x.b/k", id="host"),
        pytest.param("http://a/{{t}}-{{u}}-{{t}}", {"t": "1", "u": "2"}, "http://a/1-2-1", id="several"),
        pytest.param("http://a/k{{t}}", {}, "http://a/k", id="unknown-is-nothing"),
        pytest.param("http://a/k{{ t }}", {"t": "x"}, "http://a/k", id="spaces-belong-to-the-name"),
        pytest.param("http://a/{{t}}", {"t": "{{u}}"}, "http://a/{{u}}", id="values-are-no-templates"),
        pytest.param("http://a/{{t}}", {"t": "b%20c"}, "http://a/b%20c", id="values-are-not-escaped"),
    ],
)
def test_values_are_inserted(template, named, url):
    assert Endpoint(template, "key").resolve(named) == url


@pytest.mark.parametrize(
    ("template", "named"),
    [
        pytest.param("http://a/k/", {}, id="slash-at-the-end"),
        pytest.param("http://a//k", {}, id="double-slash"),
        pytest.param("http://a/{{t}}/k", {}, id="empty-segment"),
        pytest.param("http://a/{{t}}/k", {"t": ".."}, id="up"),
        pytest.param("http://a/{{t}}/k", {"t": "x/../../y"}, id="far-up"),
        pytest.param("http://a/{{t}}/k", {"t": "."}, id="dot"),
        pytest.param("http://a/{{t}}/k", {"t": "%2e%2e"}, id="up-encoded"),
        pytest.param("http://a/{{t}}/k", {"t": "x%2F.."}, id="slash-encoded"),
        pytest.param("http://a/{{t}}/k", {"t": "%zz"}, id="bad-escape"),
        pytest.param("http://{{t}}/k", {"t": "a b"}, id="bad-host"),
        pytest.param("http://a/{{t}}", {"t": "x\r\ny"}, id="line-break"),
        pytest.param("http://{{t}}/k", {"t": "[a"}, id="bracket"),
    ],
)
def test_addresses_that_lead_elsewhere_make_the_token_invalid(template, named):
    with pytest.raises(TokenInvalid):
        Endpoint(template, "key").resolve(named)


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        pytest.param("keys.json", "must have http:// or https:// scheme, got: keys.json", id="no-scheme"),
        pytest.param("ftp://a/k", "must have http:// or https:// scheme, got: ftp://a/k", id="other-scheme"),
        pytest.param("{{t}}://a/k", "must have http:// or https:// scheme", id="scheme-of-the-token"),
        pytest.param("http://[a/k", "invalid url value or format", id="bracket"),
        pytest.param("http://a:b/k", "invalid url value or format", id="port"),
        pytest.param("http://a b/k", "invalid url value or format", id="space-in-host"),
        pytest.param("http://a/\nk", "invalid url value or format", id="control-character"),
        pytest.param("http://a/{{t", "placeholder does not end", id="open-placeholder"),
    ],
)
def test_what_is_no_address_is_refused_by_its_key(template, reason):
    with pytest.raises(TokenSettingsError, match=reason) as refused:
        Endpoint(template, "jwks_public_endpoint")
    assert refused.value.key == "jwks_public_endpoint"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        pytest.param("https://a/k", "https://a/k", id="none"),
        pytest.param("https://u:p@a/k", "https://u:xxxxx@a/k", id="password"),
        pytest.param("https://a/k:x@y", "https://a/k:x@y", id="path"),
    ],
)
def test_the_log_shows_no_password(url, shown):
    assert without_password(url) == shown
