"""What all calls to backends have in common: they are observed, and failures logged once."""

from __future__ import annotations

import time
from asyncio import CancelledError
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from msgspec import Raw

from fanjet.events.client_events import EventFailed
from fanjet.protocol import codes
from fanjet.telemetry.logging import get_logger

from .backend import BackendFailed
from .payloads import encode_base64
from .requests import NO_PAYLOAD, UserRequest
from .responses import Response

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fanjet.config.tree.proxy import Proxy
    from fanjet.events.event import Event

    from .backend import Backend
    from .kinds import Kind
    from .observer import CallObserver

log = get_logger(__name__)

R = TypeVar("R", bound=Response)


class RequestTerms:
    """What a proxy's configuration says about its requests."""

    def __init__(self, config: Proxy) -> None:
        self._binary = config.binary_encoding
        self._include_meta = config.include_connection_meta

    def about_client(self, event: Event) -> dict[str, Any]:
        """What is said about a client that wants to connect."""
        return {
            "client": event.client,
            "transport": event.transport,
            "protocol": event.protocol,
            "encoding": "binary" if self._binary else "json",
        }

    def about_user(self, event: Event) -> dict[str, Any]:
        """What is said about a client that has connected."""
        fields = self.about_client(event)
        fields["user"] = event.user
        if event.meta and self._include_meta:
            fields["meta"] = Raw(event.meta)
        if event.labels:
            fields["labels"] = dict(event.labels)
        return fields

    def payload(self, data: bytes) -> dict[str, Any]:
        """What the client has sent."""
        if self._binary:
            return {"b64data": encode_base64(data)}
        return {"data": Raw(data) if data else NO_PAYLOAD}


class Asker(Generic[R]):
    """Puts events of one kind to one backend."""

    def __init__(self, kind: Kind[R], config: Proxy, backend: Backend[R], observer: CallObserver) -> None:
        terms = RequestTerms(config)
        self._kind = kind
        self._about = terms.about_user if issubclass(kind.request, UserRequest) else terms.about_client
        self._backend = backend
        self._observer = observer
        self.payload = terms.payload

    async def ask(self, event: Event, **fields: Any) -> R:
        """The response, whatever it says. `fields` go into the request. Raises `EventFailed`."""
        with observed(self._observer, self._kind.name, event):
            return await self._backend.call(self._kind.request(**self._about(event), **fields), event)

    async def ask_or_refuse(self, event: Event, **fields: Any) -> R:
        """The same; an error or a disconnect in the response is raised."""
        response = await self.ask(event, **fields)
        raise_refusal(response)
        return response

    async def close(self) -> None:
        """Let the backend's connections go."""
        await self._backend.close()


@contextmanager
def observed(observer: CallObserver, kind: str, event: Event) -> Iterator[None]:
    """A call to a backend inside. Turns `BackendFailed` into a line in the log and `EventFailed`."""
    observer.on_start()
    started = time.perf_counter()
    try:
        yield
    except CancelledError:
        observer.on_abandon()
        raise
    except BackendFailed as failure:
        observer.on_failure(time.perf_counter() - started)
        channel = getattr(event, "channel", "")
        fields = {"channel": channel} if channel else {}
        log.error(f"error proxying {kind}", client=event.client, error=str(failure), **fields)
        raise EventFailed from None
    else:
        observer.on_answer(time.perf_counter() - started)


def raise_refusal(response: Response) -> None:
    """Raise the disconnect or else the error of a response, if there is one."""
    if response.disconnect is not None:
        raise codes.Disconnected(codes.Disconnect(response.disconnect.code, response.disconnect.reason))
    if response.error is not None:
        error = response.error
        raise codes.ReplyError(codes.Error(error.code, error.message, error.temporary))
