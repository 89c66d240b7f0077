"""Publications, client infos and stream positions: immutable, shared values."""

from typing import Annotated

from msgspec import Meta, Struct

from .json_encoding.document import Document


class ClientInfo(Struct, frozen=True, array_like=True, gc=False):
    """The client that published, joined or is present (01 §3.2).

    The infos are payloads: JSON unless their source declared otherwise.
    """

    user: str
    client: str
    conn_info: bytes = b""
    chan_info: bytes = b""


class StreamPosition(Document, frozen=True, gc=False):
    """A position in the stream of a channel.

    Offset 0 with an empty epoch means no stream.
    """

    offset: Annotated[int, Meta(ge=0)] = 0
    epoch: str = ""


NO_POSITION = StreamPosition()


class Publication(Struct, frozen=True, array_like=True, gc=False):
    """One message of a channel (01 §3.2).

    `channel`: the concrete channel, for subscribers of a broker pattern. Two fields are never sent to clients: `time`,
    Unix milliseconds of the publishing node, and `is_json`, whether the data is known to be JSON.
    """

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
    is_json: bool = False
    channel: str = ""


class EncodedPublication(Struct, frozen=True, gc=False):
    """A publication encoded for one codec, to be embedded in a message."""

    body: bytes
