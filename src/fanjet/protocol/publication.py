"""What travels through channels: publications, client infos, stream positions. Frozen, shared by all who hold them."""

from msgspec import Struct


class ClientInfo(Struct, frozen=True):
    """Who published, joined or is present (01 §3.2). The infos are payloads: raw bytes, JSON unless a source said otherwise."""

    user: str
    client: str
    conn_info: bytes = b""
    chan_info: bytes = b""


class StreamPosition(Struct, frozen=True):
    """A place in a channel's stream. Offset 0 with an empty epoch: not in a stream."""

    offset: int = 0
    epoch: str = ""


NO_POSITION = StreamPosition()


class Publication(Struct, frozen=True):
    """One message of a channel (01 §3.2). `time` is Unix milliseconds of the publishing node and never sent to clients."""

    data: bytes
    offset: int = 0
    info: ClientInfo | None = None
    tags: dict[str, str] | None = None
    time: int = 0
    key: str = ""
    removed: bool = False
    score: int = 0
    epoch: str = ""
    version: int = 0
