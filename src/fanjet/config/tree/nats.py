"""The connection to NATS that several sections embed (04 §5.5, §5.8)."""

from fanjet.config.tree.base import Duration, Section, option
from fanjet.config.tree.tls import Tls


class NatsConnection(Section):
    """How to reach NATS."""

    prefix: str = option("centrifugo", "prefix of all NATS subjects")
    url: str = option("nats://localhost:4222", "server URL(s)")
    dial_timeout: Duration = option(1.0, "connect timeout")
    write_timeout: Duration = option(1.0, "write/flush timeout")
    tls: Tls = Tls()
