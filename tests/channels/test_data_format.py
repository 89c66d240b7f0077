"""Data formats of publications (03 §3.5)."""

import pytest

from fanjet.channels.data_format import data_fits

JSON = "json"
OBJECT = "json_object"


@pytest.mark.parametrize(
    ("data", "formats"),
    [
        pytest.param(b"", {"binary"}, id="empty"),
        pytest.param(b"\xff\x00", {"", "binary"}, id="binary"),
        pytest.param(b"{}", {"", JSON, OBJECT, "binary"}, id="object"),
        pytest.param(b' \t\r\n{"a": [1, 2]} \n', {"", JSON, OBJECT, "binary"}, id="object-with-space-around"),
        pytest.param(b"[1]", {"", JSON, "binary"}, id="array"),
        pytest.param(b"1", {"", JSON, "binary"}, id="number"),
        pytest.param(b'"text"', {"", JSON, "binary"}, id="string"),
        pytest.param(b"null", {"", JSON, "binary"}, id="null"),
        pytest.param(b'"\\ud800"', {"", JSON, "binary"}, id="half-surrogate"),
        pytest.param(b'{"a":"\xff"}', {"", JSON, OBJECT, "binary"}, id="string-that-is-not-utf-8"),
        pytest.param('{"é":"ü"}'.encode(), {"", JSON, OBJECT, "binary"}, id="utf-8"),
        pytest.param(b"[" * 5000 + b"]" * 5000, {"", JSON, "binary"}, id="deep"),
        pytest.param(b" ", {"", "binary"}, id="space"),
        pytest.param(b"NaN", {"", "binary"}, id="nan"),
        pytest.param(b"-Infinity", {"", "binary"}, id="infinity"),
        pytest.param(b"{,}", {"", "binary"}, id="comma"),
        pytest.param(b'{"a":1,}', {"", "binary"}, id="trailing-comma"),
        pytest.param(b"[1] // x", {"", "binary"}, id="comment"),
        pytest.param(b"{} {}", {"", "binary"}, id="two-values"),
        pytest.param(b"01", {"", "binary"}, id="leading-zero"),
        pytest.param(b"\xef\xbb\xbf{}", {"", "binary"}, id="byte-order-mark"),
        pytest.param(b"\x0b{}", {"", "binary"}, id="space-that-json-does-not-know"),
        pytest.param(b"\xc3\xa9", {"", "binary"}, id="utf-8-outside-strings"),
        pytest.param(b"{", {"", "binary"}, id="cut"),
    ],
)
def test_which_formats_data_fits(data, formats):
    assert {name for name in ("", JSON, OBJECT, "binary") if data_fits(name, data)} == formats
