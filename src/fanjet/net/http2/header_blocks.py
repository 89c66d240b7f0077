"""Header blocks (HPACK, RFC 7541) as a server wants them: bounded on the way in, without state on the way out."""

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from hpack.exceptions import HPACKDecodingError
from hpack.hpack import Decoder, decode_integer, encode_integer
from hpack.huffman_table import decode_huffman
from hpack.table import HeaderTable

Field = tuple[bytes, bytes]

MAX_HEADER_LIST_BYTES: Final = 1 << 20
"""Names and values together, with 32 bytes for each field (RFC 9113 section 6.5.2)."""

_FIELD_OVERHEAD: Final = 32
_NO_NAME: Final = b""
_MAX_KNOWN: Final = 4096


class HeaderBlock(NamedTuple):
    """The fields of one header block in order, those of HTTP/2 itself (`:method`) first."""

    fields: tuple[Field, ...]
    oversized: bool
    """Whether there are more than `MAX_HEADER_LIST_BYTES` of them. The rest was not decoded, so that the blocks behind
    this one cannot be decoded any more."""


class BlockDecoder(Decoder):
    """Decodes in linear time, which hpack's own loop does not, and gives up in good order."""

    def decode(self, data: bytes, raw: bool = False) -> Any:
        """Return a list that to h2 looks like one field without a name, whose value is the `HeaderBlock`.

        So h2 passes it through as it is and leaves the judgement to us, for whom a malformed request costs that
        request only, not the whole connection. Raises `HPACKDecodingError`.
        """
        return [(_NO_NAME, self._decode_block(memoryview(data)))]

    def _decode_block(self, view: memoryview) -> HeaderBlock:
        table = self.header_table
        fields: list[Field] = []
        position, end, size = 0, len(view), 0
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
                name, value, position = _decode_literal(table, view, position, 6 if first & 0x40 else 4)
                if first & 0x40:
                    table.add(name, value)
            size += len(name) + len(value) + _FIELD_OVERHEAD
            if size > MAX_HEADER_LIST_BYTES:
                return HeaderBlock(tuple(fields), oversized=True)
            fields.append((name, value))
        self._assert_valid_table_size()
        return HeaderBlock(tuple(fields), oversized=False)


def _decode_literal(table: HeaderTable, view: memoryview, position: int, prefix: int) -> tuple[bytes, bytes, int]:
    """Return name, value, and where the next field begins."""
    index, used = decode_integer(view[position:], prefix)
    position += used
    if index:
        name = table.get_by_index(index)[0]
    else:
        name, position = _decode_string(view, position)
    value, position = _decode_string(view, position)
    return name, value, position


def _decode_string(view: memoryview, position: int) -> tuple[bytes, int]:
    length, used = decode_integer(view[position:], 7)
    start = position + used
    end = start + length
    if end > len(view):
        raise HPACKDecodingError("truncated header block")
    text = bytes(view[start:end])
    return (decode_huffman(text) if view[position] & 0x80 else text), end


class BlockEncoder:
    """Encodes fields without the dynamic table: each field's bytes are always the same and made once.

    A response costs some 60 bytes more than with the table, and a tenth of the time.
    """

    def __init__(self) -> None:
        self._size_update = b""

    @property
    def header_table_size(self) -> int:
        """Size of the dynamic table, of which no use is made."""
        return 0

    @header_table_size.setter
    def header_table_size(self, value: int) -> None:
        # A client that changes the size expects to hear of it in the next block (RFC 7541 section 4.2).
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
