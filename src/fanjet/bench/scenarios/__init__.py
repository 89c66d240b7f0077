"""The scenarios, one module per family."""

from typing import Final, Protocol

from fanjet.bench.carriers import (
    HTTP_STREAM,
    SSE,
    UNI_GRPC,
    UNI_HTTP_STREAM,
    UNI_SSE,
    UNI_WEBSOCKET,
    WEBTRANSPORT,
)
from fanjet.bench.figures import Figure
from fanjet.bench.grpc_api import GRPC_API
from fanjet.bench.settings import RECOVERED
from fanjet.bench.stage import Stage

from .commands import ClientPublish, CommandRoundTrip
from .connections import ConnectStorm, IdleConnections, ReconnectStorm
from .draining import NodeRestart, RollingRestart
from .fanout import FanOut, ManyChannels
from .kernel import SENDER, KernelLimit
from .neighbours import BusyCommand, DeltaPublication, SlowConsumers
from .proxies import ConnectProxy
from .publishing import ApiPublish
from .workers import Workers

__all__ = ["ENCRYPTED", "KERNEL", "SCENARIOS", "SENDER", "Scenario"]


class Scenario(Protocol):
    """Something to measure on a server that runs on `settings.server_settings`."""

    @property
    def name(self) -> str:
        """What the scenario is called on the command line."""

    @property
    def summary(self) -> str:
        """What it does, in one line."""

    async def run(self, stage: Stage) -> list[Figure]:
        """Measure once; the same figures in the same order every time. Raises `BenchError` if the server fails it."""


KERNEL: Final = KernelLimit()
"""The yardstick; it runs on `SENDER`, never on the servers compared."""

ENCRYPTED: Final[tuple[Scenario, ...]] = (
    FanOut("fanout-tls", "1 channel x 50 subscribers over WebSocket with TLS, one publish per 100 ms", interval=0.1),
    FanOut("fanout-webtransport", "the same over WebTransport", interval=0.1, carrier=WEBTRANSPORT),
    FanOut("fanout-max-tls", "50 subscribers over WebSocket with TLS, back to back"),
    FanOut("fanout-max-webtransport", "the same over WebTransport", carrier=WEBTRANSPORT),
)
"""Those that run on `settings.encrypted_settings`; with few subscribers, since WebTransport occupies the generator."""

SCENARIOS: Final[tuple[Scenario, ...]] = (
    FanOut("fanout", "1 channel x 1000 subscribers, one publish per 10 ms", interval=0.01),
    FanOut("fanout-max", "the same, back to back"),
    FanOut("fanout-batch", "the same, back to back in batches of ten", batch=10),
    FanOut("fanout-history", "the first with history and recovery on", channel=f"{RECOVERED}:fan", interval=0.01),
    FanOut("fanout-http-stream", "the first over HTTP streaming", interval=0.01, carrier=HTTP_STREAM),
    FanOut("fanout-sse", "the first over SSE", interval=0.01, carrier=SSE),
    FanOut("fanout-max-http-stream", "back to back over HTTP streaming", carrier=HTTP_STREAM),
    FanOut("fanout-max-sse", "back to back over SSE", carrier=SSE),
    FanOut("fanout-max-uni-websocket", "back to back over the unidirectional WebSocket", carrier=UNI_WEBSOCKET),
    FanOut("fanout-max-uni-http-stream", "back to back over unidirectional HTTP streaming", carrier=UNI_HTTP_STREAM),
    FanOut("fanout-max-uni-sse", "back to back over unidirectional SSE", carrier=UNI_SSE),
    FanOut("fanout-max-uni-grpc", "back to back over the unidirectional gRPC stream", carrier=UNI_GRPC),
    *ENCRYPTED,
    ManyChannels(),
    ApiPublish("api-publish", "HTTP API publish, nobody subscribed"),
    ApiPublish("api-publish-history", "the same with history", namespace=RECOVERED),
    ApiPublish("api-batch", "HTTP API batch of 100 publishes, nobody subscribed", batch=100),
    ApiPublish("api-batch-history", "the same with history", namespace=RECOVERED, batch=100),
    ApiPublish("grpc-publish", "gRPC API publish, nobody subscribed", door=GRPC_API),
    ApiPublish("grpc-batch", "gRPC API batch of 100 publishes, nobody subscribed", batch=100, door=GRPC_API),
    ClientPublish(),
    CommandRoundTrip(),
    IdleConnections("idle", "idle connections, JWT and one subscription each, 100 in a channel", members=100),
    IdleConnections("idle-alone", "the same, each in a channel of its own", members=1),
    IdleConnections("idle-http-stream", "the first over HTTP streaming", members=100, carrier=HTTP_STREAM),
    IdleConnections("idle-sse", "the first over SSE", members=100, carrier=SSE),
    ConnectStorm(),
    ReconnectStorm(),
    ConnectProxy(),
    SlowConsumers(),
    BusyCommand(),
    DeltaPublication("delta", "20 KB with delta to 100 subscribers every 50 ms, 4 rows of 400 changed", changed=4),
    DeltaPublication("delta-churn", "the same, 200 rows of 400 changed", changed=200),
    Workers("workers", "two workers beside one process: HTTP API publishes to channels of 10, 100, 400 subscribers"),
    Workers("workers-batch", "the same in batches of 100", batch=100),
    Workers("workers-client", "the same by clients", by_clients=True),
    Workers("workers-history", "the same with history", prefix=f"{RECOVERED}:"),
    NodeRestart(),
    RollingRestart(),
)
