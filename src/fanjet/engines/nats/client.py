"""The library's client, mended where that does not do."""

from nats.aio.client import Client


class NatsClient(Client):
    """Goes on when the answer to a flush comes after its time, which ends the reader of the library's client, and keeps
    errors as the server has told them: the library hands them on in lower case, in which subjects are not told apart.
    """

    told = ""
    """The error that is being handed on, if it is the server's."""

    async def _process_err(self, err_msg: str) -> None:
        self.told = self._ps.buf.partition(b"\r\n")[0].decode()  # its parser still has it
        try:
            await super()._process_err(err_msg)
        finally:
            self.told = ""

    async def _process_pong(self) -> None:
        if self._pongs and self._pongs[0].done():
            self._pongs.pop(0)
            self._pings_outstanding = 0
        else:
            await super()._process_pong()
