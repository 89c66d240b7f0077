"""Errors of Redis as `EngineUnavailable`."""

from fanjet.engines.interfaces import EngineUnavailable


class CommandError(EngineUnavailable):
    """Redis replied to a command with an error, whose text this carries.

    `hiredis` instantiates it.
    """

    @property
    def code(self) -> str:
        """The first word of the error, upper-case by convention.

        For example `NOSCRIPT`, `MOVED`, or the generic `ERR`.
        """
        return str(self).partition(" ")[0]

    @property
    def is_from_replica(self) -> bool:
        """Whether the error shows that the server is a replica.

        Before Redis 7, errors of scripts have a prefix.
        """
        return any(word in str(self) for word in ("READONLY ", "MASTERDOWN "))


class ConnectionLost(EngineUnavailable):
    """The connection broke or timed out.

    Pending commands may have been executed or not.
    """
