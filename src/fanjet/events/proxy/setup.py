"""Creation of the proxies that the configuration references (06 §1.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeVar
from urllib.parse import urlsplit

from fanjet.config import ConfigError
from fanjet.telemetry.logging import get_logger

from . import event_kinds
from .calls import EventProxy
from .responses import Response
from .unknown_replies import UnknownReplyReporter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fanjet.config import Config
    from fanjet.config.tree.channel import ChannelOptions
    from fanjet.config.tree.proxy import Proxy
    from fanjet.events.unknown_replies import UnknownReplies

    from .backend import Backend
    from .event_kinds import EventKind
    from .grpc_stream import StreamOpener
    from .observer import ObserverFactory

log = get_logger(__name__)

R = TypeVar("R", bound=Response)

DEFAULT = "default"
"""The name of the proxy that is configured with its event."""
_HTTP = ("http://", "https://")
_REFRESH_EVENTS = (event_kinds.REFRESH.name, event_kinds.SUB_REFRESH.name)
"""Events for which every mapped HTTP status is a refusal (06 P6)."""


class ProxyReference(NamedTuple):
    """A proxy referenced by some options, with its event type and name."""

    event_type: str
    name: str
    config: Proxy


def referenced_proxies(config: Config) -> Iterator[ProxyReference]:
    """Iterate over referenced proxies, each event type and name once."""
    known: set[tuple[str, str]] = set()
    for reference in _all_references(config):
        if (reference.event_type, reference.name) not in known:
            known.add((reference.event_type, reference.name))
            yield reference


def _all_references(config: Config) -> Iterator[ProxyReference]:
    if config.client.proxy.connect.enabled:
        yield ProxyReference(event_kinds.CONNECT.name, DEFAULT, config.client.proxy.connect)
    if config.client.proxy.refresh.enabled:
        yield ProxyReference(event_kinds.REFRESH.name, DEFAULT, config.client.proxy.refresh)
    named = {proxy.name: proxy for proxy in config.proxies}
    for options in (config.channel.without_namespace, *config.channel.namespaces):
        for event_type, name, default in _channel_references(options, config):
            yield ProxyReference(event_type, name, default if name == DEFAULT else named[name])
    for methods in (config.rpc.without_namespace, *config.rpc.namespaces):
        if methods.proxy_enabled:
            name = methods.proxy_name
            yield ProxyReference(event_kinds.RPC.name, name, config.rpc.proxy if name == DEFAULT else named[name])


def _channel_references(options: ChannelOptions, config: Config) -> Iterator[tuple[str, str, Proxy]]:
    """Iterate over event types, proxy names, and what `default` stands for."""
    defaults = config.channel.proxy
    if options.subscribe_proxy_enabled:
        yield event_kinds.SUBSCRIBE.name, options.subscribe_proxy_name, defaults.subscribe
    if options.publish_proxy_enabled:
        yield event_kinds.PUBLISH.name, options.publish_proxy_name, defaults.publish
    if options.sub_refresh_proxy_enabled:
        yield event_kinds.SUB_REFRESH.name, options.sub_refresh_proxy_name, defaults.sub_refresh
    if options.subscribe_stream_proxy_enabled:
        yield event_kinds.SUBSCRIBE_STREAM, options.subscribe_stream_proxy_name, defaults.subscribe_stream


def make_event_proxy(
    kind: EventKind[R], reference: ProxyReference, observe: ObserverFactory, unknown_replies: UnknownReplies
) -> EventProxy[R]:
    """Create a referenced proxy. Raises `ConfigError` and `TLSError`."""
    config = reference.config
    backend: Backend[R]
    if config.endpoint.startswith(_HTTP):
        from .http_backend import HttpBackend  # noqa: PLC0415 (client libraries are loaded only if used)

        observer = observe(HttpBackend.protocol, reference.event_type, reference.name)
        endpoint = without_credentials(config.endpoint)
        report = UnknownReplyReporter(reference.event_type, reference.name, endpoint, observer, unknown_replies)
        backend = HttpBackend(config, kind.response, report)
    else:
        _require_grpc(reference)
        from .grpc_backend import GrpcBackend  # noqa: PLC0415

        observer = observe(GrpcBackend.protocol, reference.event_type, reference.name)
        backend = GrpcBackend(kind, config)
    _log_enabled(reference)
    return EventProxy(kind, config, backend, observer)


def make_stream_opener(reference: ProxyReference, observe: ObserverFactory) -> StreamOpener:
    """Create a proxy for subscription streams. Raises `ConfigError` and `TLSError`."""
    _require_grpc(reference)
    from .grpc_stream import StreamOpener  # noqa: PLC0415

    _log_enabled(reference)
    return StreamOpener(reference.config, observe("grpc", reference.event_type, reference.name))


def _require_grpc(reference: ProxyReference) -> None:
    """Raise `ConfigError` if the gRPC library is not installed."""
    try:
        import grpc  # noqa: PLC0415, F401
    except ImportError:
        raise ConfigError(
            f"{reference.event_type} proxy {reference.name}: gRPC backends need the extra: pip install 'fanjet[grpc]'"
        ) from None


def _log_enabled(reference: ProxyReference) -> None:
    log.info(
        f"{reference.event_type} proxy enabled",
        proxy_name=reference.name,
        endpoint=without_credentials(reference.config.endpoint),
    )
    if reference.event_type in _REFRESH_EVENTS and reference.config.http.status_to_code_transforms:
        log.warn(
            "status_to_code_transforms end what a backend that fails would otherwise leave for a minute",
            event=reference.event_type,
            proxy_name=reference.name,
        )


def without_credentials(endpoint: str) -> str:
    """Mask the credentials of an endpoint, for the log."""
    host = urlsplit(endpoint).netloc
    return endpoint.replace(host, f"xxxxx@{host.rpartition('@')[2]}", 1) if "@" in host else endpoint
