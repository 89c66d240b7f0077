"""One HTTP request received by ASGI, and its response."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from ..http1.exchange import Exchange, respond_with_error
from ..http1.expect_continue import BodylessRequest, BodyTooLarge, BodyUnavailable, ContinueRequired
from ..http1.request import Request
from ..http1.response import NO_SNIFFING, TEXT
from ..http1.stream import unframed
from .receive import MessageReceiver
from .responses import full_response, response_start
from .scope import ScopeTransport, is_tls
from .send import MessageSender

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..asgi_host.types import Message, Receive, Scope, Send
    from ..http1.head import Head
    from ..http1.stream import BodyFraming, StreamOwner
    from ..router import Route

REQUEST_SECONDS: Final = 30.0
"""Timeout of each further part of a body."""

_KIND: Final = "http.response"


class HttpCall:
    """Collects a request, then serves as its connection and response body.

    It is the connection of the request's exchange, and the body of a streamed response.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send, head: Head, route: Route) -> None:
        self._scope = scope
        self._head = head
        self._route = route
        self._receiver = MessageReceiver(receive)
        self._sender = MessageSender(send, self)
        self._exchange: Exchange | None = None
        self._owner: StreamOwner | None = None

    async def run(self) -> None:
        """Handle the call.

        Returns when the response is complete or the client has disconnected.
        """
        head = self._head
        try:
            if not (head.expects_continue and head.content_length) or self._start(self._unread(ContinueRequired)):
                await self._collect()
            while self._exchange is not None or self._owner is not None:
                message = await self._receiver.next()
                if message is not None and message["type"] == "http.disconnect":
                    break
            await self._sender.finish()
        finally:
            self._sender.abort()
            self._disconnect()

    # Called by the ASGI server's messages.

    def on_blocked(self) -> None:
        """The client does not read the response."""
        if self._owner is not None:
            self._owner.on_blocked()

    def on_writable(self) -> None:
        """Everything written was sent."""
        if self._owner is not None:
            self._owner.on_writable()

    def on_refused(self) -> None:
        """The client has disconnected."""
        self._disconnect()
        self._receiver.stop()

    def _disconnect(self) -> None:
        owner, self._owner = self._owner, None
        exchange, self._exchange = self._exchange, None
        if owner is not None:
            owner.on_lost()
        elif exchange is not None:
            exchange.on_peer_lost(answerable=False)

    # Called by the exchange.

    def send_response(
        self, status: int, body: bytes, content_type: bytes, headers: Sequence[tuple[bytes, bytes]]
    ) -> None:
        """Send the complete response."""
        send_body = self._head.method != "HEAD"
        for message in full_response(
            _KIND, status, body, content_type, headers, scope=self._scope, send_body=send_body
        ):
            self._sender.put(message)
        self._end()

    @property
    def body_framing(self) -> BodyFraming:
        """The ASGI server frames bodies."""
        return unframed

    def begin_stream(
        self, status: int, content_type: bytes, headers: Sequence[tuple[bytes, bytes]], owner: StreamOwner
    ) -> HttpCall:
        """Send the head of a response; from now on `owner` receives the client's events."""
        self._exchange = None
        self._sender.put(response_start(_KIND, status, content_type, headers, self._scope))
        self._owner = owner
        if self._sender.blocked:
            asyncio.get_running_loop().call_soon(self._report_blocked)
        return self

    def write(self, data: bytes) -> None:
        """Send a chunk of the body."""
        self._sender.put(_body_message(data, more=True))

    def finish(self) -> None:
        """End the body."""
        if self._owner is not None:
            self._sender.put(_body_message(b"", more=False))
            self._end()

    def upgrade(self, head: bytes, make_protocol: Callable[[asyncio.Transport], asyncio.Protocol]) -> None:
        """Refuse: this ASGI server is not configured for WebSockets."""
        self.send_response(501, b"the ASGI server in front of this one offers no WebSockets\n", TEXT, (NO_SNIFFING,))

    def abort(self) -> None:
        """Abort: the ASGI server sees that the response is incomplete."""
        self._sender.abort()
        self._end()

    # Internals.

    def _end(self) -> None:
        """The response is complete: ignore further events of the client."""
        self._exchange = self._owner = None
        self._sender.close()
        self._receiver.stop()

    def _report_blocked(self) -> None:
        if self._sender.blocked:
            self.on_blocked()

    async def _collect(self) -> None:
        """Collect the body, then call the endpoint."""
        limit = self._route.max_body
        if limit is not None and self._head.content_length > limit:
            self._start(self._unread(BodyTooLarge))
            return
        chunks: list[bytes] = []
        size, more = 0, True
        while more:
            message = await self._receive(first=not chunks)
            if message is None or message["type"] == "http.disconnect":
                return
            chunks.append(message.get("body", b""))
            size += len(chunks[-1])
            if limit is not None and size > limit:
                self._start(self._unread(BodyTooLarge))
                return
            more = message.get("more_body", False)
        body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        self._start(Request(self._head, body, ScopeTransport(self._scope), is_tls(self._scope)))

    async def _receive(self, *, first: bool) -> Message | None:
        """The next message, None after a timeout.

        Without a body, the first message is available at once.
        """
        if first and self._head.content_length <= 0:
            return await self._receiver.next()
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                return await self._receiver.next()
        except TimeoutError:
            self.send_response(408, b"", b"", ())
            return None

    def _unread(self, reason: type[BodyUnavailable]) -> Request:
        return BodylessRequest(self._head, b"", ScopeTransport(self._scope), is_tls(self._scope), reason)

    def _start(self, request: Request) -> bool:
        """Call the endpoint; return whether it needs the body of a bodyless request."""
        exchange = self._exchange = Exchange(request, self)
        try:
            self._route.endpoint(exchange)
        except ContinueRequired as awaited:
            self._exchange = None
            self._route = replace(self._route, endpoint=awaited.endpoint or self._route.endpoint)
            return True
        except Exception as failure:
            respond_with_error(exchange, failure)
        return False


def _body_message(data: bytes, *, more: bool) -> Message:
    return {"type": "http.response.body", "body": data, "more_body": more}
