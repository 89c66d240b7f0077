"""Texts of numbers and booleans (04 §1.4, §1.5.3)."""

import pytest

from fanjet.config.scalars import clean_text, number_text, parse_bool, parse_int


@pytest.mark.parametrize(
    ("text", "number"),
    [
        pytest.param("16", 16, id="decimal"),
        pytest.param("-16", -16, id="negative"),
        pytest.param("+16", 16, id="plus"),
        pytest.param("0x10", 16, id="hexadecimal"),
        pytest.param("0o20", 16, id="octal"),
        pytest.param("020", 16, id="leading-zero"),
        pytest.param("0b1_0000", 16, id="binary-with-separator"),
        pytest.param("1_000", 1000, id="separator"),
        pytest.param("0x_ff", 255, id="separator-after-prefix"),
        pytest.param("00", 0, id="zeros"),
    ],
)
def test_an_integer_may_be_written_with_a_base(text, number):
    assert parse_int(text) == number


@pytest.mark.parametrize("text", ["", " 1", "1 ", "1.0", "08", "0x", "1__0", "_1", "1_", "abc", "٣", "1e3", "--1"])
def test_other_texts_are_no_integers(text):
    with pytest.raises(ValueError, match="is not an integer"):
        parse_int(text)


@pytest.mark.parametrize("text", ["1", "t", "T", "TRUE", "true", "True"])
def test_six_texts_are_true(text):
    assert parse_bool(text)


@pytest.mark.parametrize("text", ["0", "f", "F", "FALSE", "false", "False"])
def test_six_texts_are_false(text):
    assert not parse_bool(text)


@pytest.mark.parametrize("text", ["", "yes", "on", "tRUE", " true", "2"])
def test_other_texts_are_no_booleans(text):
    with pytest.raises(ValueError, match="is not a boolean"):
        parse_bool(text)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        pytest.param(9000, "9000", id="integer"),
        pytest.param(1.0, "1", id="whole-float"),
        pytest.param(1.10, "1.1", id="fraction"),
        pytest.param(1e21, "1000000000000000000000", id="large"),
        pytest.param(1e-7, "0.0000001", id="small"),
        pytest.param(-0.5, "-0.5", id="negative"),
    ],
)
def test_a_number_becomes_its_shortest_decimal_text(number, text):
    assert number_text(number) == text


def test_lone_surrogates_are_replaced():
    assert clean_text("a\ud800b") == "a\ufffdb"
