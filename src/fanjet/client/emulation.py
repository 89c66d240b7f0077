"""Commands that reach a session by requests of their own (02 §7.4)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from fanjet.protocol.emulation import emulated_frame

from .command_queue import CommandQueue

if TYPE_CHECKING:
    from .command_queue import Running
    from .session import Session


async def run_commands(session: Session, data: bytes) -> None:
    """Run the commands of one request in order, beside those of other requests; returns when all have run.

    Raises `MalformedFrame` for data that holds no frame. A malformed frame ends the connection, as everywhere.
    """
    commands = RequestCommands(session)
    commands.take(emulated_frame(session.transport.wire.codec, data))
    await commands.all_run()


class RequestCommands(CommandQueue):
    """The commands of one request. Nothing is held back while one waits: whatever else comes, comes by itself."""

    _all_run: asyncio.Future[None] | None = None

    async def all_run(self) -> None:
        """Return when every command has run, or the rest are not to be run because the connection was closed."""
        if not self._over:
            self._all_run = asyncio.get_running_loop().create_future()
            await self._all_run

    @property
    def _over(self) -> bool:
        return self.idle or (self._session.closed and not self._running)

    def _hold_input(self) -> None:
        pass

    def _release_input(self) -> None:
        pass

    def _go_on(self) -> None:
        super()._go_on()
        self._report()

    def _ended(self, running: Running, _result: None, error: BaseException | None) -> None:
        super()._ended(running, _result, error)
        self._report()

    def _report(self) -> None:
        if self._all_run is not None and self._over and not self._all_run.done():
            self._all_run.set_result(None)
