"""TLS settings of a listener or of a connection to another server (04 §2.5)."""

from fanjet.config.tree.base import Pem, Section, option


class Tls(Section):
    """One TLS endpoint, server or client side."""

    enabled: bool = option(False, "master switch; when false the whole object is ignored")
    cert_pem: Pem = option(
        "", "certificate (chain). Loaded only when key_pem is set as well; one without the other is silently ignored"
    )
    key_pem: Pem = option("", "private key for cert_pem")
    server_ca_pem: Pem = option("", "client side: CA bundle replacing the system roots when verifying the peer server")
    client_ca_pem: Pem = option(
        "", "server side: CA bundle for client certificates; when set, a valid one is mandatory (mutual TLS)"
    )
    insecure_skip_verify: bool = option(False, "client side: do not verify server chain and host name (INSECURE)")
    server_name: str = option("", "client side: name sent as SNI and verified against the server certificate")
