"""Encodes a publication's frames, each variant once for all its subscribers.

See DESIGN rule 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from fanjet.protocol.codes import DISCONNECT_INAPPROPRIATE_PROTOCOL, DISCONNECT_SLOW, Disconnect
from fanjet.protocol.fossil import shorter_delta
from fanjet.protocol.json_encoding.encode import json_payload_ok

if TYPE_CHECKING:
    from fanjet.protocol.publication import ClientInfo, Publication
    from fanjet.protocol.wire import WireFormat

    from .subscriber import Delivery

Frame = tuple[bytes, int] | Disconnect
"""Bytes to write with the size of the message in them, or the disconnect for sessions that cannot get it."""

MAX_SCANNED = 8
"""Variants found by a linear scan: one or two are usual, and creating a dict takes longer."""


class PublicationFrames(Struct, eq=False, gc=False):
    """Encodes a publication's variants on demand, and caches them.

    `base`: the previous publication, for patches. `limit`: bytes of the longest message. A struct, since one is created
    for every publication.
    """

    publication: Publication
    base: Publication | None
    limit: int
    _plain: list[tuple[WireFormat, bool, Frame]] = []
    _plain_overflow: dict[tuple[WireFormat, bool], Frame] | None = None
    _deltas: dict[object, Frame] = {}
    _json_ok: bool | None = None
    _patch: bytes | None = None
    _tried: bool = False

    def plain(self, delivery: Delivery, prefix: bytes) -> Frame:
        """The frame for subscribers without delta.

        `prefix` follows from delivery and channel.
        """
        wire, compact = delivery.wire, delivery.compact
        for other_wire, other_compact, frame in self._plain:
            if other_wire is wire and other_compact is compact:
                return frame
        overflow = self._plain_overflow
        if overflow is not None and (known := overflow.get((wire, compact))) is not None:
            return known
        # Inlined, since every publication gets here.
        codec, publication = wire.codec, self.publication
        made: Frame
        if codec.pushes_json and not (publication.is_json or self._is_json()):
            made = DISCONNECT_INAPPROPRIATE_PROTOCOL
        else:
            message = codec.publication_push(prefix, publication)
            made = DISCONNECT_SLOW if len(message) > self.limit else (wire.frame(message), codec.size(message))
        if len(self._plain) < MAX_SCANNED:
            self._plain.append((wire, compact, made))
        elif overflow is None:  # client labels multiply wire formats
            self._plain_overflow = {(wire, compact): made}
        else:
            overflow[wire, compact] = made
        return made

    def delta(self, delivery: Delivery, prefix: bytes, *, fresh: bool) -> Frame:
        """The frame for delta subscribers.

        It is full for fresh ones, otherwise a patch where it is shorter.
        """
        key = (delivery.wire, delivery.compact, fresh)
        frame = self._deltas.get(key)
        if frame is None:
            frame = self._deltas[key] = self._encode_delta(delivery, prefix, fresh=fresh)
        return frame

    def _encode_delta(self, delivery: Delivery, prefix: bytes, *, fresh: bool) -> Frame:
        codec = delivery.wire.codec
        publication = self.publication
        if codec.pushes_json and not (publication.is_json or info_is_json(publication.info)):
            return DISCONNECT_INAPPROPRIATE_PROTOCOL
        patch, attempted = (None, False) if fresh or self.base is None else (self._make_patch(), True)
        message = codec.delta_push(prefix, publication, patch, attempted=attempted)
        if len(message) > self.limit:
            return DISCONNECT_SLOW
        return delivery.wire.frame(message), codec.size(message)

    def _is_json(self) -> bool:
        if self._json_ok is None:
            publication = self.publication
            data_ok = not publication.data or json_payload_ok(publication.data)
            self._json_ok = data_ok and info_is_json(publication.info)
        return self._json_ok

    def _make_patch(self) -> bytes | None:
        if not self._tried:
            self._tried = True
            assert self.base is not None
            self._patch = shorter_delta(self.base.data, self.publication.data)
        return self._patch


def info_is_json(info: ClientInfo | None) -> bool:
    """Whether a client's infos can be part of a JSON message.

    They may come from Base64 claims (03 §6.5).
    """
    if info is None or not (info.conn_info or info.chan_info):
        return True
    return all(not data or json_payload_ok(data) for data in (info.conn_info, info.chan_info))
