"""Options of WebSocket connections from the configuration (02 §6.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from fanjet.net.websocket.reader import ReadLimits
from fanjet.telemetry.logging import get_logger

if TYPE_CHECKING:
    from fanjet.config.tree.bidirectional import Websocket
    from fanjet.config.tree.unidirectional import UniWebsocket
    from fanjet.protocol.wire import WireFormat

log = get_logger(__name__)

INFLATED_LIMIT_FACTOR = 10
DEFLATE_LEVELS = range(-2, 10)


class WebSocketOptions(NamedTuple):
    """Negotiated options, shared by all connections with the same ones."""

    wire: WireFormat
    limits: ReadLimits
    inflate: bool
    write_timeout: float
    native_pings: bool


def read_limits(config: Websocket | UniWebsocket) -> ReadLimits:
    """Size limits of messages.

    Negative is unlimited; decompressed messages may be ten times as long unless configured.
    """
    message = config.message_size_limit if config.message_size_limit > 0 else None
    inflated: int | None = config.decompressed_message_size_limit
    if inflated == 0:
        inflated = None if message is None else message * INFLATED_LIMIT_FACTOR
    elif inflated is not None and inflated < 0:
        inflated = None
    return ReadLimits(message, inflated)


def deflate_settings(config: Websocket | UniWebsocket) -> tuple[int, int] | None:
    """Compression level and minimal size of compressed messages.

    None without compression.
    """
    if not config.compression:
        return None
    level = config.compression_level
    if level not in DEFLATE_LEVELS:
        log.error("invalid compression level, using 1", level=level)
        level = 1
    return level, config.compression_min_size
