"""Meta and labels out of other claims (03 §14.4)."""

import json

import pytest

from fanjet.auth.claim_mapping import ClaimMapping, claim_mapping

CLAIMS = b"""{"sub":"u","user":{"role":"admin","level":5,"ratio":1.50,"big":12345678901234567890,"exp":1e3,"on":true,
"no":null,"tags":["a", "b"],"home":{"city": "x"}},"custom-info":"i","half":"\\ud800"}"""


@pytest.mark.parametrize(
    ("paths", "claim", "meta"),
    [
        pytest.param({"role": "user.role"}, b"", b'{"role":"admin"}', id="no-claim"),
        pytest.param({"role": "user.role"}, b'{"a": 1.50}', b'{"a":1.50,"role":"admin"}', id="beside-the-claim"),
        pytest.param({"a": "user.level"}, b'{"a": 1, "b": 2}', b'{"a":5,"b":2}', id="over-the-claim"),
        pytest.param({"x": "user.ratio"}, b"", b'{"x":1.50}', id="numbers-as-written"),
        pytest.param({"x": "user.tags", "y": "user.home"}, b"", b'{"x":["a", "b"],"y":{"city": "x"}}', id="any-type"),
        pytest.param({"x": "user.no"}, b"", b'{"x":null}', id="null"),
        pytest.param({"x": "missing", "y": "custom-info"}, b"", b'{"y":"i"}', id="missing-is-skipped"),
        pytest.param({"x": "missing"}, b"[1]", b"[1]", id="nothing-found"),
        pytest.param({"x": "missing"}, b"", b"", id="nothing-at-all"),
        pytest.param({"x": "user.tags.1"}, b"[1]", b'{"x":"b"}', id="in-place-of-what-is-no-object"),
        pytest.param({"x": "half"}, b"", b'{"x":"\\ud800"}', id="half-surrogate"),
    ],
)
def test_meta(paths, claim, meta):
    mapped = ClaimMapping(paths, {}).meta(CLAIMS, claim)
    assert mapped == meta
    assert not mapped or json.loads(mapped) is not None


@pytest.mark.parametrize(
    ("paths", "claim", "labels"),
    [
        pytest.param({"role": "user.role"}, None, {"role": "admin"}, id="text"),
        pytest.param({"role": "user.role"}, {"a": "b", "role": "x"}, {"a": "b", "role": "admin"}, id="over-the-claim"),
        pytest.param({"x": "user.level"}, None, {"x": "5"}, id="integer"),
        pytest.param({"x": "user.ratio"}, None, {"x": "1.5"}, id="fraction"),
        pytest.param({"x": "user.exp"}, None, {"x": "1000"}, id="exponent"),
        pytest.param({"x": "user.big"}, None, {"x": "12345678901234567890"}, id="large"),
        pytest.param({"x": "user.on"}, None, {"x": "true"}, id="boolean"),
        pytest.param({"x": "user.tags"}, None, {"x": '["a", "b"]'}, id="array"),
        pytest.param({"x": "user.home"}, None, {"x": '{"city": "x"}'}, id="object"),
        pytest.param({"x": "user.no", "y": "missing"}, None, None, id="null-and-missing-are-skipped"),
        pytest.param({"y": "missing"}, {"a": "b"}, {"a": "b"}, id="nothing-found"),
        pytest.param({"x": "half"}, None, {"x": "\ufffd"}, id="half-surrogate"),
    ],
)
def test_labels(paths, claim, labels):
    given = dict(claim) if claim else claim
    assert ClaimMapping({}, paths).labels(CLAIMS, given) == labels
    assert given == claim, "the claim itself is left alone"


def test_without_paths_there_is_no_mapping():
    assert claim_mapping({}, {}) is None
    assert claim_mapping({"a": "b"}, {}) is not None
