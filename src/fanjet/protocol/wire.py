"""A wire format: a message in, the final bytes of one frame out."""

from collections.abc import Callable

from .codec import Codec
from .codes import DISCONNECT_BAD_REQUEST, Disconnect


class WireFormat:
    """Encoding plus framing. Compared by identity: sessions that would get the same bytes hold the same object.

    Whoever creates wire formats interns them; the hub groups subscribers by them and builds each frame once.
    """

    __slots__ = ("codec", "frame", "malformed", "name", "ping")

    def __init__(
        self,
        name: str,
        codec: Codec,
        frame: Callable[[bytes], bytes],
        *,
        malformed: Disconnect = DISCONNECT_BAD_REQUEST,
    ) -> None:
        self.name = name
        self.codec = codec
        self.frame = frame
        """Turns one message into the bytes to be written: header, delimiter, compression."""
        self.ping = frame(codec.ping)
        """The frame of a server ping."""
        self.malformed = malformed
        """How commands that cannot be decoded end the connection (01 §2.4)."""

    def __repr__(self) -> str:
        return f"<WireFormat {self.name}>"
