"""Executes and measures API commands, for all protocols."""

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
from .results import BroadcastResult, Result

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from contextlib import AbstractContextManager

    from .methods import Method
    from .node import Node
    from .requests import Request

    Runner = Callable[[Any], Awaitable[Result]]
    """Executes a request of one method; see `Method.run`."""

_SINGLE_CHANNEL_REQUESTS = (
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
    """Annotates the span of the current request."""

    def span(
        self, name: str, carrier: Mapping[str, str], attributes: Mapping[str, str]
    ) -> AbstractContextManager[None]:
        """Return a context manager that spans a call.

        `carrier`: trace context headers of the caller.
        """

    def describe(self, name: str, value: str | int) -> None:
        """Set an attribute of the current span."""

    def fail(self, text: str) -> None:
        """Mark the current span as failed."""


class Calls:
    """Executes commands received over one protocol: `http`, `grpc` or `consuming`."""

    def __init__(
        self, node: Node, metrics: ApiMetrics | None = None, protocol: str = "http", traces: Traces | None = None
    ) -> None:
        self.node = node
        self._traces = traces
        self._metrics = ApiMetrics() if metrics is None else metrics
        self._protocol = protocol
        self._runners = {name: self._instrumented(method) for name, method in METHODS.items()}

    def run(self, method: Method, request: Any) -> Awaitable[Result]:
        """Execute one command.

        May raise any exception, awaited or not; see `as_api_error`.
        """
        return self._runners[method.name](request)

    def runner(self, method: Method) -> Runner:
        """Return the function that executes commands of this method."""
        return self._runners[method.name]

    def _instrumented(self, method: Method) -> Runner:
        """Wrap a method with the measurements that apply to it."""
        run = self._timed(method)
        if method.name == "rpc":
            run = self._timed_by_rpc_method(run)
        if method.name == "broadcast":
            run = self._counting_failures(run)
        return run if self._traces is None else self._traced(run, self._traces)

    def _timed(self, method: Method) -> Runner:
        node, run, result_type = self.node, method.run, method.result_type
        observe = self._metrics.durations.cell(self._protocol, method.name).observe

        def timed(request: Any) -> Awaitable[Result]:
            began = perf_counter()
            try:
                answer = run(node, request)
            except BaseException:
                observe(perf_counter() - began)
                raise
            if not isinstance(answer, result_type):  # a quarter of the cost of a check for `Result`
                return timed_async(answer, began)
            observe(perf_counter() - began)
            return answer

        async def timed_async(answer: Awaitable[Result], began: float) -> Result:
            try:
                return await answer
            finally:
                observe(perf_counter() - began)

        return timed

    def _timed_by_rpc_method(self, run: Runner) -> Runner:
        async def timed(request: RPCRequest) -> Result:
            began = perf_counter()
            try:
                return await run(request)
            finally:
                if request.method in self.node.rpc_methods:
                    cell = self._metrics.rpc_methods.cell(self._protocol, request.method)
                    cell.observe(perf_counter() - began)

        return timed

    def _counting_failures(self, run: Runner) -> Runner:
        async def counted(request: BroadcastRequest) -> Result:
            result = await run(request)
            assert isinstance(result, BroadcastResult)
            for response in result.responses:
                if response.error is not None:
                    self.count_failure("broadcast_publish", str(response.error.code))
            return result

        return counted

    def _traced(self, run: Runner, traces: Traces) -> Runner:
        async def traced(request: Any) -> Result:
            _describe(traces, request)
            return await run(request)

        return traced

    async def execute(self, method: Method, request: Request) -> Result:
        """Execute one command.

        Raises only `ApiError` and, when cancelled, `CancelledError`.
        """
        try:
            return await self.run(method, request)
        except Exception as error:
            raise as_api_error(error, method.name) from error

    def as_error(self, error: Exception, method: str) -> ApiError:
        """Map the exception being handled to the error of the reply, and count it."""
        known = as_api_error(error, method)
        self.count_failure(method, str(known.code))
        if self._traces is not None:
            self._traces.fail(f"{known.code}: {known.message}")
        return known

    def count_failure(self, method: str, error: str) -> None:
        """Count a failure.

        `error`: the code of the reply, or `read_body`, `unmarshal`, `marshal`.
        """
        self._metrics.errors.cell(self._protocol, method, error).value += 1


def _describe(traces: Traces, request: Any) -> None:
    """Add the channel or the number of channels of a request that changes something."""
    if isinstance(request, BroadcastRequest):
        traces.describe("centrifugo.num_channels", len(request.channels))
    elif isinstance(request, _SINGLE_CHANNEL_REQUESTS):
        traces.describe("centrifugo.channel", request.channel)
