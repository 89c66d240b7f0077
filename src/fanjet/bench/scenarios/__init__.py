"""The scenarios, one module per family."""

from typing import Final

from fanjet.bench.clients.grpc_api import GRPC_API
from fanjet.bench.clients.transports import (
    HTTP_STREAM,
    SSE,
    UNI_GRPC,
    UNI_HTTP_STREAM,
    UNI_SSE,
    UNI_WEBSOCKET,
    WEBTRANSPORT,
)
from fanjet.bench.scenario import Scenario
from fanjet.bench.settings import RECOVERED

from .commands import ClientPublish, CommandRoundTrip
from .connections import ConnectStorm, IdleConnections, ReconnectStorm
from .draining import NodeRestart, RollingRestart
from .fanout import FanOut, ManyChannels
from .interference import BusyCommand, DeltaPublication, SlowConsumers
from .kernel_baseline import SENDER, KernelLimit
from .proxies import ConnectProxy
from .publishing import ApiPublish
from .redis_engine import OverRedis
from .subscriptions import CHANNELS, Subscribing
from .workers import Workers

__all__ = ["ENCRYPTED", "KERNEL", "ON_REDIS", "SCENARIOS", "SENDER", "Scenario"]


API_PUBLISH: Final = ApiPublish("api-publish", "HTTP API publish, nobody subscribed")
API_PUBLISH_HISTORY: Final = ApiPublish("api-publish-history", "the same with history", namespace=RECOVERED)
CLIENT_PUBLISH: Final = ClientPublish()

KERNEL: Final = KernelLimit()
"""The yardstick; it runs on `SENDER`, never on the servers compared."""

ENCRYPTED: Final[tuple[Scenario, ...]] = (
    FanOut("fanout-tls", "1 channel x 50 subscribers over WebSocket with TLS, one publish per 100 ms", interval=0.1),
    FanOut("fanout-webtransport", "the same over WebTransport", interval=0.1, carrier=WEBTRANSPORT),
    FanOut("fanout-max-tls", "50 subscribers over WebSocket with TLS, back to back"),
    FanOut("fanout-max-webtransport", "the same over WebTransport", carrier=WEBTRANSPORT),
)
"""Those that run on `settings.encrypted_settings`; with few subscribers, since WebTransport occupies the generator."""

ON_REDIS: Final[tuple[Scenario, ...]] = (
    OverRedis(API_PUBLISH),
    OverRedis(API_PUBLISH_HISTORY),
    OverRedis(CLIENT_PUBLISH),
    Subscribing(
        "redis-subscribe",
        "100 clients subscribe to 100 channels each, then unsubscribe, all in one frame; with the Redis engine",
        in_a_frame=CHANNELS,
    ),
    Subscribing(
        "redis-subscribe-frames", "the same, a frame for each command, without waiting for answers", at_once=CHANNELS
    ),
    Subscribing("redis-subscribe-in-turn", "the same, each command when the last one is answered"),
    OverRedis(
        FanOut(
            "intake",
            "1 channel x 100 subscribers, one publish per 10 ms on another node",
            interval=0.01,
            subscribers=100,
        ),
        from_elsewhere=True,
    ),
    OverRedis(FanOut("intake-max", "the same, back to back", subscribers=100), from_elsewhere=True),
)
"""Those of one node of a cluster; each has a Redis of its own."""

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
    API_PUBLISH,
    API_PUBLISH_HISTORY,
    ApiPublish("api-batch", "HTTP API batch of 100 publishes, nobody subscribed", batch=100),
    ApiPublish("api-batch-history", "the same with history", namespace=RECOVERED, batch=100),
    ApiPublish("grpc-publish", "gRPC API publish, nobody subscribed", door=GRPC_API),
    ApiPublish("grpc-batch", "gRPC API batch of 100 publishes, nobody subscribed", batch=100, door=GRPC_API),
    CLIENT_PUBLISH,
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
    *ON_REDIS,
    NodeRestart(),
    RollingRestart(),
)
