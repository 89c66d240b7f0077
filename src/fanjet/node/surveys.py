"""Surveys of the contract between nodes, for the API and transports (07 §14.6)."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from fanjet.net.glob import compile_glob
from fanjet.protocol.codec import MalformedFrame

if TYPE_CHECKING:
    from .connections import Connections
    from .hub import Hub

CHANNELS: Final = "channels"
EMULATION: Final = "centrifuge_emulation"

SUCCESS: Final = 0


class ChannelsError(IntEnum):
    """Why a node did not return its channels."""

    INTERNAL = 1
    BAD_REQUEST = 2
    UNKNOWN_OPERATION = 3


class EmulationError(IntEnum):
    """Why a node did not run the commands of a request."""

    BAD_REQUEST = 1
    NO_SUCH_SESSION = 2


class SurveyResult(Struct, frozen=True):
    """One node's result; code 0 is success."""

    code: int
    data: bytes = b""


class SurveyResponder:
    """Answers surveys for this node."""

    def __init__(self, connections: Connections, hub: Hub) -> None:
        self._connections = connections
        self._hub = hub

    def channels(self, pattern: str) -> dict[str, int]:
        """Channels that match a glob (empty: all) with their number of subscriptions.

        Raises `GlobError`.
        """
        matches = compile_glob(pattern) if pattern else None
        return {
            channel.name: channel.count
            for channel in self._hub.active_channels()
            if matches is None or matches(channel.name)
        }

    async def emulate(self, session_id: str, data: bytes) -> int:
        """Run commands on the connection with this session id, and wait for them.

        See 02 §7.4. Returns 0, or an `EmulationError`.
        """
        session = self._connections.of_session(session_id)
        if session is None:
            return EmulationError.NO_SUCH_SESSION
        try:
            await session.run_commands(data)
        except MalformedFrame:
            return EmulationError.BAD_REQUEST
        return SUCCESS
