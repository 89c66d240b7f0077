"""HPACK header blocks (RFC 7541): bounded decoding, stateless encoding."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final, NamedTuple

from hpack.exceptions import HPACKDecodingError
from hpack.hpack import Decoder, decode_integer, encode_integer
from hpack.huffman_table import decode_huffman
from hpack.table import HeaderTable

Field = tuple[bytes, bytes]

MAX_HEADER_LIST_BYTES: Final = 1 << 20
"""Names and values together, with 32 bytes for each field (RFC 9113 section 6.5.2)."""

MAX_HUFFMAN_BYTES: Final = 1 << 17
"""Huffman-coded bytes per block: decoding takes 0.7 µs for each and blocks the event loop."""

_FIELD_OVERHEAD: Final = 32
_NO_NAME: Final = b""
_MAX_KNOWN: Final = 4096


class HeaderBlock(NamedTuple):
    """The fields of one header block in order, pseudo-headers first."""

    fields: tuple[Field, ...]
    oversized: bool
    """Whether the block exceeds `MAX_HEADER_LIST_BYTES` or `MAX_HUFFMAN_BYTES`. Its rest was not decoded, so that later
    blocks cannot be decoded any more."""


class BlockDecoder(Decoder):
    """Decodes in linear time, unlike hpack's own loop, and within bounds."""

    def __init__(self) -> None:
        super().__init__()
        self._huffman_left = 0

    def decode(self, data: bytes, raw: bool = False) -> Any:
        """Return a list that h2 takes for one field without a name.

        The value of that field is the `HeaderBlock`. So h2 passes it through and leaves validation to us: a malformed
        request then fails alone, not the whole connection. Raises `HPACKDecodingError`.
        """
        self._huffman_left = MAX_HUFFMAN_BYTES
        fields: list[Field] = []
        try:
            self._decode_fields(memoryview(data), fields)
        except _OversizedBlock:
            return [(_NO_NAME, HeaderBlock(tuple(fields), oversized=True))]
        self._assert_valid_table_size()
        return [(_NO_NAME, HeaderBlock(tuple(fields), oversized=False))]

    def _decode_fields(self, view: memoryview, fields: list[Field]) -> None:
        table = self.header_table
        position, end, left = 0, len(view), MAX_HEADER_LIST_BYTES
        while position < end:
            first = view[position]
            if first & 0x80:
                index, used = decode_integer(view[position:], 7)
                name, value = table.get_by_index(index)
                position += used
            elif first & 0xE0 == 0x20:
                if fields:
                    raise HPACKDecodingError("table size update behind a field")
                position += self._update_encoding_context(view[position:])
                continue
            else:
                name, value, position = self._read_literal(view, position, 6 if first & 0x40 else 4)
                if first & 0x40:
                    table.add(name, value)
            left -= len(name) + len(value) + _FIELD_OVERHEAD
            if left < 0:
                raise _OversizedBlock
            fields.append((name, value))

    def _read_literal(self, view: memoryview, position: int, prefix: int) -> tuple[bytes, bytes, int]:
        """Return name, value, and the position of the next field."""
        index, used = decode_integer(view[position:], prefix)
        position += used
        if index:
            name = self.header_table.get_by_index(index)[0]
        else:
            name, position = self._read_string(view, position)
        value, position = self._read_string(view, position)
        return name, value, position

    def _read_string(self, view: memoryview, position: int) -> tuple[bytes, int]:
        length, used = decode_integer(view[position:], 7)
        start = position + used
        end = start + length
        if end > len(view):
            raise HPACKDecodingError("truncated header block")
        text = bytes(view[start:end])
        if not view[position] & 0x80:
            return text, end
        self._huffman_left -= length
        if self._huffman_left < 0:
            raise _OversizedBlock
        return (_decode_short if length <= _SHORT else decode_huffman)(text), end


class _OversizedBlock(Exception):  # noqa: N818 (ends the decoding only)
    """The block exceeds a bound."""


_SHORT: Final = 256
_decode_short: Final = lru_cache(2048)(decode_huffman)
"""Clients send mostly the same values: a connection's table avoids repeats there, this cache across connections."""


class BlockEncoder:
    """Encodes fields without the dynamic table.

    The bytes of each field are constant and cached. A response is some 60 bytes longer than with the table, and takes a
    tenth of the time.
    """

    def __init__(self) -> None:
        self._size_update = b""

    @property
    def header_table_size(self) -> int:
        """Size of the dynamic table, which is unused."""
        return 0

    @header_table_size.setter
    def header_table_size(self, value: int) -> None:
        # A size change must be acknowledged in the next block (RFC 7541 section 4.2).
        self._size_update = b"\x20"

    def encode(self, headers: Iterable[Field], huffman: bool = True) -> bytes:
        """Return the header block. Names have to be lower-case."""
        update, self._size_update = self._size_update, b""
        return update + b"".join([_known.get(field) or _encode_field(field) for field in headers])


_known: dict[Field, bytes] = {}
_STATIC_NAMES: Final = {name: index for index, (name, _) in reversed(list(enumerate(HeaderTable.STATIC_TABLE, 1)))}
_STATIC_FIELDS: Final = {field: index for index, field in enumerate(HeaderTable.STATIC_TABLE, 1)}


def _encode_field(field: Field) -> bytes:
    name, value = field
    if index := _STATIC_FIELDS.get(field):
        encoded = encode_integer(index, 7)
        encoded[0] |= 0x80
        return _remember(field, bytes(encoded))
    if index := _STATIC_NAMES.get(name):
        head = bytes(encode_integer(index, 4))
    else:
        head = b"\x00" + bytes(encode_integer(len(name), 7)) + name
    return _remember(field, head + bytes(encode_integer(len(value), 7)) + value)


def _remember(field: Field, encoded: bytes) -> bytes:
    if len(_known) >= _MAX_KNOWN:
        _known.clear()
    _known[field] = encoded
    return encoded
