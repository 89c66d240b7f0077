import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanjet.net.client_hello import ClientHello, NotClientHello, read_client_hello


def hello(server_name=None, protocols=()):
    """What the TLS library sends first."""
    context = ssl.create_default_context()
    if protocols:
        context.set_alpn_protocols(protocols)
    if server_name is None:
        context.check_hostname = False
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    connection = context.wrap_bio(incoming, outgoing, server_hostname=server_name)
    with pytest.raises(ssl.SSLWantReadError):
        connection.do_handshake()
    return outgoing.read()


HELLO = hello("chat.example.org", ["h2", "http/1.1"])


def in_records(message, size):
    pieces = [message[start : start + size] for start in range(0, len(message), size)]
    return b"".join(b"\x16\x03\x01" + len(piece).to_bytes(2, "big") + piece for piece in pieces)


def test_the_host_and_the_protocols():
    assert read_client_hello(HELLO) == ClientHello("chat.example.org", (b"h2", b"http/1.1"))


def test_neither_has_to_be_sent():
    assert read_client_hello(hello()) == ClientHello("", ())


def test_what_follows_is_left_alone():
    assert read_client_hello(HELLO + b"\x14\x03\x03\x00\x01\x01") == read_client_hello(HELLO)


@given(st.integers(1, len(HELLO) - 6))
def test_a_message_may_come_in_many_records(size):
    assert read_client_hello(in_records(HELLO[5:], size)) == read_client_hello(HELLO)


@given(st.integers(0, len(HELLO) - 1))
def test_what_is_incomplete_tells_how_much_is_needed(length):
    assert read_client_hello(HELLO[:length]) == (5 if length < 5 else len(HELLO))


@pytest.mark.parametrize(
    "received",
    [
        pytest.param(b"GET / HTTP/1.1", id="http"),
        pytest.param(b"\x15\x03\x01\x00\x02\x02\x46", id="alert"),
        pytest.param(b"\x16\x03\x01\x00\x00", id="empty-record"),
        pytest.param(b"\x16\x03\x01\x40\x01", id="record-too-long"),
        pytest.param(b"\x16\x03\x01\x00\x04\x02\x00\x00\x00", id="server-hello"),
        pytest.param(b"\x16\x03\x01\x00\x06\x01\x00\x00\x02\x03\x03", id="cut-off-inside"),
        pytest.param(in_records(b"\x01\xff\xff\xff" + bytes(70_000), 10_000), id="message-too-long"),
    ],
)
def test_other_beginnings_are_refused(received):
    with pytest.raises(NotClientHello):
        read_client_hello(received)


@given(st.binary(max_size=300), st.integers(0, len(HELLO)), st.booleans())
def test_any_input_gives_one_of_the_three_answers(noise, position, as_body):
    received = in_records(b"\x01\x00" + len(noise).to_bytes(2, "big") + noise, 1000) if as_body else noise
    for data in (received, HELLO[:position] + noise + HELLO[position + len(noise) :]):
        try:
            answer = read_client_hello(data)
        except NotClientHello:
            continue
        assert isinstance(answer, ClientHello) or answer > len(data)
