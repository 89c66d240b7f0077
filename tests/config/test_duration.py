"""Durations (04 §2.1)."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanjet.config.duration import format_duration, nanoseconds_to_seconds, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        pytest.param("250ms", 0.25, id="milliseconds"),
        pytest.param("1h30m", 5400.0, id="several-units"),
        pytest.param("-1s", -1.0, id="negative"),
        pytest.param("+1s", 1.0, id="plus"),
        pytest.param("1.5s", 1.5, id="fraction"),
        pytest.param(".5s", 0.5, id="leading-dot"),
        pytest.param("1.s", 1.0, id="trailing-dot"),
        pytest.param("0", 0.0, id="bare-zero"),
        pytest.param("10us", 1e-5, id="us"),
        pytest.param("10µs", 1e-5, id="micro-sign"),
        pytest.param("10μs", 1e-5, id="greek-mu"),
        pytest.param("3ns", 3e-9, id="nanoseconds"),
        pytest.param("1m1m", 120.0, id="unit-twice"),
    ],
)
def test_a_duration_is_numbers_with_units(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("", 'invalid duration ""', id="empty"),
        pytest.param("-", 'invalid duration "-"', id="sign-alone"),
        pytest.param("30", 'missing unit in duration "30"', id="bare-number"),
        pytest.param("-1", 'missing unit in duration "-1"', id="bare-negative-number"),
        pytest.param("3d", 'unknown unit "d" in duration "3d"', id="days"),
        pytest.param("1 s", 'unknown unit " s" in duration "1 s"', id="space"),
        pytest.param("s", 'invalid duration "s"', id="no-number"),
        pytest.param(".s", 'invalid duration ".s"', id="dot-alone"),
        pytest.param("1e3s", 'unknown unit "e" in duration "1e3s"', id="exponent"),
        pytest.param("٣s", 'invalid duration "٣s"', id="other-digits"),
        pytest.param("3000000h", "duration out of range", id="beyond-292-years"),
    ],
)
def test_a_malformed_duration_is_named_with_its_fault(text, reason):
    with pytest.raises(ValueError, match="duration") as error:
        parse_duration(text)
    assert str(error.value) == reason


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        pytest.param(604800.0, "168h0m0s", id="week"),
        pytest.param(60.0, "1m0s", id="minute"),
        pytest.param(1.5, "1.5s", id="fraction"),
        pytest.param(0.3, "300ms", id="milliseconds"),
        pytest.param(0.0000015, "1.5µs", id="microseconds"),
        pytest.param(2e-9, "2ns", id="nanoseconds"),
        pytest.param(0.0, "0s", id="zero"),
        pytest.param(-3661.0, "-1h1m1s", id="negative"),
    ],
)
def test_a_duration_is_printed_in_its_canonical_form(seconds, text):
    assert format_duration(seconds) == text


@given(st.integers(min_value=-(10**15), max_value=10**15))
def test_what_is_printed_is_read_back(count):
    seconds = nanoseconds_to_seconds(count)
    assert parse_duration(format_duration(seconds)) == seconds


@given(st.text(alphabet="0123456789.-+hmsnuµ e", max_size=12))
def test_no_text_raises_anything_but_a_value_error(text):
    with contextlib.suppress(ValueError):
        parse_duration(text)
