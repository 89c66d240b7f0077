"""HTTP/1.1 server (RFC 9112): reads requests, calls endpoints, writes responses."""

from .connection import HttpConnection
from .exchange import Exchange
from .expect_continue import BodyTooLarge, BodyUnavailable, ContinueRequired, UnreadableBody
from .head import Head, parse_head
from .request import Request
from .server import HttpServer
from .stream import BodyFraming, ResponseStream, StreamOwner

__all__ = [
    "BodyFraming",
    "BodyTooLarge",
    "BodyUnavailable",
    "ContinueRequired",
    "Exchange",
    "Head",
    "HttpConnection",
    "HttpServer",
    "Request",
    "ResponseStream",
    "StreamOwner",
    "UnreadableBody",
    "parse_head",
]
