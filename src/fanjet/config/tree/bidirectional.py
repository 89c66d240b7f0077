"""Bidirectional client transports (04 §5.17)."""

from fanjet.config.tree.base import Duration, Section, option


class Websocket(Section):
    """The WebSocket endpoint."""

    disabled: bool = option(False, "turn the default endpoint off")
    handler_prefix: str = option("/connection/websocket", "URL path")
    compression: bool = option(False, "negotiate permessage-deflate")
    compression_min_size: int = option(0, "messages up to this size are sent uncompressed")
    compression_level: int = option(1, "flate level")
    read_buffer_size: int = option(0, "bytes, 0 = reuse the HTTP server buffer")
    use_write_buffer_pool: bool = option(False, "pool write buffers")
    write_buffer_size: int = option(0, "bytes, 0 = default")
    write_timeout: Duration = option(1.0, "per-write timeout")
    message_size_limit: int = option(65536, "maximum incoming message, bytes (compressed size)")
    decompressed_message_size_limit: int = option(
        0, "maximum incoming size after inflating; 0 → 10 × message_size_limit"
    )


class Sse(Section):
    """The SSE endpoint."""

    enabled: bool = option(False, "turn the endpoint on")
    handler_prefix: str = option("/connection/sse", "URL path")
    max_request_body_size: int = option(65536, "maximum body of the connecting POST, bytes")


class HttpStream(Section):
    """The HTTP streaming endpoint."""

    enabled: bool = option(False, "turn the endpoint on")
    handler_prefix: str = option("/connection/http_stream", "URL path")
    max_request_body_size: int = option(65536, "maximum body of the connecting POST, bytes")


class Webtransport(Section):
    """The WebTransport endpoint."""

    enabled: bool = option(False, "turn the endpoint on; needs http_server.http3.enabled")
    handler_prefix: str = option("/connection/webtransport", "URL path")
    message_size_limit: int = option(65536, "maximum incoming message, bytes")


class Emulation(Section):
    """Client-to-server direction of SSE and HTTP streaming."""

    handler_prefix: str = option(
        "/emulation", "URL path of the client-to-server emulation POST; enabled with sse or http_stream"
    )
    max_request_body_size: int = option(65536, "maximum body of an emulation request, bytes")


class Init(Section):
    """The init endpoint."""

    enabled: bool = option(False, "enable GET init endpoint on the external listener")
    handler_prefix: str = option("/connection/init", "URL path")
