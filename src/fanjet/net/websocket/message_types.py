"""WebSockets that distinguish text and binary messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .connection import WebSocketConnection
from .frames import BINARY, CLOSE, TEXT

if TYPE_CHECKING:
    from ..timing_wheel import TimingWheel
    from .reader import ReadLimits

_OPCODE = 0x0F
_INVALID_DATA = 1007
_NO_STATUS = 1005
_ABNORMAL = 1006


class TypedWebSocket(WebSocketConnection):
    """A WebSocket with separate callbacks. Override `on_text` and `on_binary`."""

    __slots__ = ("_is_text", "close_code_of_peer")

    close_code_of_peer: int
    """1005 for a close frame without one, 1006 when the connection ends without a frame (RFC 6455 section 7.1.5)."""

    def __init__(self, wheel: TimingWheel, limits: ReadLimits, *, inflate: bool = False) -> None:
        super().__init__(wheel, limits, inflate=inflate)
        self.close_code_of_peer = _ABNORMAL

    def on_text(self, text: str) -> None:
        """A text message was received; see `on_message`."""

    def on_binary(self, data: bytes) -> None:
        """A binary message was received; see `on_message`."""

    def on_message(self, payload: bytes) -> None:
        """Dispatch by type.

        Invalid UTF-8 in text closes the connection (RFC 6455 section 8.1).
        """
        if not self._is_text:
            self.on_binary(payload)
            return
        try:
            text = payload.decode()
        except UnicodeDecodeError:
            self.close(_INVALID_DATA, "")
            return
        self.on_text(text)

    def data_received(self, data: bytes) -> None:
        """Record the type of a message that bypasses the reader."""
        if self._reader is None:
            self._is_text = data[0] & _OPCODE == TEXT
        super().data_received(data)

    def _handle(self, opcode: int, payload: bytes) -> None:
        if opcode == CLOSE:
            self.close_code_of_peer = int.from_bytes(payload[:2], "big") if len(payload) >= 2 else _NO_STATUS
        elif opcode <= BINARY:
            self._is_text = opcode == TEXT
        super()._handle(opcode, payload)
