"""Unidirectional client transports (04 §5.18)."""

from fanjet.config.tree.base import Duration, Section, Uint32, option
from fanjet.config.tree.tls import Tls


class HttpResponseTarget(Section):
    """The HTTP response a connect error becomes."""

    status_code: int = option(0, "HTTP status to answer; required")
    body: str = option("", "response body")


class HttpResponseTransform(Section):
    """What one connect error becomes."""

    code: Uint32 = option(0, "connect error code to match; required")
    to: HttpResponseTarget = HttpResponseTarget()


class ConnectCodeToHttpResponse(Section):
    """Connect errors as HTTP responses."""

    enabled: bool = option(False, "apply the transforms")
    transforms: tuple[HttpResponseTransform, ...] = option((), "list of {code, to: {status_code, body}}")


class UniWebsocket(Section):
    """The unidirectional WebSocket endpoint."""

    enabled: bool = option(False, "turn the endpoint on")
    handler_prefix: str = option("/connection/uni_websocket", "URL path")
    compression: bool = option(False, "negotiate permessage-deflate")
    compression_min_size: int = option(0, "messages up to this size are sent uncompressed")
    compression_level: int = option(1, "flate level")
    read_buffer_size: int = option(0, "bytes, 0 = reuse the HTTP server buffer")
    use_write_buffer_pool: bool = option(False, "pool write buffers")
    write_buffer_size: int = option(0, "bytes, 0 = default")
    write_timeout: Duration = option(1.0, "per-write timeout")
    message_size_limit: int = option(65536, "maximum incoming message, bytes (compressed size)")
    decompressed_message_size_limit: int = option(
        0, "maximum incoming size after inflating; 0 → 10 × message_size_limit; negative = none"
    )
    disable_closing_handshake: bool = option(False, "do not send a close frame on server-initiated close")
    disable_disconnect_push: bool = option(False, "do not send a disconnect push before closing")
    join_push_messages: bool = option(False, "several pushes in one frame, newline-joined")


class UniSse(Section):
    """The unidirectional SSE endpoint."""

    enabled: bool = option(False, "turn the endpoint on")
    handler_prefix: str = option("/connection/uni_sse", "URL path")
    max_request_body_size: int = option(65536, "maximum body of the connecting POST, bytes")
    connect_code_to_http_response: ConnectCodeToHttpResponse = ConnectCodeToHttpResponse()


class UniHttpStream(Section):
    """The unidirectional HTTP streaming endpoint."""

    enabled: bool = option(False, "turn the endpoint on")
    handler_prefix: str = option("/connection/uni_http_stream", "URL path")
    max_request_body_size: int = option(65536, "maximum body of the connecting POST, bytes")
    connect_code_to_http_response: ConnectCodeToHttpResponse = ConnectCodeToHttpResponse()


class UniGrpc(Section):
    """The unidirectional gRPC server."""

    enabled: bool = option(False, "run the unidirectional gRPC server")
    address: str = option("", "listen host; empty = all")
    port: int = option(11000, "listen port")
    max_receive_message_size: int = option(0, "bytes; 0 = gRPC default")
    tls: Tls = Tls()
