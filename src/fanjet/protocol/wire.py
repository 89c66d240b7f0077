"""A wire format: a message in, the final bytes of one frame out."""

from collections.abc import Callable

from .codec import Codec
from .codes import DISCONNECT_BAD_REQUEST, Disconnect


class WireFormat:
    """Encoding plus framing. Compared by identity: sessions that would get the same bytes hold the same object.

    Whoever creates wire formats interns them; the hub groups subscribers by them and builds each frame once.
    """

    __slots__ = (
        "_by_labels",
        "codec",
        "frame",
        "labels",
        "malformed",
        "name",
        "ping",
        "ping_size",
        "pong_size",
        "transport",
    )

    def __init__(
        self,
        name: str,
        codec: Codec,
        frame: Callable[[bytes], bytes],
        *,
        transport: str = "",
        malformed: Disconnect = DISCONNECT_BAD_REQUEST,
    ) -> None:
        self.name = name
        self.transport = transport
        """What the transport is called that it belongs to: messages are counted by it."""
        self.labels: tuple[str, ...] = ()
        """Values of those labels of connections that messages are counted by, too."""
        self._by_labels: dict[tuple[str, ...], WireFormat] = {}
        self.codec = codec
        self.frame = frame
        """Turns one message into the bytes to be written: header, delimiter, compression."""
        self.ping = frame(codec.ping)
        """The frame of a server ping."""
        self.ping_size = codec.size(codec.ping)
        """Bytes that a ping is counted with,"""
        self.pong_size = sum(codec.sizes(codec.ping))
        """and the pong that answers it, which is the same but for what parts commands."""
        self.malformed = malformed
        """How commands that cannot be decoded end the connection (01 §2.4)."""

    def with_labels(self, labels: tuple[str, ...]) -> "WireFormat":
        """The same format for connections with these labels. Interned, too."""
        wire = self._by_labels.get(labels)
        if wire is None:
            wire = WireFormat(self.name, self.codec, self.frame, transport=self.transport, malformed=self.malformed)
            wire.labels = labels
            self._by_labels[labels] = wire
        return wire

    def __repr__(self) -> str:
        return f"<WireFormat {self.name}>"
