"""Finding claims by path (03 §14.4)."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanjet.auth.claim_paths import find_claim, members

DOCUMENT = rb""" {"user": {"role": "admin", "level": 1.50, "tags": [ {"id": "a"}, 2 , null]}, "0": "zero", "": {"": 1},
 "custom-info": {"x": [ ]}, "half": "\ud800", "no": null, "twice": 1, "twice": 2, "d\u00e9": true} """


@pytest.mark.parametrize(
    ("path", "value"),
    [
        pytest.param(("user", "role"), b'"admin"', id="nested"),
        pytest.param(("user", "level"), b"1.50", id="as-written"),
        pytest.param(("user", "tags", "0", "id"), b'"a"', id="element"),
        pytest.param(("user", "tags", "1"), b"2", id="second-element"),
        pytest.param(("user", "tags", "2"), b"null", id="null-element"),
        pytest.param(("user", "tags"), b'[ {"id": "a"}, 2 , null]', id="array"),
        pytest.param(("0",), b'"zero"', id="number-as-name"),
        pytest.param(("", ""), b"1", id="empty-names"),
        pytest.param(("custom-info", "x"), b"[ ]", id="dash"),
        pytest.param(("half",), rb'"\ud800"', id="half-surrogate"),
        pytest.param(("no",), b"null", id="null"),
        pytest.param(("twice",), b"2", id="the-last-of-two"),
        pytest.param(("dé",), b"true", id="escaped-name"),
        pytest.param(("missing",), None, id="missing"),
        pytest.param(("user", "missing", "deeper"), None, id="below-missing"),
        pytest.param(("user", "role", "deeper"), None, id="below-a-text"),
        pytest.param(("no", "deeper"), None, id="below-null"),
        pytest.param(("user", "tags", "3"), None, id="behind-the-last"),
        pytest.param(("user", "tags", "-1"), None, id="negative"),
        pytest.param(("user", "tags", "x"), None, id="name-in-array"),
        pytest.param(("user", "tags", "²"), None, id="no-digit"),
    ],
)
def test_values_are_found_as_they_are_written(path, value):
    assert find_claim(DOCUMENT, path) == value


@pytest.mark.parametrize("document", [b"null", b" null "])
def test_claims_that_are_null_have_nothing(document):
    assert find_claim(document, ("a",)) is None


def test_what_is_deeply_nested_is_found_too():
    deep = b"[" * 3000 + b"]" * 3000
    assert find_claim(b'{"a":{"b":' + deep + b'},"half":"\\ud800"}', ("a", "b")) == deep


def test_members_of_what_is_no_object_are_none():
    assert members(b"[1]") == {}
    assert members(b"") == {}


names = st.text(max_size=3)
values = st.recursive(
    st.integers() | st.text() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(names, inner)
)


@given(st.dictionaries(names, values), st.lists(names | st.integers(0, 3).map(str), min_size=1, max_size=4))
def test_lookups_agree_with_walking_the_values(claims, path):
    value = claims
    try:
        for name in path:
            value = value[int(name)] if isinstance(value, list) else value[name]
    except (LookupError, TypeError, ValueError):
        expected = None
    else:
        expected = json.dumps(value)
    found = find_claim(json.dumps(claims).encode(), tuple(path))
    assert (found and found.decode()) == expected
