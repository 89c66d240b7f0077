"""Keys that neither Centrifugo nor its paid edition has, under one object so that they never collide (04 §14)."""

from fanjet.config.tree.base import Duration, Pem, Section, option


class ConsumerLimit(Section):
    """After how many attempts a consumer gives a message up, and where it goes then."""

    name: str = option("", "name of the consumer")
    max_attempts: int = option(0, "attempts after which a message is given up; 0 = none is ever given up")
    dead_letter: str = option("", "where a message that was given up goes; empty = it is dropped")


class Fanjet(Section):
    """Fanjet's own settings. Their environment variables leave the object name out: `FANJET_WORKERS`."""

    workers: int = option(
        1,
        "worker processes, each a node of its own: limits counted per node count per worker",
    )
    worker_timeout: Duration = option(
        30.0,
        "time after which a worker, or their engine, that gives no sign of life is killed and replaced; 0 = never. "
        "The first sign has at least 2m",
    )
    drain_time: Duration = option(
        0.0,
        "time over which a shutdown spreads the disconnects of clients; 0 = all at once. Below shutdown.timeout",
    )
    metrics_namespace: str = option("centrifugo", "prefix of all metric names")
    http_unix_socket: str = option("", "path of a Unix socket that serves the external endpoints; empty = none")
    http_unix_socket_mode: str = option("0660", "permissions of that socket's file, octal")
    acme_directory_url: str = option(
        "https://acme-v02.api.letsencrypt.org/directory",
        "directory of the ACME authority that http_server.tls_autocert gets certificates from",
    )
    acme_ca_pem: Pem = option("", "CA bundle to trust that authority's own server by; empty = the system's")
    opentelemetry_proxies: bool = option(
        False, "trace calls to backends, and pass the trace context on to them; needs opentelemetry.enabled"
    )
    websocket_http2: bool = option(False, "WebSocket over HTTP/2 (extended CONNECT)")
    http_api_max_body_size: int = option(
        0, "largest body of an HTTP API request, bytes; 0 = unlimited, else 413 beyond"
    )
    consumer_limits: tuple[ConsumerLimit, ...] = option((), "attempt limits of consumers")
    postgres_operation_timeout: Duration = option(10.0, "bound of client and API operations on the PostgreSQL brokers")
