"""Limits and periods of sessions, derived from the configuration at start (04 §4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fanjet.protocol.codes import Disconnect

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fanjet.config import Config
    from fanjet.config.tree.client import ConnectCodeToDisconnect

LONGEST_LIFETIME = 365 * 24 * 3600
"""Seconds; a connection's expiry is capped to this from now (01 §1)."""
RETRY_SECONDS = 60
"""Seconds by which an expiry is extended when the application cannot be called (06 §4.4)."""
DEFAULT_STALE_DELAY = 15.0
DEFAULT_PRESENCE_INTERVAL = 25.0
DEFAULT_POSITION_DELAY = 40.0
DEFAULT_EXPIRED_DELAY = 25.0


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """Limits and periods of all sessions.

    Times in seconds; 0 means off, except where the name says otherwise.
    """

    version: str
    ping_interval: float
    pong_timeout: float
    stale_close_delay: float
    expired_close_delay: float
    expired_sub_close_delay: float
    presence_update_interval: float
    position_check_delay: float
    channel_limit: int
    queue_max_size: int
    user_connection_limit: int
    concurrency: int
    include_server_time: bool
    history_limit: int
    recovery_limit: int
    channel_max_length: int
    rpc_ping_method: str | None
    unidirectional_disconnects: Mapping[int, Disconnect]
    """Disconnects for errors of a unidirectional connect, where configured; by error code."""

    @classmethod
    def from_config(cls, config: Config, version: str) -> ClientSettings:
        """Read the configuration.

        Zeros left after loading are replaced by the core's defaults (04 §1.3).
        """
        client = config.client
        return cls(
            version=version,
            ping_interval=max(client.ping_interval, 0.0),
            pong_timeout=max(client.pong_timeout, 0.0),
            stale_close_delay=max(client.stale_close_delay or DEFAULT_STALE_DELAY, 0.0),
            expired_close_delay=client.expired_close_delay or DEFAULT_EXPIRED_DELAY,
            expired_sub_close_delay=client.expired_sub_close_delay or DEFAULT_EXPIRED_DELAY,
            presence_update_interval=client.presence_update_interval or DEFAULT_PRESENCE_INTERVAL,
            position_check_delay=max(client.channel_position_check_delay or DEFAULT_POSITION_DELAY, 0.0),
            channel_limit=max(client.channel_limit, 0),
            queue_max_size=max(client.queue_max_size, 0),
            user_connection_limit=client.user_connection_limit,
            concurrency=max(client.concurrency, 1),
            include_server_time=client.connect_include_server_time,
            history_limit=max(client.history_max_publication_limit, 0),
            recovery_limit=max(client.recovery_max_publication_limit, 0),
            channel_max_length=max(config.channel.max_length, 0),
            rpc_ping_method=config.rpc.ping.method if config.rpc.ping.enabled else None,
            unidirectional_disconnects=_disconnects(client.connect_code_to_unidirectional_disconnect),
        )


def _disconnects(configured: ConnectCodeToDisconnect) -> Mapping[int, Disconnect]:
    """The last of several entries for one code applies."""
    if not configured.enabled:
        return {}
    return {transform.code: Disconnect(transform.to.code, transform.to.reason) for transform in configured.transforms}
