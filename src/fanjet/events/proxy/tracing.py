"""Calls to backends as spans of traces, for those who want them."""

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
    """Where spans are told."""

    def call(
        self, name: str, carrier: Mapping[str, str], attributes: Mapping[str, str]
    ) -> AbstractContextManager[Mapping[str, str]]:
        """The time inside is the span of a call, which is to carry the headers that this yields. It belongs to the
        request with the headers in `carrier`. What is raised inside is how it has failed."""


class CallTraces:
    """The spans of one proxy."""

    def __init__(self, traces: Traces, event_type: str, name: str) -> None:
        self._traces = traces
        self._span = f"proxy {event_type}"
        self._name = name

    def span(self, event: Event) -> AbstractContextManager[Mapping[str, str]]:
        """The time inside is a call about an event. It belongs to the trace of the client's connection, if the proxy is
        told of that; it is to carry the headers that this yields."""
        kept = (event.headers if event.metadata is None else event.metadata) or {}
        carrier = {name: kept[name][0] for name in _TRACE_CONTEXT if name in kept}
        attributes = {"centrifugo.proxy": self._name, "centrifugo.client": event.client}
        for name in _DESCRIBED:
            if value := getattr(event, name, ""):
                attributes[f"centrifugo.{name}"] = value
        return self._traces.call(self._span, carrier, attributes)


class TracedBackend(Generic[R]):
    """A backend whose calls are spans."""

    def __init__(self, backend: Backend[R], traces: CallTraces) -> None:
        self._backend = backend
        self._traces = traces
        self.protocol = backend.protocol

    async def call(self, request: Request, event: Event, context: Mapping[str, str] = NO_CONTEXT) -> R:
        """Ask once. Raises `BackendFailed`."""
        with self._traces.span(event) as headers:
            return await self._backend.call(request, event, {**context, **headers})

    async def close(self) -> None:
        """Let the connections go."""
        await self._backend.close()
