import pytest

from fanjet.net.query import query_value


@pytest.mark.parametrize(
    ("query", "value"),
    [
        pytest.param(b"", b"", id="nothing"),
        pytest.param(b"a=1", b"1", id="alone"),
        pytest.param(b"b=2&a=1&a=3", b"1", id="the first one"),
        pytest.param(b"a&a=3", b"", id="the first one without a value"),
        pytest.param(b"a=x=y", b"x=y", id="an equals sign in it"),
        pytest.param(b"a=%7B%22x%22%3A+1%7D", b'{"x": 1}', id="escaped"),
        pytest.param(b"%61=1", b"1", id="an escaped name"),
        pytest.param(b"a=%ff\xc3", b"\xff\xc3", id="bytes that are no text"),
        pytest.param(b"a=%7&a=2", b"2", id="a broken escape"),
        pytest.param(b"a=1;b=2&a=2", b"2", id="a semicolon"),
        pytest.param(b"A=1", b"", id="another case"),
    ],
)
def test_the_first_good_field_counts(query, value):
    assert query_value(query, b"a") == value
