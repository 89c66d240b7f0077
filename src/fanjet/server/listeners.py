"""The HTTP listeners: assigns endpoints to addresses (02 §2, §3.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fanjet.net.http_detection import MultiVersionServer
from fanjet.net.listener import Listener
from fanjet.net.router import DEFAULT_MAX_BODY, DuplicateRoute, Routes
from fanjet.net.tls import server_context
from fanjet.telemetry.logging import get_logger

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable, Mapping

    from fanjet.config import Config
    from fanjet.net.acme.certificates import Certificates
    from fanjet.net.asgi_app.app import AsgiApp
    from fanjet.net.asgi_host.fallback_app import FallbackApp
    from fanjet.net.http3.listener import Http3Listener
    from fanjet.net.http3.peer_processes import PeerProcesses
    from fanjet.net.router import Endpoint
    from fanjet.net.socket_provider import SocketProvider
    from fanjet.net.timing_wheel import TimingWheel
    from fanjet.net.tls_acceptor import Contexts

log = get_logger(__name__)

NAMES = (
    "websocket", "webtransport", "http_stream", "sse", "emulation", "api", "admin", "prometheus", "debug", "health",
    "uni_websocket", "uni_sse", "uni_http_stream", "swagger", "init",
)  # fmt: skip
"""The order in which the start-up log names endpoints (04 §8.2)."""


class ListenError(Exception):
    """The endpoints cannot be served as configured; the text contains the reason."""


@dataclass(frozen=True, slots=True)
class EndpointGroup:
    """Endpoints that belong together, with their name in the log (empty: not logged)."""

    name: str
    routes: Mapping[str, Endpoint]
    external: bool
    max_body: int | None = DEFAULT_MAX_BODY


class Listeners:
    """The HTTP listeners of the server.

    There is one, or an external and an internal one, and an optional Unix socket.
    """

    def __init__(
        self,
        config: Config,
        endpoint_groups: Iterable[EndpointGroup],
        wheel: TimingWheel,
        addresses: SocketProvider,
        fallback_app: FallbackApp | None = None,
        *,
        host: AsgiApp | None = None,
    ) -> None:
        """Get sockets for all addresses that have endpoints.

        `fallback_app` answers external requests that match no endpoint. `host`: an ASGI server that has the external
        address.

        Raises `ListenError`, `TLSError` and `BindError`.
        """
        self._wheel = wheel
        self._addresses = addresses
        self._fallback_app = fallback_app
        self._listeners: list[Listener | Http3Listener | AsgiApp] = []
        self._port = config.http_server.port
        self._certificates = self._autocert(config)
        http = config.http_server
        # Checked even where it has no effect, so that mistakes are found early.
        own = http.internal_tls
        self._internal_tls = server_context(own, "http_server.internal_tls") if own.enabled else None
        external = (http.address, http.port)
        internal = (http.internal_address or http.address, _internal_port(http.internal_port, http.port))
        by_address: dict[tuple[str, int], list[EndpointGroup]] = {external: [], internal: []}
        for group in endpoint_groups:
            by_address[external if group.external else internal].append(group)
        for address, groups in by_address.items():
            if host is not None and address == external:
                host.serve(_routes(groups, fallback_app), fallback_app)
                self._listeners.append(host)
                _log_endpoints(groups, "the address of the ASGI server", http3=False)
            elif groups or (fallback_app is not None and address == external):
                tls = self._contexts(config, separate_internal=address == internal != external)
                bound = addresses.tcp("external" if address == external else "internal", *address)
                _log_endpoints(groups, bound.where, http3=http.http3.enabled and address == external)
                self._listen(config, groups, bound.sockets, tls, external=address == external)
                if address == external:
                    self._port = bound.sockets[0].getsockname()[1]
        public = [group for group in by_address[external] if group.external]
        self._listen_on_unix_sockets(config, public)
        addresses.reject_unused()

    @property
    def port(self) -> int:
        """The port of the external listener; that of its socket if 0 is configured."""
        return self._port

    def _autocert(self, config: Config) -> Certificates | None:
        """Certificates by ACME; the libraries are imported only where it is enabled."""
        if not config.http_server.tls_autocert.enabled:
            return None
        from fanjet.server.autocert import challenge_listener, open_certificates  # noqa: PLC0415

        certificates = open_certificates(config)
        if config.http_server.tls_autocert.http:
            self._listeners.append(challenge_listener(config, certificates, self._wheel, self._addresses))
        return certificates

    def _contexts(self, config: Config, *, separate_internal: bool) -> Contexts | None:
        """The TLS settings of a listener (02 §3.2)."""
        http = config.http_server
        if separate_internal:
            if self._internal_tls is not None:
                return self._internal_tls
            if http.tls_external:
                return None
        if self._certificates is not None:
            return self._certificates
        return server_context(http.tls, "http_server.tls") if http.tls.enabled else None

    def _listen(
        self,
        config: Config,
        groups: list[EndpointGroup],
        sockets: list[socket.socket],
        tls: Contexts | None,
        *,
        external: bool,
    ) -> None:
        http = config.http_server
        http3 = http.http3.enabled and external
        routes = _routes(groups, self._fallback_app if external else None)
        front = MultiVersionServer(
            routes,
            self._wheel,
            tls=tls is not None,
            h2c=http.h2c_external and tls is None and external,
            websocket_http2=config.fanjet.websocket_http2,
            common_headers=_alt_svc_header(sockets) if http3 else (),
        )
        self._listeners.append(Listener(front, sockets, tls))
        if http3:
            udp = [self._addresses.udp(beside) for beside in sockets]
            self._listeners.append(_http3_listener(config, routes, self._wheel, udp, self._addresses.others))

    def _listen_on_unix_sockets(self, config: Config, groups: list[EndpointGroup]) -> None:
        """Clients of Unix sockets are on this machine, so TLS is not used."""
        own = config.fanjet
        bound = self._addresses.unix("external", own.http_unix_socket, int(own.http_unix_socket_mode, 8))
        if bound.sockets:
            _log_endpoints(groups, bound.where, http3=False)
            front = MultiVersionServer(
                _routes(groups, self._fallback_app),
                self._wheel,
                h2c=config.http_server.h2c_external,
                websocket_http2=config.fanjet.websocket_http2,
            )
            self._listeners.append(Listener(front, bound.sockets))

    async def start(self) -> None:
        """Accept connections."""
        for listener in self._listeners:
            await listener.start()

    def close(self) -> None:
        """Stop accepting connections."""
        for listener in self._listeners:
            listener.close()
        if self._certificates is not None:
            self._certificates.stop()
        self._addresses.remove_files()

    async def stop(self) -> None:
        """Wait for running requests."""
        for listener in self._listeners:
            await listener.stop()


def handler_path(prefix: str) -> str:
    """The path of an endpoint: its prefix without trailing slashes.

    An empty one is the root.
    """
    return prefix.rstrip("/") or "/"


def _internal_port(configured: str, default: int) -> int:
    if not configured:
        return default
    try:
        return int(configured)
    except ValueError:
        raise ListenError(f"http_server.internal_port: {configured!r} is not a port") from None


def _routes(groups: list[EndpointGroup], fallback_app: FallbackApp | None) -> Routes:
    routes = Routes()
    if fallback_app is not None:
        routes.add_fallback(fallback_app)
    for group in groups:
        for path, endpoint in group.routes.items():
            try:
                routes.add(path, endpoint, max_body=group.max_body)
            except DuplicateRoute:
                raise ListenError(f"two endpoints are configured at path {path}") from None
            except ValueError as error:
                raise ListenError(str(error)) from None
    return routes


def _log_endpoints(groups: list[EndpointGroup], where: str, *, http3: bool) -> None:
    names = sorted({group.name for group in groups if group.name}, key=NAMES.index)
    suffix = " with HTTP/3 (experimental)" if http3 else ""
    log.info(f"serving {', '.join(names)} endpoints on {where}{suffix}")


def _alt_svc_header(sockets: list[socket.socket]) -> tuple[tuple[bytes, bytes]]:
    """The header that lets clients use HTTP/3 for 30 days (02 §3.4)."""
    return ((b"Alt-Svc", b'h3=":%d"; ma=2592000' % sockets[0].getsockname()[1]),)


def _http3_listener(
    config: Config, routes: Routes, wheel: TimingWheel, udp: list[socket.socket], others: PeerProcesses | None
) -> Http3Listener:
    """Make the HTTP/3 listener.

    The HTTP/3 library is imported only here: it is an extra, and takes time and memory.
    """
    from fanjet.net.http3.certificate import quic_configuration  # noqa: PLC0415
    from fanjet.net.http3.listener import Http3Listener  # noqa: PLC0415
    from fanjet.net.http3.server import Http3Server  # noqa: PLC0415

    server = Http3Server(routes, wheel, webtransport=config.webtransport.enabled)
    return Http3Listener(server, quic_configuration(config.http_server.tls), udp, others)
