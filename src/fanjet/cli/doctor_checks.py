"""The checks of `fanjet doctor`, which yield findings with advice."""

from __future__ import annotations

import importlib.util
import re
import socket
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from fanjet.cli.remote import ApiRefused, NoServer
from fanjet.config import ConfigError
from fanjet.config.schema import group_of
from fanjet.config.tree.presence_manager import NamedPresenceManager, PresenceManager
from fanjet.config.tree.root import Config
from fanjet.config.unsupported import used_unsupported_features
from fanjet.config.validation import validate
from fanjet.server.file_limit import LOW_LIMIT, raise_file_limit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fanjet.cli.remote import Remote
    from fanjet.config import Loaded
    from fanjet.config.schema import Path
    from fanjet.config.tree.broker import Broker, NamedBroker
    from fanjet.config.tree.controller import Controller
    from fanjet.config.tree.nats import NatsConnection
    from fanjet.config.tree.redis import RedisConnection

OK: Final = "ok"
WARN: Final = "warn"
FAIL: Final = "fail"

CONNECT_SECONDS: Final = 3.0
SHORT_SECRET: Final = 32
_UNKNOWN_REPLIES: Final = re.compile(
    r"\.proxy\.unknown_replies\.name\.(?P<name>.+)\.protocol\.\w+\.type\.(?P<type>\w+)$"
)
_PORTS: Final = {"http": 80, "https": 443, "redis": 6379, "rediss": 6379, "nats": 4222, "tls": 4222}
_PORTS_BY_PLACE: Final = {"redis": 6379, "nats": 4222}


@dataclass(frozen=True, slots=True)
class Finding:
    """A finding. `advice` is empty where nothing has to be changed."""

    level: str
    subject: str
    text: str
    advice: str = ""


def findings(loaded: Loaded, server: Remote) -> Iterator[Finding]:
    """All findings about a configuration, this machine, and the server that runs with it."""
    yield from _configuration(loaded)
    yield from _risks(loaded.config)
    yield from _limits()
    yield from _reachable(loaded.config)
    yield from _running(server)


def _configuration(loaded: Loaded) -> Iterator[Finding]:
    what = "configuration"
    if not loaded.file_found:
        yield Finding(WARN, what, f"{loaded.path} cannot be read: defaults and the environment hold", "name it with -c")
    try:
        validate(loaded.config)
        yield Finding(OK, what, "valid")
    except ConfigError as error:
        yield Finding(FAIL, what, str(error), "correct this key: the server does not start")
    for key, feature in used_unsupported_features(loaded.config):
        yield Finding(FAIL, what, f"{key}: {feature}: not available in this version", "remove it")
    for key in loaded.unknown_keys:
        yield Finding(WARN, what, f"unknown key {key}", "it has no effect: look for a typing mistake")
    for name in loaded.unknown_vars:
        yield Finding(WARN, what, f"unknown environment variable {name}", "it has no effect")


def _risks(config: Config) -> Iterator[Finding]:
    """Settings that are safe only in development."""
    token = config.client.token
    switches = (
        (config.client.insecure, "client.insecure: clients need no token", "turn it off"),
        (config.http_api.insecure, "http_api.insecure: the API needs no key", "turn it off and set http_api.key"),
        (config.admin.enabled and config.admin.insecure, "admin.insecure: the console needs no login", "turn it off"),
        (config.client.insecure_skip_token_signature_verify, "signatures of tokens are not checked", "turn it off"),
        (config.client.allowed_origins == ("*",), "any web page may connect", "list client.allowed_origins"),
        (
            config.admin.enabled and config.admin.external and not config.http_server.internal_port,
            "the console is on the address that clients use",
            "set http_server.internal_port, or restrict it in a reverse proxy",
        ),
        (
            0 < len(token.hmac_secret_key) < SHORT_SECRET,
            f"client.token.hmac_secret_key has only {len(token.hmac_secret_key)} characters",
            f"use a random one of {SHORT_SECRET} or more",
        ),
        (not config.health.enabled, "there is no health endpoint", "turn health.enabled on for probes"),
    )
    for risky, text, advice in switches:
        if risky:
            yield Finding(WARN, "settings", text, advice)


def _limits() -> Iterator[Finding]:
    limit = raise_file_limit()
    if limit is not None and limit < LOW_LIMIT:
        yield Finding(
            WARN, "open files", f"{limit} at most, each connection needs one", "raise it (LimitNOFILE, ulimit -n)"
        )
    else:
        yield Finding(OK, "open files", "unlimited" if limit is None else f"{limit} at most")
    if importlib.util.find_spec("uvloop") is None:
        yield Finding(WARN, "event loop", "uvloop is not installed", "install it: the server needs half the CPU time")
    else:
        yield Finding(OK, "event loop", "uvloop")


def _reachable(config: Config) -> Iterator[Finding]:
    """Whether the addresses of engines and backends accept connections. No credentials are tried."""
    for place, address in _addresses(config):
        host, port = _host_and_port(place, address)
        shown = f"{host}:{port}"
        try:
            socket.create_connection((host, port), CONNECT_SECONDS).close()
        except (OSError, ValueError, OverflowError) as error:
            yield Finding(FAIL, place, f"{shown} cannot be reached: {error}", "start it, or correct the address")
        else:
            yield Finding(OK, place, f"{shown} takes connections")


def _addresses(config: Config) -> Iterator[tuple[str, str]]:
    if config.engine.type == "redis" and not (config.broker.enabled and config.presence_manager.enabled):
        yield from _redis_addresses("engine", config.engine.redis)
    yield from _engine_addresses("broker", config.broker)
    for broker in config.brokers:
        yield from _engine_addresses(f"brokers.{broker.name}", broker)
    yield from _engine_addresses("presence_manager", config.presence_manager)
    for manager in config.presence_managers:
        yield from _engine_addresses(f"presence_managers.{manager.name}", manager)
    yield from _engine_addresses("controller", config.controller)
    yield from _proxy_endpoints(config)


def _engine_addresses(
    place: str, engine: Broker | NamedBroker | PresenceManager | NamedPresenceManager | Controller
) -> Iterator[tuple[str, str]]:
    if not engine.enabled:
        return
    if engine.type in ("redis", "redisnats"):
        yield from _redis_addresses(place, engine.redis)
    if engine.type in ("nats", "redisnats") and not isinstance(engine, (PresenceManager, NamedPresenceManager)):
        yield from _nats_addresses(place, engine.nats)


def _redis_addresses(place: str, redis: RedisConnection) -> Iterator[tuple[str, str]]:
    for shard in redis.cluster_address or redis.sentinel_address or redis.address:
        yield from ((f"{place}.redis", seed) for seed in shard.split(","))


def _nats_addresses(place: str, nats: NatsConnection) -> Iterator[tuple[str, str]]:
    yield from ((f"{place}.nats", url.strip()) for url in nats.url.split(","))


def _proxy_endpoints(config: Config) -> Iterator[tuple[str, str]]:
    """Every configured backend once."""
    seen: set[str] = set()
    for path, _ in group_of(Config).walk():
        endpoint = str(_get(config, path)) if path[-1] == "endpoint" else ""
        if endpoint and endpoint not in seen and _is_enabled(config, path[:-1]):
            seen.add(endpoint)
            yield ".".join(path[:-1]), endpoint
    for proxy in config.proxies:
        if proxy.endpoint and proxy.endpoint not in seen:
            seen.add(proxy.endpoint)
            yield f"proxies.{proxy.name}", proxy.endpoint


def _is_enabled(config: Config, path: Path) -> bool:
    section = _get(config, path)
    return bool(getattr(section, "enabled", True))


def _get(config: Config, path: Path) -> object:
    value: object = config
    for name in path:
        value = getattr(value, name)
    return value


def _host_and_port(place: str, address: object) -> tuple[str, int]:
    text = str(address)
    split = urlsplit(text if "://" in text else f"//{text}")
    default = _PORTS.get(split.scheme) or _PORTS_BY_PLACE.get(place.rpartition(".")[2], 443)
    return split.hostname or "127.0.0.1", split.port or default


def _running(server: Remote) -> Iterator[Finding]:
    try:
        nodes = server.call("info")["nodes"]
    except (NoServer, ApiRefused) as failure:
        yield Finding(FAIL, "server", str(failure), "start it, or name its API with --url and --key")
        return
    count = sum(node["num_clients"] for node in nodes)
    yield Finding(OK, "server", f"{server.url} answers: {len(nodes)} nodes, {count} clients")
    yield from _unknown_replies(nodes)
    versions = {node["version"] for node in nodes}
    if len(versions) > 1:
        yield Finding(
            WARN, "server", f"the nodes have different versions: {', '.join(sorted(versions))}", "finish the update"
        )


def _unknown_replies(nodes: list[dict[str, Any]]) -> Iterator[Finding]:
    """Replies of backends that allow since none of their keys is known, as the nodes have counted them lately."""
    counts: Counter[tuple[str, str]] = Counter()
    seconds = 0.0
    for node in nodes:
        metrics = node.get("metrics") or {}
        seconds = max(seconds, metrics.get("interval", 0))
        for name, value in metrics.get("items", {}).items():
            found = _UNKNOWN_REPLIES.search(name)
            if found and value:
                counts[found["type"], found["name"]] += int(value)
    for (event_type, name), count in sorted(counts.items()):
        yield Finding(
            WARN,
            f"{event_type} proxy {name}",
            f"{count} replies in {seconds:g} s had keys, but none that is known: each of them allowed",
            "answer with result, error or disconnect; the server's log names the keys",
        )
