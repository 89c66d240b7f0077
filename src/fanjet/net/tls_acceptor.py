"""Accepts TLS connections and inspects their first bytes before the handshake.

The event loops start TLS right away. This module peeks at the first bytes in the kernel's buffer, in order to answer
plain HTTP on the TLS port, to select or obtain a certificate for the requested host, and to refuse clients without a
common application protocol.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
import ssl
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

from .client_hello import HANDSHAKE_RECORD, RECORD_HEAD_BYTES, ClientHello, NotClientHello, read_client_hello
from .timing_wheel import NOT_SCHEDULED
from .tls_alert import (
    INTERNAL_ERROR,
    NO_APPLICATION_PROTOCOL,
    PROTOCOL_VERSION,
    AlertingContext,
    handshaking,
    plain_alert,
)

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import Callable

    from .timing_wheel import TimingWheel

TLS_HANDSHAKE_SECONDS: Final = 10.0
LINGER_SECONDS: Final = 1.0
"""How long input is discarded after a refusal, until the peer closes as well."""

MAX_ACCEPTS_PER_TURN: Final = 64
ACCEPT_PAUSE_SECONDS: Final = 1.0
"""How long accepting pauses when the process has run out of file descriptors."""

HTTP_ON_TLS_PORT: Final = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"
_USUAL_HELLO: Final = 4096
"""Bytes of the first peek, enough for most ClientHello messages."""

_HTTP_PREFIXES: Final = (b"GET /", b"HEAD ", b"POST ", b"PUT /", b"OPTIO")
_SSL_2: Final = 0x80
_OUT_OF_DESCRIPTORS: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)

log = logging.getLogger(__name__)


class ClientHelloRejected(Exception):  # noqa: N818 (says what happened)
    """The connection is refused; the text says why."""


class SSLContextProvider(Protocol):
    """Selects the SSL context of a connection by its ClientHello."""

    def context_for(self, hello: ClientHello) -> ssl.SSLContext | Future[ssl.SSLContext]:
        """Return the context or a future of it.

        Several connections may wait for one future, which they do not cancel. Raises `ClientHelloRejected`, or sets it
        on the future.
        """


Contexts: TypeAlias = ssl.SSLContext | SSLContextProvider


class TLSAcceptor:
    """Accepts on listening sockets, and serves each connection over TLS.

    Creates a protocol on a TLS transport for each connection.
    """

    __slots__ = ("_listening", "_loop", "contexts", "make_protocol", "pending", "wheel", "wheel_slot")

    def __init__(self, wheel: TimingWheel, make_protocol: Callable[[], asyncio.Protocol], contexts: Contexts) -> None:
        self.wheel = wheel
        self.make_protocol = make_protocol
        self.contexts = contexts
        self.pending: set[_PendingConnection] = set()
        self.wheel_slot = NOT_SCHEDULED
        self._listening: list[socket.socket] = []

    def start(self, listening: list[socket.socket]) -> None:
        """Start accepting; the sockets are listening already."""
        self._loop = asyncio.get_running_loop()
        self._listening = listening
        self.on_timer(0.0)

    def close(self) -> None:
        """Stop accepting, and drop connections that have not started TLS."""
        self.wheel.cancel(self)
        self._pause_accepting()
        self._listening = []
        for connection in list(self.pending):
            connection.on_timer(0.0)

    def on_timer(self, now: float) -> None:
        """Start accepting, or resume after a pause."""
        for each in self._listening:
            self._loop.add_reader(each, self._accept, each)

    def _pause_accepting(self) -> None:
        for each in self._listening:
            self._loop.remove_reader(each)

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(MAX_ACCEPTS_PER_TURN):
            try:
                accepted, address = listening.accept()
            except (BlockingIOError, InterruptedError):
                return
            except ConnectionAbortedError:
                continue
            except OSError as error:
                self._on_failed_accept(error)
                return
            accepted.setblocking(False)
            _PendingConnection(self, accepted, address).peek()

    def _on_failed_accept(self, error: OSError) -> None:
        log.error("accepting connections failed: %s", error.strerror)
        if error.errno in _OUT_OF_DESCRIPTORS:
            self._pause_accepting()
            self.wheel.schedule(self, self.wheel.clock() + ACCEPT_PAUSE_SECONDS)


class _PendingConnection:
    """A connection until the end of its handshake. It is in the wheel while it waits."""

    __slots__ = (
        "_acceptor",
        "_address",
        "_handshake_task",
        "_is_handed_over",
        "_is_refused",
        "_loop",
        "_low_water",
        "_seen",
        "_socket",
        "wheel_slot",
    )

    def __init__(self, acceptor: TLSAcceptor, accepted: socket.socket, address: object) -> None:
        self._acceptor = acceptor
        self._socket = accepted
        self._address = address
        self._loop = asyncio.get_running_loop()
        self._low_water = 0  # bytes that make the socket readable; 0: not waiting
        self._seen = 0
        self._is_refused = False
        self._is_handed_over = False
        self._handshake_task: asyncio.Task[None] | None = None
        self.wheel_slot = NOT_SCHEDULED
        acceptor.pending.add(self)

    def on_timer(self, now: float) -> None:
        """The handshake timed out, or the listener closes."""
        if self._handshake_task is not None:
            self._handshake_task.cancel()
        if not self._is_handed_over:
            self._drop()

    def peek(self) -> None:
        """Inspect the received bytes without consuming them."""
        try:
            received = self._socket.recv(max(self._low_water, _USUAL_HELLO), socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            self._await_bytes(1)
            return
        except OSError:
            self._drop()
            return
        if not received:
            self._drop()
        elif received[0] == HANDSHAKE_RECORD:
            self._choose_context(received)
        else:
            self._turn_away(received)

    def _choose_context(self, received: bytes) -> None:
        contexts = self._acceptor.contexts
        try:
            hello = read_client_hello(received)
            if isinstance(hello, int):
                self._await_more(hello, received)
                return
            chosen = contexts if isinstance(contexts, ssl.SSLContext) else contexts.context_for(hello)
        except NotClientHello as refused:
            if isinstance(contexts, ssl.SSLContext):
                self._start_handshake(contexts)  # the TLS library will fail as well, with the right alert
            else:
                self._fail(str(refused))
                self._refuse(plain_alert(INTERNAL_ERROR))
        except ClientHelloRejected as refused:
            self._fail(str(refused))
            self._refuse(plain_alert(INTERNAL_ERROR))
        else:
            self._start_handshake(chosen, hello.protocols)

    def _turn_away(self, received: bytes) -> None:
        """Answer plain HTTP and SSL 2; other protocols get no answer."""
        if received.startswith(_HTTP_PREFIXES):
            self._fail("client sent an HTTP request to an HTTPS server")
            self._refuse(HTTP_ON_TLS_PORT)
        elif any(known.startswith(received) for known in _HTTP_PREFIXES):
            self._await_more(RECORD_HEAD_BYTES, received)
        else:
            self._fail("first record does not look like a TLS handshake")
            self._refuse(plain_alert(PROTOCOL_VERSION) if received[0] == _SSL_2 else b"")

    def _await_more(self, count: int, received: bytes) -> None:
        if len(received) == self._seen:  # readable without new bytes: the peer has closed
            self._drop()
            return
        self._seen = len(received)
        self._await_bytes(count)

    def _await_bytes(self, count: int) -> None:
        """Peek again when `count` bytes are available.

        With fewer, the socket is not readable.
        """
        if count != max(self._low_water, 1):
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, count)
        if not self._low_water:
            self._loop.add_reader(self._socket, self.peek)
            self._acceptor.wheel.schedule(self, self._acceptor.wheel.clock() + TLS_HANDSHAKE_SECONDS)
        self._low_water = count

    def _stop_waiting(self) -> None:
        if self._low_water:
            self._loop.remove_reader(self._socket)
        if self._low_water > 1:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
        self._low_water = 0

    def _start_handshake(
        self, chosen: ssl.SSLContext | Future[ssl.SSLContext], protocols: tuple[bytes, ...] = ()
    ) -> None:
        """`protocols`: the protocols offered by the client, empty if it sent none."""
        self._stop_waiting()
        if not isinstance(chosen, ssl.SSLContext):
            self._acceptor.wheel.schedule(self, self._acceptor.wheel.clock() + TLS_HANDSHAKE_SECONDS)
        self._handshake_task = self._loop.create_task(self._handshake(chosen, protocols))

    async def _handshake(self, chosen: ssl.SSLContext | Future[ssl.SSLContext], protocols: tuple[bytes, ...]) -> None:
        """Get the context, then let the event loop do the handshake."""
        try:
            context = chosen if isinstance(chosen, ssl.SSLContext) else await asyncio.shield(chosen)
        except ClientHelloRejected as refused:
            self._handshake_task = None
            self._fail(str(refused))
            self._refuse(plain_alert(INTERNAL_ERROR))
            return
        if protocols and not _has_common_protocol(context, protocols):
            self._handshake_task = None
            names = b" ".join(protocols).decode("ascii", "backslashreplace")
            self._fail(f"client requested unsupported application protocols ([{names}])")
            self._refuse(plain_alert(NO_APPLICATION_PROTOCOL))
            return
        self._is_handed_over = True
        self._acceptor.wheel.cancel(self)
        handshaking.set(self._socket)
        try:
            await self._loop.connect_accepted_socket(
                self._acceptor.make_protocol,
                self._socket,
                ssl=context,
                ssl_handshake_timeout=TLS_HANDSHAKE_SECONDS,
            )
        except OSError as error:
            self._fail(_reason(error))
        finally:
            self._discard_self()

    def _refuse(self, answer: bytes) -> None:
        """Send `answer` and discard input for a moment.

        Closing with unread input resets the connection, and the reset may overtake the answer.
        """
        self._stop_waiting()
        with contextlib.suppress(OSError):
            self._socket.send(answer)
            self._socket.shutdown(socket.SHUT_WR)
        self._loop.add_reader(self._socket, self._discard)
        self._is_refused = True
        self._acceptor.wheel.schedule(self, self._acceptor.wheel.clock() + LINGER_SECONDS)

    def _discard(self) -> None:
        try:
            more = self._socket.recv(65536)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            more = b""
        if not more:
            self._drop()

    def _drop(self) -> None:
        self._stop_waiting()
        if self._is_refused:
            self._loop.remove_reader(self._socket)
        self._discard_self()
        self._socket.close()

    def _discard_self(self) -> None:
        self._acceptor.wheel.cancel(self)
        self._acceptor.pending.discard(self)

    def _fail(self, reason: str) -> None:
        peer = "a Unix socket"
        if isinstance(self._address, tuple):
            host, port = self._address[:2]
            peer = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        log.warning("http: TLS handshake error from %s: %s", peer, reason)


def _has_common_protocol(context: ssl.SSLContext, protocols: tuple[bytes, ...]) -> bool:
    if not isinstance(context, AlertingContext) or not context.protocols:
        return True
    return any(name in context.protocols for name in protocols)


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.lower().replace("_", " ")
    return error.strerror or str(error) or type(error).__name__
