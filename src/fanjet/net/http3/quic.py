"""A QUIC connection whose receive windows follow its reader, and whose ids are our own.

aioquic doubles every window that is half used, whoever reads. A client could so fill our memory by sending faster than
its commands run, and opens 128 streams to do it. And it draws connection ids at random, by which nobody could tell
which process has the connection. What has to be known of aioquic's inside for that is all in this module, which is why
the extra names the version it was written for.
"""

from typing import TYPE_CHECKING, Any, Final

from aioquic.quic.connection import MAX_STREAM_DATA_FRAME_CAPACITY, Limit, QuicConnection, QuicConnectionId
from aioquic.quic.packet import QuicFrameType

if TYPE_CHECKING:
    from aioquic.quic.packet_builder import QuicPacketBuilder
    from aioquic.quic.recovery import QuicPacketSpace
    from aioquic.quic.stream import QuicStream

    from .connection_ids import ConnectionIds

STREAM_WINDOW: Final = 128 * 1024
"""Bytes that a client may send on a stream beyond what has been read of it."""

MAX_REQUESTS: Final = 100
"""Bidirectional streams that a client may have open at once."""

MAX_UNIDIRECTIONAL: Final = 16
"""Three of them are HTTP/3's own, and clients open some to see whether unknown ones are ignored."""

MAX_IDS: Final = 8
"""Connection ids that a client may be given at once."""


class ServerQuic(QuicConnection):
    """The server's side of one QUIC connection."""

    def __init__(self, ids: "ConnectionIds", **how: Any) -> None:
        super().__init__(**how)
        self._ids = ids
        self._host_cids = [self._new_id(0)]
        self._host_cids[0].was_sent = True
        self.host_cid = self._local_initial_source_connection_id = self._host_cids[0].cid
        self.paused_streams: set[int] = set()
        """Streams that are not read at present: their windows stay as they are."""
        self._local_max_streams_bidi = Limit(QuicFrameType.MAX_STREAMS_BIDI, "max_streams_bidi", MAX_REQUESTS)
        self._local_max_streams_uni = Limit(QuicFrameType.MAX_STREAMS_UNI, "max_streams_uni", MAX_UNIDIRECTIONAL)

    def _new_id(self, sequence_number: int) -> QuicConnectionId:
        made = self._ids.new()
        return QuicConnectionId(made, sequence_number, self._ids.reset_token(made))

    def _replenish_connection_ids(self) -> None:
        while len(self._host_cids) < min(MAX_IDS, self._remote_active_connection_id_limit):
            self._host_cids.append(self._new_id(self._host_cid_seq))
            self._host_cid_seq += 1

    def break_cycles(self) -> None:
        """Let go of everything once the connection is over: aioquic's objects hold each other, and no collector looks
        at connections (DESIGN rule 10). Only the questions below may still be asked."""
        for space in self._spaces.values():
            space.sent_packets.clear()
        self.__dict__.clear()
        self._streams = {}

    def has_unsent(self, stream_id: int) -> bool:
        """Whether some of what was written has not left yet: the peer, or the way to it, is slow."""
        stream = self._streams.get(stream_id)
        return stream is not None and not stream.sender.buffer_is_empty and len(stream.sender._pending) > 0

    def can_write(self, stream_id: int) -> bool:
        """Whether the peer still listens to a stream that has not been finished."""
        stream = self._streams.get(stream_id)
        return stream is not None and stream.sender._reset_error_code is None and stream.sender._buffer_fin is None

    def stop_reading(self, stream_id: int, error_code: int) -> None:
        """Ask the peer to send no more on a stream, if it may still be sending."""
        stream = self._streams.get(stream_id)
        if stream is not None and not stream.receiver.is_finished:
            stream.receiver.stop(error_code)

    def _write_stream_limits(
        self, builder: "QuicPacketBuilder", space: "QuicPacketSpace", stream: "QuicStream"
    ) -> None:
        """Let the peer send as much as the window beyond what was delivered, once half of that is used up."""
        stream_id = stream.stream_id
        if stream_id is None or stream_id in self.paused_streams or not stream.max_stream_data_local:
            return
        delivered = stream.receiver.starting_offset()
        if stream.max_stream_data_local - delivered < STREAM_WINDOW // 2:
            stream.max_stream_data_local = delivered + STREAM_WINDOW
        if stream.max_stream_data_local_sent != stream.max_stream_data_local:
            frame = builder.start_frame(
                QuicFrameType.MAX_STREAM_DATA,
                capacity=MAX_STREAM_DATA_FRAME_CAPACITY,
                handler=self._on_max_stream_data_delivery,
                handler_args=(stream,),
            )
            frame.push_uint_var(stream_id)
            frame.push_uint_var(stream.max_stream_data_local)
            stream.max_stream_data_local_sent = stream.max_stream_data_local
