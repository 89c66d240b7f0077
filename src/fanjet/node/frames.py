"""The frames of one publication: each variant is encoded once, however many subscribers get it (DESIGN rule 1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from fanjet.protocol.codes import DISCONNECT_INAPPROPRIATE_PROTOCOL, DISCONNECT_SLOW, Disconnect
from fanjet.protocol.fossil import shorter_delta
from fanjet.protocol.json_encode import json_payload_ok

if TYPE_CHECKING:
    from fanjet.protocol.publication import ClientInfo, Publication

    from .channel import LiveChannel
    from .subscriber import Delivery

Frame = tuple[bytes, int] | Disconnect
"""Bytes to write, with the size of the message in them, or why those who should get them are closed instead."""


class PublicationFrames(Struct, eq=False, gc=False):
    """Encodes a publication for whoever asks, and remembers what it made.

    `base`: the publication before, when patches are wanted. `limit`: the longest message, 0 for none. A struct, as one
    is made for every publication.
    """

    channel: LiveChannel
    publication: Publication
    base: Publication | None
    limit: int
    _cache: dict[object, Frame] = {}
    _json_ok: bool | None = None
    _patch: bytes | None = None
    _tried: bool = False

    def plain(self, delivery: Delivery) -> Frame:
        """The publication for subscribers without delta."""
        wire = delivery.wire
        key = (wire, True) if delivery.compact else wire
        frame = self._cache.get(key)
        if frame is None:  # every publication comes here, so these are no functions of their own
            codec, channel = wire.codec, self.channel
            if codec.pushes_json and not (self._json_ok or self._is_json()):
                frame = DISCONNECT_INAPPROPRIATE_PROTOCOL
            else:
                prefix = channel.prefix(codec, channel.numeric_id if delivery.compact else 0)
                message = codec.publication_push(prefix, self.publication)
                if self.limit and len(message) > self.limit:
                    frame = DISCONNECT_SLOW
                else:
                    frame = wire.frame(message), codec.size(message)
            self._cache[key] = frame
        return frame

    def delta(self, delivery: Delivery, *, fresh: bool) -> Frame:
        """The publication for delta subscribers: in full for fresh ones, else as a patch where that is shorter."""
        key = (delivery.wire, delivery.compact, fresh)
        frame = self._cache.get(key)
        if frame is None:
            frame = self._cache[key] = self._encode_delta(delivery, fresh=fresh)
        return frame

    def _encode_delta(self, delivery: Delivery, *, fresh: bool) -> Frame:
        codec = delivery.wire.codec
        if codec.pushes_json and not info_is_json(self.publication.info):
            return DISCONNECT_INAPPROPRIATE_PROTOCOL
        patch, tried = (None, False) if fresh or self.base is None else (self._make_patch(), True)
        prefix = self.channel.prefix(codec, self.channel.numeric_id if delivery.compact else 0)
        message = codec.delta_push(prefix, self.publication, patch, tried=tried)
        if self.limit and len(message) > self.limit:
            return DISCONNECT_SLOW
        return delivery.wire.frame(message), codec.size(message)

    def _is_json(self) -> bool:
        if self._json_ok is None:
            publication = self.publication
            info = publication.info
            data_ok = publication.is_json or not publication.data or json_payload_ok(publication.data)
            self._json_ok = data_ok and (info is None or not (info.conn_info or info.chan_info) or info_is_json(info))
        return self._json_ok

    def _make_patch(self) -> bytes | None:
        if not self._tried:
            self._tried = True
            assert self.base is not None
            self._patch = shorter_delta(self.base.data, self.publication.data)
        return self._patch


def info_is_json(info: ClientInfo | None) -> bool:
    """Whether the infos of a client can stand in a JSON message: they may come from Base64 claims (03 §6.5)."""
    if info is None or not (info.conn_info or info.chan_info):
        return True
    return all(not data or json_payload_ok(data) for data in (info.conn_info, info.chan_info))
