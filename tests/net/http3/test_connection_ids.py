"""Connection ids reveal their process only with the key."""

import os

import pytest

from fanjet.net.http3.connection_ids import HIGHEST_NUMBER, ID_BYTES, ConnectionIds, destination_id, stateless_reset

KEY = os.urandom(32)


@pytest.mark.parametrize("number", [0, 1, 255, 256, HIGHEST_NUMBER])
def test_an_id_tells_every_process_who_has_made_it(number):
    ids = [ConnectionIds(KEY, number).new() for _ in range(100)]
    assert len(set(ids)) == 100
    assert {len(each) for each in ids} == {ID_BYTES}
    assert {ConnectionIds(KEY, 7).owner(each) for each in ids} == {number}


def test_without_the_key_ids_of_one_process_have_nothing_in_common():
    ids = [ConnectionIds(KEY, 1).new() for _ in range(200)]
    assert len({each[:2] for each in ids}) > 150
    assert len({ConnectionIds(os.urandom(32), 1).owner(each) for each in ids}) > 150


def test_any_process_knows_the_token_of_an_id():
    connection_id = ConnectionIds(KEY, 1).new()
    token = ConnectionIds(KEY, 2).reset_token(connection_id)
    assert token == ConnectionIds(KEY, 1).reset_token(connection_id)
    assert token != ConnectionIds(KEY, 1).reset_token(ConnectionIds(KEY, 1).new())
    assert len(token) == 16


@pytest.mark.parametrize(
    ("datagram", "found"),
    [
        pytest.param(b"\x40" + bytes(range(20)), bytes(range(8)), id="short"),
        pytest.param(b"\x40\x01", b"\x01", id="cut-off-short"),
        pytest.param(b"\xc0\x00\x00\x00\x01\x03abcdef", b"abc", id="long"),
        pytest.param(b"\xc0\x00\x00\x00\x01\x03a", b"a", id="cut-off-long"),
        pytest.param(b"\xc0", b"", id="nothing-else"),
    ],
)
def test_the_id_of_a_datagram_is_found(datagram, found):
    assert destination_id(datagram) == found


@pytest.mark.parametrize(("asked", "answered"), [(1200, 43), (44, 43), (30, 29), (22, 21), (21, 0), (1, 0)])
def test_a_reset_is_smaller_than_what_it_answers(asked, answered):
    reset = stateless_reset(bytes(asked), b"t" * 16)
    assert len(reset) == answered
    assert reset == b"" or (reset.endswith(b"t" * 16) and reset[0] & 0xC0 == 0x40)
