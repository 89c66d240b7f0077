"""The session of a unidirectional client.

Such a client connects once and then only receives (02 §9.1).
"""

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
"""Id of the command made from the connect request. It is never sent."""

_DISCONNECTS: Final = {
    ERROR_TOKEN_EXPIRED.code: DISCONNECT_EXPIRED,
    ERROR_EXPIRED.code: DISCONNECT_EXPIRED,
    ERROR_TOO_MANY_REQUESTS.code: DISCONNECT_TOO_MANY_REQUESTS,
    ERROR_PERMISSION_DENIED.code: DISCONNECT_PERMISSION_DENIED,
}
"""Disconnects for errors of a connect, unless configured otherwise; 3004 for all others."""


class UnidirectionalSession(Session):
    """A session whose codec is `UNIDIRECTIONAL_JSON` or `UNIDIRECTIONAL_PROTOBUF`.

    The transport calls `connect` once, and then the same callbacks as every transport. `on_bytes` receives commands
    from the emulation endpoint.
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
        """`ping_interval` in seconds, by default the configured one."""
        super().__init__(context, transport, request_info, session_id=new_client_id())
        self.ping_interval = context.settings.ping_interval if ping_interval is None else ping_interval
        self.pong_timeout = 0.0  # pings need no answer
        self.refused_with: Error | None = None
        """The error of a failed connect, set before the transport is ended with the corresponding disconnect."""

    def connect(self, request: ConnectRequest) -> None:
        """Connect.

        The first message is the connect push; after a failure the connection ends with a disconnect.
        """
        if self._commands is not None:
            self._commands.run_command(Command(id=_CONNECT_ID, connect=request))

    def on_bytes(self, frame: bytes) -> None:
        """Handle commands from the emulation endpoint.

        Pongs are not expected there and have no fast path.
        """
        if self._commands is not None:
            if self.context.traces_frames:
                trace_incoming(self.client_id, frame)
            self._commands.take(frame)

    def refuse(self, command_id: int, error: Error) -> None:
        """End the connection: there is no reply to carry the error."""
        self.refused_with = error
        self.disconnect(self._disconnect_for(error))

    def _disconnect_for(self, error: Error) -> Disconnect:
        if error is ERROR_INTERNAL:  # an internal failure; an error of a backend with this code can be configured
            return DISCONNECT_INTERNAL
        configured = self.context.settings.unidirectional_disconnects
        return configured.get(error.code) or _DISCONNECTS.get(error.code, DISCONNECT_INTERNAL)
