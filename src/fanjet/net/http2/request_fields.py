"""Validates request header fields.

RFC 9113 sections 8.2 and 8.3, RFC 8441 section 4.
"""

import re
from collections.abc import Sequence
from typing import Final

from .header_blocks import Field

_NAME: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+")
_BAD_VALUE: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_PSEUDO: Final = frozenset({b":method", b":scheme", b":authority", b":path", b":protocol"})


class MalformedRequest(Exception):  # noqa: N818 (RFC 9113's word)
    """The request gets no response: its stream is reset."""


def check_fields(fields: Sequence[Field], *, extended_connect: bool = False) -> None:
    """Raise `MalformedRequest` for invalid fields.

    `extended_connect`: CONNECT may name a protocol.
    """
    pseudo: dict[bytes, bytes] = {}
    position = 0
    for position, (name, value) in enumerate(fields):  # noqa: B007
        if not name.startswith(b":"):
            break
        if name not in _PSEUDO or name in pseudo or _BAD_VALUE.search(value):
            raise MalformedRequest
        pseudo[name] = value
    else:
        position = len(fields)
    for name, value in fields[position:]:
        if not _NAME.fullmatch(name) or _BAD_VALUE.search(value):
            raise MalformedRequest
    _check_pseudo(pseudo, extended_connect=extended_connect)


def _check_pseudo(pseudo: dict[bytes, bytes], *, extended_connect: bool) -> None:
    method, path = pseudo.get(b":method", b""), pseudo.get(b":path", b"")
    scheme, authority = pseudo.get(b":scheme", b""), pseudo.get(b":authority", b"")
    if b":protocol" in pseudo:
        complete = extended_connect and all((method, path, scheme, authority))
    elif method == b"CONNECT":
        complete = bool(authority) and not path and not scheme
    else:
        complete = all((method, path)) and scheme in (b"http", b"https")
    if not complete:
        raise MalformedRequest
