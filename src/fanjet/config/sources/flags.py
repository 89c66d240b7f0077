"""Command-line flags of the server (04 §1.6), which set keys of the same name."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from fanjet.config.errors import ConfigError, MisfitError
from fanjet.config.schema import Group, Key, Path
from fanjet.config.sources.decode import Rules, Sparse, decode_key


@dataclass(frozen=True, slots=True)
class Flag:
    """A flag of the command line.

    Contains its key, how its value is checked while the command line is read, and its help text.
    """

    key: str
    kind: str
    description: str
    short: str = ""
    shown_default: str = ""


def _string(key: str, description: str, short: str = "", shown_default: str = "") -> Flag:
    return Flag(key, "string", description, short, shown_default)


def _switch(key: str, description: str) -> Flag:
    return Flag(key, "bool", description)


FLAGS: tuple[Flag, ...] = (
    _string("pid_file", "path of the PID file"),
    _string("http_server.address", "address to listen on", "a"),
    _string("http_server.port", "port to listen on", "p", "8000"),
    _string("http_server.internal_address", "address of internal endpoints"),
    _string("http_server.internal_port", "port of internal endpoints"),
    _string("log.level", "trace, debug, info, warn, error, fatal or none", "", "info"),
    _string("log.file", "append logs to this file instead of the console"),
    _string("engine.type", "engine: memory or redis", "", "memory"),
    _switch("broker.enabled", "use a broker other than the engine"),
    _string("broker.type", "broker: memory, redis, nats or postgres", "", "memory"),
    _switch("presence_manager.enabled", "use a presence manager other than the engine"),
    _string("presence_manager.type", "presence manager: memory or redis", "", "memory"),
    _string("map_broker.type", "map broker: memory, redis or postgres", "", "memory"),
    _switch("debug.enabled", "profiling endpoints"),
    _switch("admin.enabled", "admin UI"),
    _switch("admin.external", "admin UI on the external port"),
    _switch("admin.insecure", "admin UI without login (INSECURE)"),
    _switch("prometheus.enabled", "metrics endpoint"),
    _switch("swagger.enabled", "Swagger UI of the HTTP API"),
    _switch("health.enabled", "health endpoint"),
    _switch("init.enabled", "init endpoint"),
    _switch("client.insecure", "no tokens, no permission checks (INSECURE)"),
    _switch("http_api.insecure", "HTTP API without key (INSECURE)"),
    _switch("http_api.external", "HTTP API on the external port"),
    _switch("sse.enabled", "SSE transport"),
    _switch("http_stream.enabled", "HTTP streaming transport"),
    _switch("uni_websocket.enabled", "unidirectional WebSocket transport"),
    _switch("uni_sse.enabled", "unidirectional SSE transport"),
    _switch("uni_http_stream.enabled", "unidirectional HTTP streaming transport"),
    _switch("grpc_api.enabled", "gRPC API server"),
    _switch("uni_grpc.enabled", "unidirectional gRPC server"),
    Flag("grpc_api.port", "int", "port of the gRPC API server", "", "10000"),
    Flag("uni_grpc.port", "int", "port of the unidirectional gRPC server", "", "11000"),
)


def apply_flags(group: Group, flags: Mapping[str, str], values: Sparse, rules: Rules) -> set[Path]:
    """Set the keys whose flags were given, zeros included, and return their paths.

    Raises ConfigError.
    """
    paths: set[Path] = set()
    for name, text in flags.items():
        path = tuple(name.split("."))
        key = cast("Key", group.find(path))
        try:
            value = decode_key(key, text, rules)
        except MisfitError as misfit:
            raise ConfigError(f"error unmarshalling config: {misfit.under(name)}") from None
        target = values
        for parent in path[:-1]:
            target = cast("Sparse", target.setdefault(parent, {}))
        target[path[-1]] = value
        paths.add(path)
    return paths
