"""The HTTP listeners (04 §5.1)."""

from fanjet.config.tree.base import Section, option
from fanjet.config.tree.tls import Tls


class TlsAutocert(Section):
    """Certificates by ACME."""

    enabled: bool = option(
        False, "use ACME certificates (accepting the CA terms); takes precedence over http_server.tls"
    )
    host_whitelist: tuple[str, ...] = option((), "hosts a certificate may be requested for; empty = any host")
    cache_dir: str = option("", "directory for issued certificates; empty = memory only (re-issued at every restart)")
    email: str = option("", "ACME account contact")
    server_name: str = option("", "SNI assumed when a client hello carries none")
    http: bool = option(
        False, "additionally answer http-01 challenges on a plain HTTP listener (tls-alpn-01 is always offered)"
    )
    http_addr: str = option(":80", "listen address of that challenge server")


class Http3(Section):
    """HTTP/3 next to HTTP/1.1 and HTTP/2."""

    enabled: bool = option(
        False,
        "HTTP/3 (QUIC) next to HTTP/1.1+2 on the external address; needs tls, impossible with autocert. Experimental",
    )


class HttpServer(Section):
    """External and internal HTTP listener."""

    address: str = option("", "host/interface of the external listener; empty = all interfaces")
    port: int = option(8000, "port of the external listener")
    internal_address: str = option("", "host of the internal listener; empty = same as address")
    internal_port: str = option(
        "", "port of the internal listener (string or number); empty = same as port: one listener for everything"
    )
    tls: Tls = Tls()
    tls_autocert: TlsAutocert = TlsAutocert()
    tls_external: bool = option(False, "apply tls/tls_autocert to the external listener only")
    internal_tls: Tls = Tls()
    http3: Http3 = Http3()
    h2c_external: bool = option(
        False, "HTTP/2 cleartext on the external listener; needs a separate internal port and no TLS"
    )
