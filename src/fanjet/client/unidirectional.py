"""The session of a unidirectional client: it connects once, then only listens (02 §9.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fanjet.protocol.codes import (
    DISCONNECT_EXPIRED,
    DISCONNECT_INTERNAL,
    DISCONNECT_PERMISSION_DENIED,
    DISCONNECT_TOO_MANY_REQUESTS,
    ERROR_EXPIRED,
    ERROR_INTERNAL,
    ERROR_PERMISSION_DENIED,
    ERROR_TOKEN_EXPIRED,
    ERROR_TOO_MANY_REQUESTS,
)
from fanjet.protocol.messages import Command

from .client_id import new_client_id
from .frame_logging import trace_incoming
from .request_info import NO_REQUEST_INFO
from .session import Session

if TYPE_CHECKING:
    from fanjet.protocol.codes import Disconnect, Error
    from fanjet.protocol.messages import ConnectRequest

    from .context import ClientContext
    from .request_info import RequestInfo
    from .transport import Transport

_CONNECT_ID: Final = 1
"""Of the command that stands for the connect request. Nobody sees it."""

_DISCONNECTS: Final = {
    ERROR_TOKEN_EXPIRED.code: DISCONNECT_EXPIRED,
    ERROR_EXPIRED.code: DISCONNECT_EXPIRED,
    ERROR_TOO_MANY_REQUESTS.code: DISCONNECT_TOO_MANY_REQUESTS,
    ERROR_PERMISSION_DENIED.code: DISCONNECT_PERMISSION_DENIED,
}
"""What errors of a connect end the connection with, unless configured otherwise; all others: 3004."""


class UnidirectionalSession(Session):
    """A session whose transport's wire format has `UNIDIRECTIONAL_JSON` or `UNIDIRECTIONAL_PROTOBUF` for a codec.

    The transport calls `connect` once, and from then on what every transport calls. `on_bytes` is for commands that
    come through the emulation endpoint.
    """

    __slots__ = ("refused_with",)

    def __init__(
        self,
        context: ClientContext,
        transport: Transport,
        request_info: RequestInfo = NO_REQUEST_INFO,
        *,
        ping_interval: float | None = None,
    ) -> None:
        """`ping_interval` in seconds, that of the configuration unless given."""
        super().__init__(context, transport, request_info, session_id=new_client_id())
        self.ping_interval = context.settings.ping_interval if ping_interval is None else ping_interval
        self.pong_timeout = 0.0  # pings need no answer
        self.refused_with: Error | None = None
        """The error that the connect failed with, when the transport is told to end: the disconnect just stands for
        it."""

    def connect(self, request: ConnectRequest) -> None:
        """Connect. The first message is the connect push, or the connection ends with what stands for the failure."""
        if self._commands is not None:
            self._commands.run_command(Command(id=_CONNECT_ID, connect=request))

    def on_bytes(self, frame: bytes) -> None:
        """Commands from the emulation endpoint. Pongs, which idle clients do not send here, are nothing special."""
        if self._commands is not None:
            if self.context.traces_frames:
                trace_incoming(self.client_id, frame)
            self._commands.take(frame)

    def refuse(self, command_id: int, error: Error) -> None:
        """End the connection: there is no reply that could tell the error."""
        self.refused_with = error
        self.disconnect(self._disconnect_for(error))

    def _disconnect_for(self, error: Error) -> Disconnect:
        if error is ERROR_INTERNAL:  # what failed here; a backend may answer with this code, which can be configured
            return DISCONNECT_INTERNAL
        configured = self.context.settings.unidirectional_disconnects
        return configured.get(error.code) or _DISCONNECTS.get(error.code, DISCONNECT_INTERNAL)
