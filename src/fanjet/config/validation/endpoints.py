"""Listeners and the paths served on them (04 §6.1, rules 1 and 2, and §6.6)."""

from collections.abc import Iterator
from dataclasses import dataclass

from fanjet.config.tree.root import Config
from fanjet.config.validation.problem import Problems


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A served path: the key that sets it, and its listener."""

    key: str
    prefix: str
    external: bool

    @property
    def path(self) -> str:
        """The prefix as the router uses it."""
        return self.prefix.rstrip("/") or "/"


def h2c(config: Config) -> Problems:
    """HTTP/2 without TLS needs a listener of its own."""
    http = config.http_server
    if http.h2c_external and http.internal_port in ("", str(http.port)):
        yield "external_h2c requires custom separate internal_port to be configured"
    if http.h2c_external and http.tls.enabled:
        yield "external_h2c cannot be used together with enabled TLS for external HTTP server"


def handler_prefixes(config: Config) -> Problems:
    """Prefixes of served endpoints start with a slash; an empty one is the root."""
    for endpoint in served_endpoints(config):
        if endpoint.prefix and not endpoint.prefix.startswith("/"):
            yield f'{endpoint.key}: "{endpoint.prefix}" must start with /'


def distinct_paths(config: Config) -> Problems:
    """No two endpoints have the same path on one listener."""
    taken: dict[tuple[bool, str], str] = {}
    shared = has_one_listener(config)
    for endpoint in served_endpoints(config):
        place = (endpoint.external or shared, endpoint.path)
        if place in taken:
            yield f'{endpoint.key}: path "{endpoint.path}" is already used by {taken[place]}'
        taken.setdefault(place, endpoint.key)


def has_one_listener(config: Config) -> bool:
    """Whether internal endpoints are served on the external address (04 §9.1)."""
    http = config.http_server
    same_port = http.internal_port in ("", str(http.port))
    return same_port and http.internal_address in ("", http.address)


def served_endpoints(config: Config) -> Iterator[Endpoint]:
    """Yield what is served, external endpoints first."""
    for name, enabled in _client_endpoints(config):
        if enabled:
            yield Endpoint(f"{name}.handler_prefix", getattr(config, name).handler_prefix, external=True)
    if not config.http_api.disabled:
        yield Endpoint("http_api.handler_prefix", config.http_api.handler_prefix, config.http_api.external)
    if config.admin.enabled:
        yield Endpoint("admin.handler_prefix", config.admin.handler_prefix, config.admin.external)
    for name in ("prometheus", "health", "swagger", "debug"):
        section = getattr(config, name)
        if section.enabled:
            yield Endpoint(f"{name}.handler_prefix", section.handler_prefix, external=False)


def _client_endpoints(config: Config) -> Iterator[tuple[str, bool]]:
    yield "websocket", not config.websocket.disabled
    for name in ("webtransport", "http_stream", "sse", "uni_websocket", "uni_sse", "uni_http_stream", "init"):
        yield name, getattr(config, name).enabled
    yield "emulation", config.sse.enabled or config.http_stream.enabled
