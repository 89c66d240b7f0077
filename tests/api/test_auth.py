"""The key check (05 §2.4; checks 2 and 3)."""

import pytest

from fanjet.api.api_key import KeyCheck


@pytest.mark.parametrize(
    ("headers", "query", "admitted"),
    [
        pytest.param({}, b"", False, id="nothing"),
        pytest.param({b"x-api-key": b"K"}, b"", True, id="x-api-key"),
        pytest.param({b"x-api-key": b"k"}, b"", False, id="case-of-the-key"),
        pytest.param({b"authorization": b"apikey K"}, b"", True, id="authorization"),
        pytest.param({b"authorization": b"APIKEY  K"}, b"", True, id="case-of-the-scheme"),
        pytest.param({b"authorization": b"Bearer K"}, b"", False, id="another-scheme"),
        pytest.param({b"authorization": b"K"}, b"", False, id="no-scheme"),
        pytest.param({b"authorization": b"apikey K K"}, b"", False, id="three-words"),
        pytest.param({b"x-api-key": b"no", b"authorization": b"apikey K"}, b"", False, id="wrong-header-comes-first"),
        pytest.param({b"x-api-key": b"", b"authorization": b"apikey K"}, b"", True, id="empty-header-is-none"),
        pytest.param({}, b"api_key=K", True, id="query"),
        pytest.param({}, b"a=1&api_key=%4B", True, id="escaped-in-query"),
        pytest.param({}, b"api_key=no&api_key=K", False, id="first-of-two"),
        pytest.param({}, b"api_key", False, id="no-value"),
        pytest.param({b"x-api-key": b"no"}, b"api_key=K", True, id="wrong-header-right-query"),
        pytest.param({b"x-api-key": b"K"}, b"api_key=no", True, id="right-header-wrong-query"),
    ],
)
def test_where_the_key_may_be(headers: dict[bytes, bytes], query: bytes, *, admitted: bool) -> None:
    assert KeyCheck("K").admits(headers, query) is admitted


@pytest.mark.parametrize("query", [b"", b"api_key=", b"x=1"])
def test_an_empty_key_admits_nobody(query: bytes) -> None:
    assert not KeyCheck("").admits({b"x-api-key": b"", b"authorization": b"apikey "}, query)


def test_the_key_may_be_any_text() -> None:
    check = KeyCheck("gehéim +&")
    assert check.admits({b"x-api-key": "gehéim +&".encode()}, b"")
    assert check.admits({}, b"api_key=geh%C3%A9im+%2B%26")
