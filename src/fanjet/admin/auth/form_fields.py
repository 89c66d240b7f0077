"""Reads a field of an HTML form from the body or the query."""

from __future__ import annotations

from email.message import Message
from email.parser import BytesParser
from email.policy import HTTP
from typing import TYPE_CHECKING

from fanjet.net.http1.expect_continue import UnreadableBody
from fanjet.net.query import find_value, query_value

if TYPE_CHECKING:
    from fanjet.net.http1.request import Request


def form_value(request: Request, name: str) -> bytes:
    """The first value of a field in the body, or else in the query.

    The body is URL-encoded or multipart. The value is empty when missing. An unreadable body, for example one that is
    too large, counts as empty.
    """
    try:
        body = request.body
    except UnreadableBody:
        body = b""
    content_type = request.headers.get(b"content-type", b"")
    media_type = content_type.partition(b";")[0].strip().lower()
    value = None
    if media_type == b"application/x-www-form-urlencoded":
        value = find_value(body, name.encode())
    elif media_type == b"multipart/form-data":
        value = _multipart_value(content_type, body, name)
    return query_value(request.query, name.encode()) if value is None else value


def _multipart_value(content_type: bytes, body: bytes, name: str) -> bytes | None:
    parts = BytesParser(policy=HTTP).parsebytes(b"Content-Type: %b\r\n\r\n%b" % (content_type, body)).get_payload()
    for part in parts if isinstance(parts, list) else ():
        if not isinstance(part, Message) or part.get_filename() is not None:
            continue
        if part.get_param("name", header="content-disposition") == name:
            value = part.get_payload(decode=True)
            return value if isinstance(value, bytes) else b""
    return None
