"""Calls of proxies to backends, with observation and failure logging."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from msgspec import Raw

from fanjet.events.client_events import EventFailed
from fanjet.events.event import DataEvent
from fanjet.protocol import codes
from fanjet.telemetry.logging import get_logger

from .backend import BackendFailed
from .payloads import encode_base64
from .requests import UserRequest
from .responses import Response
from .tracing import TracedBackend

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from fanjet.config.tree.proxy import Proxy
    from fanjet.events.event import Event

    from .backend import Backend
    from .event_kinds import EventKind
    from .observer import CallObserver
    from .tracing import CallTraces

log = get_logger(__name__)

R = TypeVar("R", bound=Response)
T = TypeVar("T")


class RequestBuilder:
    """Fills in the common fields of requests as a proxy's configuration says."""

    def __init__(self, config: Proxy) -> None:
        self._binary = config.binary_encoding
        self._include_meta = config.include_connection_meta

    def add_client_fields(self, event: Event, fields: dict[str, Any]) -> None:
        """Add the fields of every request and the client's data."""
        fields["client"] = event.client
        fields["transport"] = event.transport
        fields["protocol"] = event.protocol
        fields["encoding"] = "binary" if self._binary else "json"
        if isinstance(event, DataEvent) and event.data:
            if self._binary:
                fields["b64data"] = encode_base64(event.data)
            else:
                fields["data"] = Raw(event.data)

    def add_user_fields(self, event: Event, fields: dict[str, Any]) -> None:
        """Add the fields of requests about a connected client."""
        self.add_client_fields(event, fields)
        fields["user"] = event.user
        if event.meta and self._include_meta:
            fields["meta"] = Raw(event.meta)
        if event.labels:
            fields["labels"] = dict(event.labels)


class EventProxy(Generic[R]):
    """Sends events of one kind to one backend."""

    def __init__(self, kind: EventKind[R], config: Proxy, backend: Backend[R], observer: CallObserver) -> None:
        builder = RequestBuilder(config)
        self._kind = kind
        self._add_fields = (
            builder.add_user_fields if issubclass(kind.request, UserRequest) else builder.add_client_fields
        )
        self._backend = backend
        self._observer = observer

    def trace(self, traces: CallTraces) -> None:
        """Trace each call from now on."""
        self._backend = TracedBackend(self._backend, traces)

    async def call(self, event: Event, **fields: Any) -> R:
        """Return the response, of any content.

        `fields` are added to the request. Raises `EventFailed`.
        """
        self._add_fields(event, fields)
        with ObservedCall(self._observer, self._kind.name, event):
            return await self._backend.call(self._kind.request(**fields), event)

    async def call_and_decode(self, read: Callable[[R], T], event: Event, **fields: Any) -> T:
        """Return the result that `read` decodes from the response.

        Raises an error or a disconnect in the response, and `EventFailed` if `read` raises ValueError.
        """
        response = await self.call(event, **fields)
        if response.disconnect is not None or response.error is not None:
            raise_response_error(response)
        try:
            return read(response)
        except ValueError as error:
            log_invalid_result(event, error)
            raise EventFailed from None

    async def close(self) -> None:
        """Close the backend's connections."""
        await self._backend.close()


class ObservedCall:
    """Context manager around a backend call, reported to an observer.

    Logs `BackendFailed` and raises `EventFailed` instead.
    """

    __slots__ = ("_event", "_kind", "_observer", "_started")

    def __init__(self, observer: CallObserver, kind: str, event: Event) -> None:
        self._observer = observer
        self._kind = kind
        self._event = event

    def __enter__(self) -> None:
        self._observer.on_start()
        self._started = perf_counter()

    def __exit__(
        self, _: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        seconds = perf_counter() - self._started
        if error is None:
            self._observer.on_response(seconds)
        elif isinstance(error, BackendFailed):
            self._observer.on_failure(seconds)
            self._log(error)
            raise EventFailed from None
        else:
            self._observer.on_cancel()

    def _log(self, failure: BackendFailed) -> None:
        channel = getattr(self._event, "channel", "")
        fields = {"channel": channel} if channel else {}
        log.error(f"error proxying {self._kind}", client=self._event.client, error=str(failure), **fields)


def raise_response_error(response: Response) -> None:
    """Raise the disconnect or the error of a response, if any."""
    if response.disconnect is not None:
        raise codes.Disconnected(codes.Disconnect(response.disconnect.code, response.disconnect.reason))
    if response.error is not None:
        error = response.error
        raise codes.ReplyError(codes.Error(error.code, error.message, error.temporary))


def log_invalid_result(event: Event, error: ValueError) -> None:
    """Log that a result cannot be decoded."""
    log.error("error decoding result of a proxy", client=event.client, error=str(error))
