"""Responses to QUIC datagrams (RFC 9000)."""

import asyncio
import gc
import os
import socket
import weakref

import pytest
from aioquic.buffer import Buffer
from aioquic.quic.packet import QuicPacketType, pull_quic_header

from fanjet.net.binding import BindError, bind_beside
from fanjet.net.http3 import endpoint as endpoint_module
from fanjet.net.http3.connection import Http3Connection
from fanjet.net.http3.connection_ids import ID_BYTES
from tests.support.http3_client import connected

FULL = 1200


def long_header(version, *, first=0xC0, token=b"", size=FULL):
    """A datagram that looks like a client's first."""
    head = bytes([first]) + version.to_bytes(4, "big") + b"\x08" + os.urandom(8) + b"\x08" + os.urandom(8)
    head += bytes([len(token)]) + token + (0x4000 | (size - len(head) - 3)).to_bytes(2, "big")
    return head + os.urandom(size - len(head))


class Peer(asyncio.DatagramProtocol):
    """A bare UDP socket."""

    def __init__(self):
        self.received = []
        self.news = asyncio.Event()

    def datagram_received(self, data, addr):
        self.received.append(data)
        self.news.set()

    async def answer(self):
        await asyncio.wait_for(self.news.wait(), 3)
        return self.received[0]


@pytest.fixture
async def peer(rig):
    transport, made = await asyncio.get_running_loop().create_datagram_endpoint(
        Peer, remote_addr=("127.0.0.1", rig.port)
    )
    made.send = transport.sendto
    yield made
    transport.close()


async def still_serves(rig):
    async with connected(rig.port) as client:
        assert (await client.request("GET", "/")).status == 404


async def test_unknown_versions_are_told_the_known_ones(rig, peer):
    peer.send(long_header(0x1A2A3A4A))
    header = pull_quic_header(Buffer(data=await peer.answer()))
    assert header.packet_type is QuicPacketType.VERSION_NEGOTIATION
    assert not rig.server.connections


@pytest.mark.parametrize(
    "datagram",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\x40" + bytes(20), id="small-of-unknown-connection"),
        pytest.param(long_header(0), id="version-negotiation"),
        pytest.param(long_header(0x1A2A3A4A, size=600), id="small-of-unknown-version"),
        pytest.param(long_header(1, size=600), id="small-initial"),
        pytest.param(long_header(1, first=0xE0), id="handshake"),
        pytest.param(long_header(1, token=b"made up"), id="made-up-token"),
        pytest.param(b"\xc0\x00\x00\x00\x01\xff", id="cut-off"),
    ],
)
async def test_other_datagrams_are_not_answered(rig, peer, datagram):
    peer.send(datagram)
    await still_serves(rig)
    assert not peer.received


async def test_a_client_whose_connection_is_no_more_is_told(rig, client, peer):
    await client.request("GET", "/")
    known = client._quic._peer_cid
    assert len(known.cid) == ID_BYTES
    peer.send(b"\x40" + known.cid + bytes(91))
    await still_serves(rig)
    assert not peer.received
    (connection,) = [each for each in rig.server.connections if known.cid in each.ids]
    connection.fail()
    peer.send(b"\x40" + known.cid + bytes(20))
    answer = await peer.answer()
    assert len(answer) == 28
    assert answer[0] & 0xC0 == 0x40
    assert answer[-16:] == known.stateless_reset_token  # by which it knows that this is true


async def test_those_who_know_nothing_are_not_told_so_for_ever(rig, peer, monkeypatch):
    monkeypatch.setattr(endpoint_module, "MAX_RESETS", 3)
    for _ in range(9):
        peer.send(b"\x40" + os.urandom(100))
    await still_serves(rig)
    assert [len(answer) for answer in peer.received] == [43, 43, 43]


async def test_an_initial_that_is_none_leaves_nothing_behind(rig, peer):
    peer.send(long_header(1))
    await still_serves(rig)
    rig.push_clock(10.1)
    await rig.until(lambda: len(rig.server.connections) <= 1)
    rig.push_clock(40)
    await rig.until(lambda: not rig.server.connections)
    assert not rig.listener._endpoints[0]._by_id
    assert not rig.listener._endpoints[0]._handshaking


async def test_when_many_come_at_once_they_prove_their_address(rig, peer, monkeypatch):
    monkeypatch.setattr(endpoint_module, "RETRY_ABOVE", 0)
    peer.send(long_header(1))
    header = pull_quic_header(Buffer(data=await peer.answer()))
    assert header.packet_type is QuicPacketType.RETRY
    assert not rig.server.connections
    await still_serves(rig)


async def test_when_too_many_come_at_once_they_wait(rig, peer, monkeypatch):
    monkeypatch.setattr(endpoint_module, "MAX_HANDSHAKES", 1)
    peer.send(long_header(1))
    await rig.until(lambda: len(rig.server.connections) == 1)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5), connected(rig.port):
            pass
    rig.push_clock(40)
    await rig.until(lambda: not rig.server.connections)
    await still_serves(rig)


async def test_a_connection_that_fails_takes_no_other_with_it(rig, client, monkeypatch, caplog):
    await client.request("GET", "/")
    whole = Http3Connection.datagram_received

    def failing(self, data, address):
        raise RuntimeError("broken")

    monkeypatch.setattr(Http3Connection, "datagram_received", failing)
    client._quic.send_ping(0)
    client.transmit()
    await rig.until(lambda: not rig.server.connections)
    monkeypatch.setattr(Http3Connection, "datagram_received", whole)
    assert "HTTP/3 connection failed" in caplog.text
    await still_serves(rig)


async def test_a_client_that_vanishes_is_forgotten(rig, client):
    await client.request("GET", "/")
    client.transmit = lambda: None
    rig.push_clock(31)
    rig.push_clock(31)
    await rig.until(lambda: not rig.server.connections)
    assert not rig.listener._endpoints[0]._by_id
    del client.transmit


async def test_an_address_that_is_taken_cannot_be_bound(rig):
    with socket.socket() as beside:
        beside.bind(("127.0.0.1", rig.port))
        with pytest.raises(BindError, match=f"listen udp 127.0.0.1:{rig.port}: bind: "):
            bind_beside(beside)


@pytest.mark.parametrize("how", ["close", "fail", "vanish"])
async def test_nothing_of_a_connection_is_left_without_the_garbage_collector(rig, owner, how):
    gc.collect()
    gc.disable()
    try:
        async with connected(rig.port) as client:
            client.begin("GET", "/stream")
            await owner.begun.wait()
            await client.ping()
            (connection,) = rig.server.connections
            left = [weakref.ref(connection.quic), weakref.ref(connection.quic.tls), weakref.ref(connection.framing)]
            if how == "fail":
                connection.fail()
            elif how == "vanish":
                client.transmit = lambda: None
                for _ in range(3):
                    rig.push_clock(31)
            del connection
            if how == "close":
                client.close()
            await rig.until(lambda: not rig.server.connections)
            client.__dict__.pop("transmit", None)
        del owner.stream
        await rig.until(lambda: not any(one() for one in left))
        assert owner.heard[-1] == "lost"
    finally:
        gc.enable()
