"""The gRPC listeners: server API and unidirectional client transport.

Each has its own address (02 §2.3). Their dependencies are imported only where they are enabled: importing HTTP/2 and
Protobuf takes 50 ms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanjet.net.binding import join_address
from fanjet.net.listener import Listener
from fanjet.net.tls import server_context
from fanjet.telemetry.logging import get_logger

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable

    from fanjet.client.context import ClientContext
    from fanjet.config import Config
    from fanjet.config.tree.api import GrpcApi as ApiSection
    from fanjet.config.tree.tls import Tls
    from fanjet.config.tree.unidirectional import UniGrpc as UniSection
    from fanjet.net.grpc.server import Service
    from fanjet.net.http2.keepalive import ConnectionTimeouts
    from fanjet.net.http2.server import Http2Server
    from fanjet.net.socket_provider import SocketProvider
    from fanjet.net.timing_wheel import TimingWheel
    from fanjet.server.operations import Operations

log = get_logger(__name__)

MAX_STREAMS = 100_000
"""Limit of open calls of a connection. The contract has none; a proxy may forward the calls of many clients."""


class GrpcListeners:
    """The enabled gRPC listeners."""

    def __init__(
        self,
        config: Config,
        clients: ClientContext,
        wheel: TimingWheel,
        operations: Operations,
        addresses: SocketProvider,
    ) -> None:
        """Get sockets. Raises `TLSError` and `BindError`."""
        self._listeners: list[Listener] = []
        if config.grpc_api.enabled:
            self._listeners.append(_api(config.grpc_api, clients, wheel, operations, addresses))
        if config.uni_grpc.enabled:
            self._listeners.append(_uni(config.uni_grpc, clients, wheel, addresses))

    async def start(self) -> None:
        """Accept connections."""
        for listener in self._listeners:
            await listener.start()

    def close(self) -> None:
        """Stop accepting connections."""
        for listener in self._listeners:
            listener.close()

    async def stop(self) -> None:
        """Wait for running calls."""
        for listener in self._listeners:
            await listener.stop()


def _api(
    section: ApiSection, clients: ClientContext, wheel: TimingWheel, operations: Operations, addresses: SocketProvider
) -> Listener:
    from fanjet.api.grpc import GrpcApi  # noqa: PLC0415
    from fanjet.net.http2.keepalive import NEVER, ConnectionTimeouts  # noqa: PLC0415

    api = GrpcApi(
        clients.node,
        key=section.key,
        transport_errors=section.error_mode == "transport",
        metrics=operations.metrics.api,
        traces=operations.traces,
    )
    services = [api.service()]
    if section.reflection:
        from fanjet.net.grpc.reflection import reflection_services  # noqa: PLC0415

        services += reflection_services(services, api.authorize)
    # The defaults of gRPC servers.
    timeouts = ConnectionTimeouts(idle=NEVER, keepalive=7200.0, keepalive_timeout=20.0, ping_interval=300.0)
    listener = _listen(section, "grpc_api", _server(section, services, wheel, timeouts), addresses)
    log.info(f"serving GRPC API service on {join_address(section.address, section.port)}")
    return listener


def _uni(section: UniSection, clients: ClientContext, wheel: TimingWheel, addresses: SocketProvider) -> Listener:
    from fanjet.net.http2.keepalive import NEVER, ConnectionTimeouts  # noqa: PLC0415
    from fanjet.transports.uni_grpc import UniGrpc  # noqa: PLC0415

    service = UniGrpc(clients).service()
    timeouts = ConnectionTimeouts(idle=NEVER, write=NEVER, keepalive=25.0, keepalive_timeout=5.0, ping_interval=5.0)
    listener = _listen(section, "uni_grpc", _server(section, [service], wheel, timeouts), addresses)
    log.info(f"serving unidirectional GRPC on {join_address(section.address, section.port)}")
    return listener


def _server(
    section: ApiSection | UniSection, services: Iterable[Service], wheel: TimingWheel, timeouts: ConnectionTimeouts
) -> Http2Server:
    from fanjet.net.grpc.framing import DEFAULT_MAX_MESSAGE  # noqa: PLC0415
    from fanjet.net.grpc.server import GrpcServer  # noqa: PLC0415
    from fanjet.net.http2.server import Http2Server  # noqa: PLC0415

    limit = section.max_receive_message_size
    server = GrpcServer(services, wheel, limit if limit > 0 else DEFAULT_MAX_MESSAGE)
    return Http2Server(server.accept, wheel, timeouts=timeouts, max_streams=MAX_STREAMS)


def _listen(section: ApiSection | UniSection, name: str, server: Http2Server, addresses: SocketProvider) -> Listener:
    tls = _tls_context(section.tls, name)
    return Listener(server, addresses.tcp(name, section.address, section.port).sockets, tls)


def _tls_context(tls: Tls, name: str) -> ssl.SSLContext | None:
    if not tls.enabled:
        return None
    context = server_context(tls, name)
    context.set_alpn_protocols(["h2"])
    return context
