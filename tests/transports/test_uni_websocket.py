"""No references are left to closed unidirectional WebSockets (DESIGN rule 10)."""

from __future__ import annotations

import asyncio
import gc
import json
import weakref
from typing import Any

import pytest

from fanjet.client.request_info import NO_REQUEST_INFO
from fanjet.config.tree.unidirectional import UniWebsocket
from fanjet.protocol.codes import DISCONNECT_FORCE
from fanjet.transports.uni_websocket import JoiningUniWebSocketTransport, UniWebSocketTransport
from fanjet.transports.uni_websocket_endpoint import options_for
from tests.client.harness import Rig
from tests.support.tokens import token


class Socket:
    """Takes everything, and tells its protocol when it is closed."""

    def __init__(self, protocol: UniWebSocketTransport) -> None:
        self.written = b""
        self.protocol: UniWebSocketTransport | None = protocol

    def get_extra_info(self, _: str) -> None:
        return None

    def set_write_buffer_limits(self, high: int) -> None:
        assert high == 0

    def write(self, data: bytes) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return self.protocol is None

    def close(self) -> None:
        protocol, self.protocol = self.protocol, None
        if protocol is not None:
            protocol.connection_lost(None)

    abort = close


class Plain(UniWebSocketTransport):
    __slots__ = ("__weakref__",)


class Joining(JoiningUniWebSocketTransport):
    __slots__ = ("__weakref__",)


def masked(payload: bytes) -> bytes:
    """A client's text frame, masked with zeros."""
    size = len(payload)
    length = bytes((0x80 | size,)) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
    return b"\x81" + length + b"\0\0\0\0" + payload


def opened(rig: Rig, kind: type[Plain | Joining], request: bytes) -> tuple[Any, Socket]:
    transport = kind(
        rig.context, options_for(UniWebsocket(join_push_messages=kind is Joining), None), NO_REQUEST_INFO, None
    )
    socket = Socket(transport)
    transport.connection_made(socket)  # type: ignore[arg-type]  # as much of a transport as a connection uses
    if request:
        transport.data_received(masked(request))
    return transport, socket


@pytest.mark.parametrize("kind", [Plain, Joining])
@pytest.mark.parametrize("end", ["lost", "disconnected", "refused", "malformed", "silent"])
async def test_ended_connections_are_freed_without_the_collector(kind: type[Plain | Joining], end: str) -> None:
    rig = Rig()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: pytest.fail(str(context)))
    requests = {"refused": b"{}", "malformed": b"x", "silent": b""}
    good = json.dumps({"token": token("ann"), "subs": {"news": {}}}).encode()
    kept = []
    gc.collect()
    gc.disable()
    try:
        for _ in range(10):
            transport, socket = opened(rig, kind, requests.get(end, good))
            kept.append(weakref.ref(transport))
            if end == "disconnected":
                rig.node.connections.all()[0].disconnect(DISCONNECT_FORCE)
            await rig.settle()
            socket.close()
            del transport, socket
        await rig.settle()
        assert [one for one in kept if one() is not None] == []
    finally:
        gc.enable()
    rig.assert_nothing_left()
