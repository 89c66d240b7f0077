"""Commands as they are carried out and counted, whatever they came over."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any

from .errors import ApiError, as_api_error
from .methods import METHODS
from .metrics import ApiMetrics
from .requests import RPCRequest
from .results import BroadcastResult

if TYPE_CHECKING:
    from .methods import Method
    from .node import Node
    from .requests import Request
    from .results import Result


class Calls:
    """Carries out commands that come over one protocol: `http`, `grpc` or `consuming`."""

    def __init__(self, node: Node, metrics: ApiMetrics | None = None, protocol: str = "http") -> None:
        self.node = node
        self._metrics = ApiMetrics() if metrics is None else metrics
        self._protocol = protocol
        self._timings = {name: self._metrics.durations.cell(protocol, name) for name in METHODS}

    async def run(self, method: Method, request: Any) -> Result:
        """Carry out one command. May raise anything; see `as_api_error`."""
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
        return known

    def fail(self, method: str, error: str) -> None:
        """Count a failure, by the code that the caller is told or `read_body`, `unmarshal`, `marshal`."""
        self._metrics.errors.cell(self._protocol, method, error).value += 1

    def _count_failures(self, result: BroadcastResult) -> None:
        for response in result.responses:
            if response.error is not None:
                self.fail("broadcast_publish", str(response.error.code))
