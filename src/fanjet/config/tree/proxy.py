"""Proxy objects (04 §5.14)."""

from fanjet.config.tree.base import Duration, Section, StringMap, Uint32, option
from fanjet.config.tree.tls import Tls


class TransformedError(Section):
    """The error a backend status becomes."""

    code: Uint32 = option(0, "error code")
    message: str = option("", "error message, ASCII, ≤ 123 bytes")
    temporary: bool = option(False, "temporary flag")


class TransformedDisconnect(Section):
    """The disconnect a backend status becomes."""

    code: Uint32 = option(0, "disconnect code")
    reason: str = option("", "disconnect reason, ASCII")


class StatusTransform(Section):
    """What one HTTP status of the backend means."""

    status_code: int = option(0, "backend HTTP status to match; required")
    to_error: TransformedError = TransformedError()
    to_disconnect: TransformedDisconnect = TransformedDisconnect()


class ProxyHttp(Section):
    """Settings of a proxy that speaks HTTP."""

    tls: Tls = Tls()
    static_headers: StringMap = option({}, "constant request headers, lowest priority")
    status_to_code_transforms: tuple[StatusTransform, ...] = option(
        (), "list of {status_code, to_error, to_disconnect}"
    )


class ProxyGrpc(Section):
    """Settings of a proxy that speaks gRPC."""

    tls: Tls = Tls()
    credentials_key: str = option("", "per-RPC credential metadata key")
    credentials_value: str = option("", "value of the per-RPC credential")
    compression: bool = option(False, "gzip outgoing calls")
    static_metadata: StringMap = option({}, "constant metadata, lowest priority")


class Proxy(Section):
    """How a kind of event reaches the application backend."""

    endpoint: str = option("", "http://…/https://… = HTTP proxy; anything else (grpc://host:port or host:port) = gRPC")
    timeout: Duration = option(1.0, "per-call timeout")
    http_headers: tuple[str, ...] = option(
        (), "transport header names forwarded (case-insensitive); sent as gRPC metadata when the proxy is gRPC"
    )
    grpc_metadata: tuple[str, ...] = option(
        (), "metadata keys of a gRPC transport forwarded; sent as HTTP headers when the proxy is HTTP"
    )
    emulated_headers: tuple[str, ...] = option(
        (), "names taken from the client-supplied header map of the connect frame (untrusted)"
    )
    binary_encoding: bool = option(False, "exchange payloads as base64 (b64data)")
    include_connection_meta: bool = option(False, "send connection meta")
    http: ProxyHttp = ProxyHttp()
    grpc: ProxyGrpc = ProxyGrpc()


class SwitchableProxy(Proxy):
    """A proxy with its own switch."""

    enabled: bool = option(False, "call the backend on connect (used only for connects without a token)")


class NamedProxy(Proxy):
    """A proxy that namespaces refer to by name."""

    name: str = option("", "unique, ^[-a-zA-Z0-9_.]{2,}$, not default")
