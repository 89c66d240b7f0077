"""The h2 state machine, with our deviations."""

from typing import TYPE_CHECKING, Final, cast

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.settings import SettingCodes, Settings
from hyperframe.frame import GoAwayFrame

from .header_blocks import MAX_HEADER_LIST_BYTES, BlockDecoder, BlockEncoder

if TYPE_CHECKING:
    from h2.events import Event
    from hpack.hpack import Encoder
    from hyperframe.frame import Frame

STREAM_WINDOW: Final = 1 << 18
"""Window of one stream, in bytes."""
CONNECTION_WINDOW: Final = 1 << 20
"""Window of the whole connection, in bytes."""

_HEADERS: Final = b"\x01"
_CONTINUATION: Final = b"\x09"
_END_HEADERS: Final = b"\x04"

_UNLIMITED: Final = (1 << 31) - 1
_DEFAULT_WINDOW: Final = 65535


class Engine(H2Connection):
    """The frames of one connection.

    h2 checks their order and tracks the windows; requests are validated by us.
    """

    MAX_CLOSED_STREAMS = 2000
    """Number of remembered closed streams, for frames in flight; h2's own 65536 would take 8 MB."""

    def __init__(self, *, max_streams: int, extended_connect: bool) -> None:
        super().__init__(
            H2Configuration(
                client_side=False,
                header_encoding=None,
                validate_inbound_headers=False,
                normalize_inbound_headers=False,
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
            )
        )
        self.decoder = BlockDecoder()
        self.encoder = cast("Encoder", BlockEncoder())
        values = {
            SettingCodes.MAX_CONCURRENT_STREAMS: max_streams,
            SettingCodes.INITIAL_WINDOW_SIZE: STREAM_WINDOW,
            SettingCodes.MAX_HEADER_LIST_SIZE: MAX_HEADER_LIST_BYTES,
        }
        if extended_connect:
            values[SettingCodes.ENABLE_CONNECT_PROTOCOL] = 1
        self.local_settings = Settings(client=False, initial_values=values)
        self.initiate_connection()
        self.increment_flow_control_window(CONNECTION_WINDOW - _DEFAULT_WINDOW)
        # h2 would close the connection over one excess stream; we refuse that stream, so h2 must not know the limit.
        values[SettingCodes.MAX_CONCURRENT_STREAMS] = _UNLIMITED
        self.local_settings = Settings(client=False, initial_values=values)

    @property
    def in_header_block(self) -> bool:
        """Whether a header block is incomplete."""
        return bool(self.incoming_buffer._headers_buffer)

    def _receive_goaway_frame(self, frame: GoAwayFrame) -> "tuple[list[Frame], list[Event]]":
        """Accept that the client opens no more streams.

        Open ones continue (RFC 9113 section 6.8), which h2 would prevent.
        """
        return [], []


def go_away(code: int, last_stream: int, detail: bytes) -> bytes:
    """A GOAWAY frame. After h2's own, nothing more could be sent."""
    return GoAwayFrame(stream_id=0, last_stream_id=last_stream, error_code=code, additional_data=detail).serialize()


def header_frames(stream: int, block: bytes, max_size: int) -> bytes:
    """A header block without END_STREAM, in as many frames as needed."""
    pieces = [block[start : start + max_size] for start in range(0, len(block), max_size)]
    number = stream.to_bytes(4, "big")
    kinds = [_HEADERS, *[_CONTINUATION] * (len(pieces) - 1)]
    flags = [b"\0"] * (len(pieces) - 1) + [_END_HEADERS]
    return b"".join(
        len(piece).to_bytes(3, "big") + kind + flag + number + piece
        for piece, kind, flag in zip(pieces, kinds, flags, strict=True)
    )
