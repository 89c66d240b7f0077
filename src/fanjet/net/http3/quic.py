"""A QUIC connection with bounded receive windows and our own connection ids.

aioquic doubles every window that is half used, whether or not the data is read. A client could fill our memory by
sending faster than its commands run, on 128 streams. And aioquic draws connection ids at random, which do not identify
the process. All dependencies on aioquic's internals are in this module, which is why the extra pins its version.
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
"""Bytes that a client may send on a stream ahead of its reader."""

MAX_REQUESTS: Final = 100
"""Open bidirectional streams per client."""

MAX_UNIDIRECTIONAL: Final = 16
"""Three are HTTP/3's own, and clients open some to test that unknown types are ignored."""

MAX_IDS: Final = 8
"""Active connection ids per client."""


class ServerQuic(QuicConnection):
    """One QUIC connection, server side."""

    def __init__(self, ids: "ConnectionIds", **how: Any) -> None:
        super().__init__(**how)
        self._ids = ids
        self._host_cids = [self._new_id(0)]
        self._host_cids[0].was_sent = True
        self.host_cid = self._local_initial_source_connection_id = self._host_cids[0].cid
        self.paused_streams: set[int] = set()
        """Streams that are not read at present: their windows are not extended."""
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
        """Drop all state of an ended connection.

        aioquic's objects form reference cycles, and the garbage collector does not run on connections (DESIGN rule 10).
        Only the queries below may still be called.
        """
        for space in self._spaces.values():
            space.sent_packets.clear()
        self.__dict__.clear()
        self._streams = {}

    def has_unsent(self, stream_id: int) -> bool:
        """Whether written data is still queued."""
        stream = self._streams.get(stream_id)
        return stream is not None and not stream.sender.buffer_is_empty and len(stream.sender._pending) > 0

    def can_write(self, stream_id: int) -> bool:
        """Whether the client still reads a stream that is not finished."""
        stream = self._streams.get(stream_id)
        return stream is not None and stream.sender._reset_error_code is None and stream.sender._buffer_fin is None

    def stop_reading(self, stream_id: int, error_code: int) -> None:
        """Send STOP_SENDING, if the client may still be sending."""
        stream = self._streams.get(stream_id)
        if stream is not None and not stream.receiver.is_finished:
            stream.receiver.stop(error_code)

    def _write_stream_limits(
        self, builder: "QuicPacketBuilder", space: "QuicPacketSpace", stream: "QuicStream"
    ) -> None:
        """Extend the window once half of it is used up by delivered data."""
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
