"""The HTTP endpoints of the server.

The configuration makes each external or internal (02 §2.1, §2.2).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fanjet import __version__
from fanjet.admin.auth.login import MAX_FORM
from fanjet.admin.routes import AdminRoutes
from fanjet.api.http import HttpApi
from fanjet.config import ConfigError
from fanjet.net.glob import GlobError
from fanjet.net.origin import origin_predicate
from fanjet.net.router import DEFAULT_MAX_BODY
from fanjet.operations.debug.endpoints import DebugEndpoints
from fanjet.operations.health import health_endpoint, readiness_endpoint
from fanjet.operations.prometheus import prometheus_endpoint
from fanjet.operations.request_observer import RequestCounter, log_request, with_observers
from fanjet.operations.request_spans import with_span
from fanjet.operations.swagger_ui import SwaggerMissing, swagger_endpoint
from fanjet.server.listeners import EndpointGroup, handler_path
from fanjet.telemetry.logging import writes_debug_lines
from fanjet.transports.connection_guard import ConnectionGuard
from fanjet.transports.connection_limits import ConnectionLimits
from fanjet.transports.emulation import EmulationEndpoint
from fanjet.transports.http_stream import HttpStreamEndpoint
from fanjet.transports.init_endpoint import init_endpoint
from fanjet.transports.sse import SseEndpoint
from fanjet.transports.uni_http_stream import UniHttpStreamEndpoint
from fanjet.transports.uni_sse import UniSseEndpoint
from fanjet.transports.uni_websocket_endpoint import UniWebSocketEndpoint
from fanjet.transports.websocket_endpoint import WebSocketEndpoint

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fanjet.admin.console.endpoints import ConsoleEndpoints
    from fanjet.client.context import ClientContext
    from fanjet.config import Config
    from fanjet.net.origin import OriginPredicate
    from fanjet.net.router import Endpoint
    from fanjet.operations.request_observer import Observer
    from fanjet.server.metrics import ServerMetrics
    from fanjet.server.operations import Operations


def endpoint_groups(
    config: Config,
    clients: ClientContext,
    extra_routes: Mapping[str, Endpoint],
    console: ConsoleEndpoints,
    operations: Operations,
) -> Iterator[EndpointGroup]:
    """All enabled endpoints and those of `extra_routes`, by path.

    The paths are those of the external side. `console` has the endpoints of the admin console. Every request is
    reported to the enabled observers.
    """
    observers = list(_observers(config, operations))
    for group in _endpoint_groups(config, clients, extra_routes, console, operations):
        routes = {path: with_observers(path, endpoint, observers) for path, endpoint in group.routes.items()}
        yield replace(group, routes=routes)


def _observers(config: Config, operations: Operations) -> Iterator[Observer]:
    if writes_debug_lines():
        yield log_request
    if config.prometheus.enabled and config.prometheus.instrument_http_handlers:
        yield RequestCounter(operations.metrics.registry)


def _endpoint_groups(
    config: Config,
    clients: ClientContext,
    extra_routes: Mapping[str, Endpoint],
    console: ConsoleEndpoints,
    operations: Operations,
) -> Iterator[EndpointGroup]:
    metrics = operations.metrics
    yield from _client_transports(config, clients)
    if not config.http_api.disabled:
        api = HttpApi(
            clients.node,
            key=None if config.http_api.insecure else config.http_api.key,
            transport_errors=config.http_api.error_mode == "transport",
            metrics=metrics.api,
            traces=operations.traces,
        )
        routes = api.routes(handler_path(config.http_api.handler_prefix))
        if operations.traces is not None:
            routes = {path: with_span(path, endpoint, operations.traces) for path, endpoint in routes.items()}
        limit = config.fanjet.http_api_max_body_size or None
        yield EndpointGroup("api", routes, external=config.http_api.external, max_body=limit)
    if config.admin.enabled:
        yield from _admin(config, clients, console, metrics)
    yield from _operator_endpoints(config, operations)
    if extra_routes:
        yield EndpointGroup("", extra_routes, external=True)


def _operator_endpoints(config: Config, operations: Operations) -> Iterator[EndpointGroup]:
    """Endpoints for operators (10 A)."""
    if config.prometheus.enabled:
        page = prometheus_endpoint(operations.all_metrics)
        yield EndpointGroup("prometheus", {handler_path(config.prometheus.handler_prefix): page}, external=False)
    if config.swagger.enabled:
        yield EndpointGroup("swagger", _swagger(config), external=False)
    if config.debug.enabled:
        pages = DebugEndpoints(operations.worker).routes(handler_path(config.debug.handler_prefix))
        yield EndpointGroup("debug", pages, external=False)
    if config.health.enabled:
        path = handler_path(config.health.handler_prefix)
        ready = readiness_endpoint(operations.readiness)
        yield EndpointGroup("health", {path: health_endpoint, f"{path.rstrip('/')}/ready": ready}, external=False)


def _swagger(config: Config) -> dict[str, Endpoint]:
    """The Swagger UI. Raises `ConfigError` where the package does not contain it."""
    prefix = handler_path(config.swagger.handler_prefix).rstrip("/") + "/"
    try:
        return {prefix: swagger_endpoint(prefix, handler_path(config.http_api.handler_prefix), __version__)}
    except SwaggerMissing as error:
        raise ConfigError(f"swagger.enabled: {error}") from None


def _admin(
    config: Config, clients: ClientContext, console: ConsoleEndpoints, metrics: ServerMetrics
) -> Iterator[EndpointGroup]:
    """The admin endpoints, with different limits of bodies. Raises `ScriptsMissing`."""
    api = HttpApi(clients.node, key=None, metrics=metrics.api)
    routes = AdminRoutes(config.admin, api.legacy_endpoint(), console)
    external = config.admin.external
    yield EndpointGroup("admin", routes.api(), external=external, max_body=None)
    yield EndpointGroup("admin", routes.login(), external=external, max_body=MAX_FORM)
    yield EndpointGroup("admin", routes.small_requests(), external=external)


def _client_transports(config: Config, clients: ClientContext) -> Iterator[EndpointGroup]:
    """The endpoints of client transports."""
    allowed = _origin_predicate(config)
    connection_guard = ConnectionGuard(
        ConnectionLimits(clients, clients.now),
        allowed,
        config.client.user_id_http_header,
        clients.events.kept_headers.http,
        keeps_version=config.prometheus.expose_transport_accept_protocol,
    )
    if not config.websocket.disabled:
        websocket = WebSocketEndpoint(clients, config.websocket, allowed)
        path = handler_path(config.websocket.handler_prefix)
        yield EndpointGroup("websocket", {path: connection_guard.wrap(websocket)}, external=True)
    if config.webtransport.enabled:
        yield _webtransport(config, clients, connection_guard, allowed)
    yield from _emulated_transports(config, clients, connection_guard, allowed)
    yield from _unidirectional_transports(config, clients, connection_guard, allowed)
    if config.init.enabled:
        yield EndpointGroup(
            "init", {handler_path(config.init.handler_prefix): init_endpoint(connection_guard)}, external=True
        )


def _webtransport(
    config: Config, clients: ClientContext, connection_guard: ConnectionGuard, allowed: OriginPredicate
) -> EndpointGroup:
    """Imported only here, since it needs the HTTP/3 library, which is an extra."""
    from fanjet.transports.webtransport import WebTransportEndpoint  # noqa: PLC0415

    endpoint = WebTransportEndpoint(clients, config.webtransport, allowed)
    routes = {handler_path(config.webtransport.handler_prefix): connection_guard.wrap(endpoint)}
    return EndpointGroup("webtransport", routes, external=True)


def _emulated_transports(
    config: Config, clients: ClientContext, connection_guard: ConnectionGuard, allowed: OriginPredicate
) -> Iterator[EndpointGroup]:
    """Transports whose clients send commands by separate requests.

    Includes the endpoint of these requests.
    """
    transports = (
        ("http_stream", config.http_stream, HttpStreamEndpoint(clients)),
        ("sse", config.sse, SseEndpoint(clients)),
    )
    for name, section, endpoint in transports:
        if section.enabled:
            routes = {handler_path(section.handler_prefix): connection_guard.wrap(endpoint)}
            yield EndpointGroup(name, routes, external=True, max_body=max(section.max_request_body_size, 0))
    if config.http_stream.enabled or config.sse.enabled:
        emulation = EmulationEndpoint(clients.node.emulate, allowed)
        limit = max(config.emulation.max_request_body_size, 0)
        yield EndpointGroup(
            "emulation", {handler_path(config.emulation.handler_prefix): emulation}, external=True, max_body=limit
        )


def _unidirectional_transports(
    config: Config, clients: ClientContext, connection_guard: ConnectionGuard, allowed: OriginPredicate
) -> Iterator[EndpointGroup]:
    """Unidirectional transports."""
    websocket, sse, stream = config.uni_websocket, config.uni_sse, config.uni_http_stream
    transports = (
        ("uni_websocket", websocket, UniWebSocketEndpoint(clients, websocket, allowed), DEFAULT_MAX_BODY),
        ("uni_sse", sse, UniSseEndpoint(clients, sse), max(sse.max_request_body_size, 0)),
        ("uni_http_stream", stream, UniHttpStreamEndpoint(clients, stream), max(stream.max_request_body_size, 0)),
    )
    for name, section, endpoint, limit in transports:
        if section.enabled:
            routes = {handler_path(section.handler_prefix): connection_guard.wrap(endpoint)}
            yield EndpointGroup(name, routes, external=True, max_body=limit)


def _origin_predicate(config: Config) -> OriginPredicate:
    try:
        return origin_predicate(config.client.allowed_origins)
    except GlobError as error:
        raise ConfigError(f"client.allowed_origins: {error}") from None
