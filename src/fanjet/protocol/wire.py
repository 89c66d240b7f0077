"""Wire formats: turn messages into the final bytes of a frame."""

from collections.abc import Callable

from .codec import Codec
from .codes import DISCONNECT_BAD_REQUEST, Disconnect


class WireFormat:
    """Encoding plus framing.

    Compared by identity: sessions that receive the same bytes share one object.

    Creators intern wire formats. The hub groups subscribers by wire format and builds each frame once per group.
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
        """Name of the transport, a label of the message metrics."""
        self.labels: tuple[str, ...] = ()
        """Values of the connection labels that are also labels of the message metrics."""
        self._by_labels: dict[tuple[str, ...], WireFormat] = {}
        self.codec = codec
        self.frame = frame
        """Turns one message into the bytes to write: adds header or delimiter, compresses."""
        self.ping = frame(codec.ping)
        """The frame of a server ping."""
        self.ping_size = codec.size(codec.ping)
        """Size of a ping in the metrics."""
        self.pong_size = sum(codec.sizes(codec.ping))
        """Size of a pong in the metrics: the same message, measured as a command."""
        self.malformed = malformed
        """The disconnect for commands that cannot be decoded (01 §2.4)."""

    def with_labels(self, labels: tuple[str, ...]) -> "WireFormat":
        """Return the interned format for connections with these labels."""
        wire = self._by_labels.get(labels)
        if wire is None:
            wire = WireFormat(self.name, self.codec, self.frame, transport=self.transport, malformed=self.malformed)
            wire.labels = labels
            self._by_labels[labels] = wire
        return wire

    def __repr__(self) -> str:
        return f"<WireFormat {self.name}>"
