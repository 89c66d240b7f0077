"""Tracing spans of calls to backends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Generic, Protocol, TypeVar

from .backend import NO_CONTEXT
from .responses import Response

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    from fanjet.events.event import Event

    from .backend import Backend
    from .requests import Request

R = TypeVar("R", bound=Response)

_TRACE_CONTEXT: Final = ("traceparent", "tracestate")
_DESCRIBED: Final = ("channel", "method")


class Traces(Protocol):
    """Creates spans of backend calls."""

    def call(
        self, name: str, carrier: Mapping[str, str], attributes: Mapping[str, str]
    ) -> AbstractContextManager[Mapping[str, str]]:
        """Return a context manager that spans a call and yields headers to send with it.

        `carrier`: headers with the parent's trace context. An exception inside marks the span as failed.
        """


class CallTraces:
    """Creates the spans of one proxy."""

    def __init__(self, traces: Traces, event_type: str, name: str) -> None:
        self._traces = traces
        self._span = f"proxy {event_type}"
        self._name = name

    def span(self, event: Event) -> AbstractContextManager[Mapping[str, str]]:
        """Return a context manager that spans a call and yields headers to send with it.

        The span belongs to the trace of the client's connection if the proxy forwards its trace context headers.
        """
        kept = (event.headers if event.metadata is None else event.metadata) or {}
        carrier = {name: kept[name][0] for name in _TRACE_CONTEXT if name in kept}
        attributes = {"centrifugo.proxy": self._name, "centrifugo.client": event.client}
        for name in _DESCRIBED:
            if value := getattr(event, name, ""):
                attributes[f"centrifugo.{name}"] = value
        return self._traces.call(self._span, carrier, attributes)


class TracedBackend(Generic[R]):
    """A backend wrapper that creates a span for each call."""

    def __init__(self, backend: Backend[R], traces: CallTraces) -> None:
        self._backend = backend
        self._traces = traces
        self.protocol = backend.protocol

    async def call(self, request: Request, event: Event, context: Mapping[str, str] = NO_CONTEXT) -> R:
        """Send one request. Raises `BackendFailed`."""
        with self._traces.span(event) as headers:
            return await self._backend.call(request, event, {**context, **headers})

    async def close(self) -> None:
        """Close the connections."""
        await self._backend.close()
