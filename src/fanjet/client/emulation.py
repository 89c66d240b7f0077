"""Runs commands that arrive in separate requests (02 §7.4)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from fanjet.protocol.emulation import decode_emulation_data

from .command_queue import CommandQueue

if TYPE_CHECKING:
    from .command_queue import RunningCommand
    from .session_interface import SessionInterface


async def run_commands(session: SessionInterface, data: bytes) -> None:
    """Run the commands of one request in order; returns when all have run.

    Requests run concurrently with each other.

    Raises `MalformedFrame` for data without a frame. A malformed frame closes the connection.
    """
    commands = RequestCommands(session)
    commands.take(decode_emulation_data(session.transport.wire.codec, data))
    await commands.wait_done()


class RequestCommands(CommandQueue):
    """The commands of one request.

    Input is never paused: every request has a queue of its own.
    """

    _done_future: asyncio.Future[None] | None = None

    async def wait_done(self) -> None:
        """Wait until every command has run, or the connection is closed.

        When it is closed, the remaining commands are dropped.
        """
        if not self._is_done:
            self._done_future = asyncio.get_running_loop().create_future()
            await self._done_future

    @property
    def _is_done(self) -> bool:
        return self.idle or (self._session.closed and not self._running)

    def _pause_input(self) -> None:
        pass

    def _resume_input(self) -> None:
        pass

    def _resume(self) -> None:
        super()._resume()
        self._resolve_if_done()

    def _on_done(self, running: RunningCommand, _result: None, error: BaseException | None) -> None:
        super()._on_done(running, _result, error)
        self._resolve_if_done()

    def _resolve_if_done(self) -> None:
        if self._done_future is not None and self._is_done and not self._done_future.done():
            self._done_future.set_result(None)
