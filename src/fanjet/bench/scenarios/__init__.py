"""The list of scenarios, with one module per family."""

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
from .kernel_baseline import SEND_LOOP, KernelLimit
from .proxies import ConnectProxy
from .publishing import ApiPublish
from .redis_engine import RedisScenario
from .subscriptions import CHANNELS, SubscribeChurn
from .workers import Workers

__all__ = ["ENCRYPTED", "KERNEL", "ON_REDIS", "SCENARIOS", "SEND_LOOP", "Scenario"]


API_PUBLISH: Final = ApiPublish("api-publish", "HTTP API publish, no subscribers")
API_PUBLISH_HISTORY: Final = ApiPublish("api-publish-history", "the same with history", namespace=RECOVERED)
CLIENT_PUBLISH: Final = ClientPublish()

KERNEL: Final = KernelLimit()
"""The baseline; it runs on `SEND_LOOP`, never on the compared servers."""

ENCRYPTED: Final[tuple[Scenario, ...]] = (
    FanOut("fanout-tls", "1 channel x 50 subscribers over WebSocket with TLS, one publish per 100 ms", interval=0.1),
    FanOut("fanout-webtransport", "the same over WebTransport", interval=0.1, transport_spec=WEBTRANSPORT),
    FanOut("fanout-max-tls", "50 subscribers over WebSocket with TLS, back to back"),
    FanOut("fanout-max-webtransport", "the same over WebTransport", transport_spec=WEBTRANSPORT),
)
"""Scenarios with `settings.encrypted_settings`; few subscribers, because WebTransport occupies the generator."""

ON_REDIS: Final[tuple[Scenario, ...]] = (
    RedisScenario(API_PUBLISH),
    RedisScenario(API_PUBLISH_HISTORY),
    RedisScenario(CLIENT_PUBLISH),
    SubscribeChurn(
        "redis-subscribe",
        "100 clients subscribe to 100 channels each, then unsubscribe, all in one frame; with the Redis engine",
        commands_per_frame=CHANNELS,
    ),
    SubscribeChurn(
        "redis-subscribe-frames",
        "the same, a frame for each command, without waiting for answers",
        frames_in_flight=CHANNELS,
    ),
    SubscribeChurn("redis-subscribe-in-turn", "the same, each command when the last one is answered"),
    RedisScenario(
        FanOut(
            "intake",
            "1 channel x 100 subscribers, one publish per 10 ms on another node",
            interval=0.01,
            subscribers=100,
        ),
        publish_on_other_node=True,
    ),
    RedisScenario(FanOut("intake-max", "the same, back to back", subscribers=100), publish_on_other_node=True),
)
"""Scenarios of one node in a cluster; each has its own Redis."""

SCENARIOS: Final[tuple[Scenario, ...]] = (
    FanOut("fanout", "1 channel x 1000 subscribers, one publish per 10 ms", interval=0.01),
    FanOut("fanout-max", "the same, back to back"),
    FanOut("fanout-batch", "the same, back to back in batches of ten", batch=10),
    FanOut("fanout-history", "the first with history and recovery on", channel=f"{RECOVERED}:fan", interval=0.01),
    FanOut("fanout-http-stream", "the first over HTTP streaming", interval=0.01, transport_spec=HTTP_STREAM),
    FanOut("fanout-sse", "the first over SSE", interval=0.01, transport_spec=SSE),
    FanOut("fanout-max-http-stream", "back to back over HTTP streaming", transport_spec=HTTP_STREAM),
    FanOut("fanout-max-sse", "back to back over SSE", transport_spec=SSE),
    FanOut("fanout-max-uni-websocket", "back to back over the unidirectional WebSocket", transport_spec=UNI_WEBSOCKET),
    FanOut(
        "fanout-max-uni-http-stream", "back to back over unidirectional HTTP streaming", transport_spec=UNI_HTTP_STREAM
    ),
    FanOut("fanout-max-uni-sse", "back to back over unidirectional SSE", transport_spec=UNI_SSE),
    FanOut("fanout-max-uni-grpc", "back to back over the unidirectional gRPC stream", transport_spec=UNI_GRPC),
    *ENCRYPTED,
    ManyChannels(),
    API_PUBLISH,
    API_PUBLISH_HISTORY,
    ApiPublish("api-batch", "HTTP API batch of 100 publishes, no subscribers", batch=100),
    ApiPublish("api-batch-history", "the same with history", namespace=RECOVERED, batch=100),
    ApiPublish("grpc-publish", "gRPC API publish, no subscribers", api_spec=GRPC_API),
    ApiPublish("grpc-batch", "gRPC API batch of 100 publishes, no subscribers", batch=100, api_spec=GRPC_API),
    CLIENT_PUBLISH,
    CommandRoundTrip(),
    IdleConnections("idle", "idle connections, JWT and one subscription each, 100 in a channel", members=100),
    IdleConnections("idle-alone", "the same, each in its own channel", members=1),
    IdleConnections("idle-http-stream", "the first over HTTP streaming", members=100, transport_spec=HTTP_STREAM),
    IdleConnections("idle-sse", "the first over SSE", members=100, transport_spec=SSE),
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
