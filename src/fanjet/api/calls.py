"""Commands as they are carried out and counted, whatever they came over."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol

from .errors import ApiError, as_api_error
from .methods import METHODS
from .metrics import ApiMetrics
from .requests import (
    BroadcastRequest,
    MapClearRequest,
    MapPublishRequest,
    MapReadStateRequest,
    MapReadStreamRequest,
    MapRemoveRequest,
    MapStatsRequest,
    PublishRequest,
    RPCRequest,
    SharedPollPublishRequest,
)
from .results import BroadcastResult

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    from .methods import Method
    from .node import Node
    from .requests import Request
    from .results import Result

_ABOUT_ONE_CHANNEL = (
    PublishRequest,
    MapPublishRequest,
    MapRemoveRequest,
    MapReadStateRequest,
    MapReadStreamRequest,
    MapStatsRequest,
    MapClearRequest,
    SharedPollPublishRequest,
)


class Traces(Protocol):
    """Says something about the request that is being answered."""

    def span(
        self, name: str, carrier: Mapping[str, str], attributes: Mapping[str, str]
    ) -> AbstractContextManager[None]:
        """The time inside is that of a call. `carrier`: headers that tell of its caller."""

    def describe(self, name: str, value: str | int) -> None:
        """An attribute of it."""

    def fail(self, text: str) -> None:
        """It has failed."""


class Calls:
    """Carries out commands that come over one protocol: `http`, `grpc` or `consuming`."""

    def __init__(
        self, node: Node, metrics: ApiMetrics | None = None, protocol: str = "http", traces: Traces | None = None
    ) -> None:
        self.node = node
        self._traces = traces
        self._metrics = ApiMetrics() if metrics is None else metrics
        self._protocol = protocol
        self._timings = {name: self._metrics.durations.cell(protocol, name) for name in METHODS}

    async def run(self, method: Method, request: Any) -> Result:
        """Carry out one command. May raise anything; see `as_api_error`."""
        if self._traces is not None:
            _describe(self._traces, request)
        began = perf_counter()
        try:
            result = await method.run(self.node, request)
        finally:
            seconds = perf_counter() - began
            self._timings[method.name].observe(seconds)
            if isinstance(request, RPCRequest) and request.method in self.node.procedures:
                self._metrics.procedures.cell(self._protocol, request.method).observe(seconds)
        if isinstance(result, BroadcastResult):
            self._count_failures(result)
        return result

    async def execute(self, method: Method, request: Request) -> Result:
        """Carry out one command. Raises `ApiError` and, when it is cancelled, `CancelledError`; nothing else."""
        try:
            return await self.run(method, request)
        except Exception as error:
            raise as_api_error(error, method.name) from error

    def as_error(self, error: Exception, method: str) -> ApiError:
        """What the caller is told about the exception being handled. It is counted."""
        known = as_api_error(error, method)
        self.fail(method, str(known.code))
        if self._traces is not None:
            self._traces.fail(f"{known.code}: {known.message}")
        return known

    def fail(self, method: str, error: str) -> None:
        """Count a failure, by the code that the caller is told or `read_body`, `unmarshal`, `marshal`."""
        self._metrics.errors.cell(self._protocol, method, error).value += 1

    def _count_failures(self, result: BroadcastResult) -> None:
        for response in result.responses:
            if response.error is not None:
                self.fail("broadcast_publish", str(response.error.code))


def _describe(traces: Traces, request: Any) -> None:
    """What it is about, where it changes something."""
    if isinstance(request, BroadcastRequest):
        traces.describe("centrifugo.num_channels", len(request.channels))
    elif isinstance(request, _ABOUT_ONE_CHANNEL):
        traces.describe("centrifugo.channel", request.channel)
