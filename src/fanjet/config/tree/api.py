"""The server API (04 §5.16)."""

from fanjet.config.tree.base import Section, option
from fanjet.config.tree.tls import Tls


class HttpApi(Section):
    """Server API over HTTP."""

    disabled: bool = option(False, "no HTTP API")
    handler_prefix: str = option("/api", "URL prefix")
    key: str = option("", "API key; empty without insecure → every call answers 401")
    error_mode: str = option("", "empty (errors inside 200 bodies) or transport; other value → start-up error")
    external: bool = option(False, "serve on the external listener")
    insecure: bool = option(False, "no API key needed (INSECURE)")


class GrpcApi(Section):
    """Server API over gRPC."""

    enabled: bool = option(False, "run the gRPC API server")
    error_mode: str = option("", "empty or transport")
    address: str = option("", "listen host; empty = all")
    port: int = option(10000, "listen port")
    key: str = option("", "required as metadata authorization: apikey <key>; empty = no authentication at all")
    tls: Tls = Tls()
    reflection: bool = option(False, "gRPC reflection service")
    max_receive_message_size: int = option(0, "bytes; 0 = gRPC default (4 MiB)")
