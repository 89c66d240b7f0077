"""What goes wrong with Redis, in terms of the engines' interface."""

from fanjet.engines.interfaces import EngineUnavailable


class CommandRefused(EngineUnavailable):
    """Redis answered a command with an error, whose text this carries. `hiredis` makes these."""

    @property
    def code(self) -> str:
        """The first word, in capitals by convention: `NOSCRIPT`, `MOVED`, or `ERR` for most."""
        return str(self).partition(" ")[0]

    @property
    def is_of_replica(self) -> bool:
        """Whether it tells that the server is a replica. Before Redis 7 scripts put words of their own before it."""
        return any(word in str(self) for word in ("READONLY ", "MASTERDOWN "))


class ConnectionLost(EngineUnavailable):
    """The connection broke, or Redis fell silent; what was under way may have been done or not."""
