"""Checks that are made only when the server starts.

`checkconfig` does not make them (04 §6.5).
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING

from fanjet.config.duration import format_duration
from fanjet.config.tree.root import Config

if TYPE_CHECKING:
    from fanjet.config.tree.engine import EngineRedis
    from fanjet.config.tree.presence_manager import PresenceManagerRedis

ENGINES = ("memory", "redis")
CONTROLLERS = ("postgres", "redis", "nats")
PARTITION_COUNTS = (16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
"""Of sharded PUB/SUB, for which there are tags that spread evenly (07 §22.4)."""
ERROR_MODES = ("", "transport")


@dataclass(frozen=True, slots=True)
class StartupProblem:
    """A reason why the server does not start: message and fields of the log line."""

    message: str
    fields: dict[str, object] = field(default_factory=dict)


StartupProblems = Iterator[StartupProblem]


def startup_problems(config: Config, token_problems: Iterable[StartupProblem] = ()) -> StartupProblems:
    """Yield the problems that prevent a start with a valid configuration.

    They are in the order of the start sequence. `token_problems`: problems of token verification, evaluated in their
    order.
    """
    yield from engines(config)
    yield from token_problems
    for check in CHECKS:
        yield from check(config)


def engines(config: Config) -> StartupProblems:
    """Types of engine, broker, presence manager and controller are known."""
    message = "configure engines error"
    needs_engine = not (config.broker.enabled and config.presence_manager.enabled)
    if needs_engine and config.engine.type not in ENGINES:
        yield StartupProblem(message, {"error": f"unknown engine type: {config.engine.type}"})
    yield from missing_libraries(config, message)
    yield from partitions(config, message)
    yield from presence_on_replicas(config, message)
    redisnats = config.broker.enabled and config.broker.type == "redisnats"
    if redisnats and not config.enable_unreleased_features:
        yield StartupProblem(message, {"error": "redisnats broker requires enable_unreleased_features on"})
    if config.presence_manager.enabled and config.presence_manager.type not in ENGINES:
        yield StartupProblem(message, {"error": f"unknown presence manager type: {config.presence_manager.type}"})
    if config.controller.enabled and config.controller.type not in CONTROLLERS:
        reason = f"unknown controller type: {config.controller.type}"
        yield StartupProblem(message, {"error": f"error creating controller: {reason}"})


def partitions(config: Config, message: str) -> StartupProblems:
    """Check the number of partitions of sharded PUB/SUB.

    It is not negative, it is set if partitions are grouped by node, and precomputed tags exist for it if they are used.
    """
    own = config.broker.enabled
    named = (
        (f"brokers.{each.name}.redis", each.redis, each.enabled and each.type == "redis") for each in config.brokers
    )
    sections = (
        ("engine.redis", config.engine.redis, not own and config.engine.type == "redis"),
        ("broker.redis", config.broker.redis, own and config.broker.type == "redis"),
        *named,
    )
    if own and config.broker.type == "redisnats":
        for key in ("sharded_pub_sub_partitions", "group_sharded_pub_sub_by_node", "subscribe_on_replica"):
            if getattr(config.broker.redis, key):
                yield StartupProblem(
                    message, {"error": f"broker.redis.{key}: redisnats publishes nothing through Redis"}
                )
    for place, redis, is_used in sections:
        count = redis.sharded_pub_sub_partitions
        if not is_used:
            continue
        if count < 0:
            yield StartupProblem(message, {"error": f"{place}.sharded_pub_sub_partitions: must not be negative"})
        elif redis.use_precomputed_partition_tags and count not in PARTITION_COUNTS:
            counts = ", ".join(map(str, PARTITION_COUNTS))
            reason = f"use_precomputed_partition_tags: sharded_pub_sub_partitions must be one of {counts}"
            yield StartupProblem(message, {"error": f"{place}.{reason}"})
        if redis.group_sharded_pub_sub_by_node and not count:
            reason = "group_sharded_pub_sub_by_node: sharded_pub_sub_partitions must be set"
            yield StartupProblem(message, {"error": f"{place}.{reason}"})


def presence_on_replicas(config: Config, message: str) -> StartupProblems:
    """What reads presence from replicas does not write there (07 §22.3)."""
    own = config.presence_manager.enabled
    named = ((f"presence_managers.{each.name}.redis", each.redis, each.enabled) for each in config.presence_managers)
    sections: tuple[tuple[str, EngineRedis | PresenceManagerRedis, bool], ...] = (
        ("engine.redis", config.engine.redis, not own and config.engine.type == "redis"),
        ("presence_manager.redis", config.presence_manager.redis, own and config.presence_manager.type == "redis"),
        *named,
    )
    for place, redis, is_used in sections:
        if is_used and redis.presence_read_from_replica and not redis.presence_hash_field_ttl:
            reason = "needs presence_hash_field_ttl, without which reading presence removes what has expired"
            yield StartupProblem(message, {"error": f"{place}.presence_read_from_replica: {reason}"})


def missing_libraries(config: Config, message: str) -> StartupProblems:
    """What NATS and PostgreSQL need is installed."""
    controller = config.controller.type if config.controller.enabled else ""
    brokers = {each.type for each in config.brokers if each.enabled}
    if config.broker.enabled:
        brokers.add(config.broker.type)
    if brokers & {"nats", "redisnats"} and find_spec("nats") is None:
        yield StartupProblem(message, {"error": "the NATS broker needs the package of the extra fanjet[nats]"})
    if controller == "nats" and find_spec("nats") is None:
        yield StartupProblem(message, {"error": "the NATS controller needs the package of the extra fanjet[nats]"})
    if controller == "postgres" and find_spec("asyncpg") is None:
        yield StartupProblem(
            message, {"error": "the PostgreSQL controller needs the package of the extra fanjet[postgres]"}
        )


def pings(config: Config) -> StartupProblems:
    """Check that a pong is due before the next ping.

    This is a plain comparison, negative values included.
    """
    ping, pong = config.client.ping_interval, config.client.pong_timeout
    if _serves_clients(config) and ping <= pong:
        fields: dict[str, object] = {"ping_interval": format_duration(ping), "pong_timeout": format_duration(pong)}
        yield StartupProblem("ping_interval must be greater than pong_timeout", fields)


def error_modes(config: Config) -> StartupProblems:
    """The error mode of the API is known."""
    http, grpc = config.http_api, config.grpc_api
    reason = "invalid value: {}, possible choices are: transport"
    if not http.disabled and http.error_mode not in ERROR_MODES:
        yield StartupProblem("error in config", {"error": reason.format(http.error_mode)})
    if grpc.enabled and grpc.error_mode not in ERROR_MODES:
        error = f"can't extract grpc error mode: {reason.format(grpc.error_mode)}"
        yield StartupProblem("error creating GRPC API server", {"error": error})


def http3(config: Config) -> StartupProblems:
    """HTTP/3 needs TLS with given certificates, WebTransport needs HTTP/3."""
    http = config.http_server
    if config.webtransport.enabled and not http.http3.enabled:
        yield StartupProblem("can not enable webtransport without experimental HTTP/3")
    if http.http3.enabled and http.tls_autocert.enabled:
        yield StartupProblem("can not use HTTP/3 with autocert")
    elif http.http3.enabled and not http.tls.enabled:
        yield StartupProblem("HTTP/3 requires TLS configured")
    elif http.http3.enabled and http.tls.client_ca_pem:
        yield StartupProblem("HTTP/3 cannot verify client certificates: http_server.tls.client_ca_pem must be empty")
    elif http.http3.enabled and find_spec("aioquic") is None:
        yield StartupProblem("HTTP/3 needs the packages of the extra fanjet[http3], which are not installed")


def stream_proxies(config: Config) -> StartupProblems:
    """Subscription streams are for gRPC alone (06 §12)."""
    named = {proxy.name: proxy for proxy in config.proxies}
    for options in (config.channel.without_namespace, *config.channel.namespaces):
        name = options.subscribe_stream_proxy_name
        proxy = named.get(name, config.channel.proxy.subscribe_stream)
        if options.subscribe_stream_proxy_enabled and proxy.endpoint.startswith("http"):
            message = "error creating subscribe stream proxy – only GRPC endpoints supported"
            yield StartupProblem(message, {"name": name})


CHECKS: tuple[Callable[[Config], StartupProblems], ...] = (stream_proxies, pings, error_modes, http3)


def _serves_clients(config: Config) -> bool:
    switched = (
        config.webtransport,
        config.sse,
        config.http_stream,
        config.uni_websocket,
        config.uni_sse,
        config.uni_http_stream,
    )
    return not config.websocket.disabled or any(transport.enabled for transport in switched)
