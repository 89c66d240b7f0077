"""Builds the header fields of responses."""

from collections.abc import Iterable
from typing import Final

from ..http1.response import current_date
from .header_blocks import Field

_CONNECTION_SPECIFIC: Final = frozenset({b"connection", b"keep-alive", b"transfer-encoding", b"upgrade"})


def response_fields(status: int, content_type: bytes, headers: Iterable[Field]) -> list[Field]:
    """The header fields of a response.

    Status, content type if any, the given headers except those specific to HTTP/1.1, and the date.
    """
    fields = [(b":status", b"%d" % status)]
    if content_type:
        fields.append((b"content-type", content_type))
    fields.extend((name, value) for sent, value in headers if (name := sent.lower()) not in _CONNECTION_SPECIFIC)
    fields.append((b"date", current_date()))
    return fields
