"""Parses request heads: a pure function of their bytes.

Two reasons against a parser library: keep-alive clients repeat the same head, so that parsing becomes a dictionary
lookup (see `head_cache`); and no library handles odd input as the contract does (02 section 3.1): unknown methods reach
the endpoints, equal `Content-Length` lines count as one, a bare line feed ends a line.
"""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote_to_bytes

import msgspec

from .errors import BadRequest

CHUNKED: Final = -1

_TOKEN: Final = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
_METHOD: Final = re.compile(_TOKEN)
_FIELD: Final = re.compile(rb"^(" + _TOKEN + rb"):[ \t]*+([^\x00-\x08\x0a-\x1f\x7f]*+)\r\n", re.MULTILINE)
_FIELD_WITH_SPACES: Final = re.compile(rb"^(?:" + _TOKEN + rb"| )++:[^\x00-\x08\x0a-\x1f\x7f]*+\r\n", re.MULTILINE)
_HOST_MISSING: Final = "missing required Host header"
_FOLD: Final = re.compile(rb"\r\n[ \t]+")
_BARE_LF: Final = re.compile(rb"(?<!\r)\n")
_CONTROL: Final = re.compile(rb"[\x00-\x20\x7f]")
_BAD_ESCAPE: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_VERSION: Final = re.compile(rb"HTTP/[0-9]\.[0-9]")
_SCHEME: Final = re.compile(rb"[A-Za-z][A-Za-z0-9+\-.]*:")
_HOST: Final = re.compile(rb"[0-9A-Za-z!$%&()*+,\-.:;=\[\]'_~]*")


class Head(msgspec.Struct, frozen=True):
    """A parsed request line with headers.

    Shared between equal requests: must not be modified.
    """

    method: str
    target: bytes
    raw_path: str
    """The path as sent, percent-encoded."""
    path: str
    """The decoded path."""
    query: bytes
    headers: Mapping[bytes, bytes]
    """By lower-case name; the first value of repeated headers."""
    repeated: Mapping[bytes, list[bytes]]
    """All values of repeated headers."""
    version: str
    content_length: int
    """Bytes of the body, or `CHUNKED`."""
    keep_alive: bool
    expects_continue: bool
    ordinary: bool
    """Whether `ordinary_response` applies: HTTP/1.1, keep-alive, not HEAD."""


def parse_head(head: bytes) -> Head:
    """Parse a head, without its final empty line. Raises `BadRequest`."""
    if head.count(b"\n") != head.count(b"\r\n"):
        head = _BARE_LF.sub(b"\r\n", head)
    request_line, _, fields = head.partition(b"\r\n")
    method, target, version = _parse_request_line(request_line)
    headers, repeated = _parse_fields(fields)
    raw_path, query = parse_target(method, target)
    is_preface = False
    if version[0] != "1":
        is_preface = (method, target, version) == ("PRI", b"*", "2.0")
        if not is_preface:  # the HTTP/2 preface is handled as a request for `*`
            raise BadRequest(505, "unsupported protocol version")
    modern = version != "1.0"
    length = _body_length(headers, repeated, modern=modern)
    keep_alive = _keeps_alive(headers, repeated, modern=modern)
    _check_host(method, headers, repeated, required=modern and not is_preface)
    return Head(
        method=method,
        target=target,
        raw_path=raw_path,
        path=decode_path(raw_path),
        query=query,
        headers=headers,
        repeated=repeated,
        version=version,
        content_length=length,
        keep_alive=keep_alive,
        expects_continue=_expects_continue(headers, modern=modern) and length != 0,
        ordinary=keep_alive and modern and method != "HEAD",
    )


def check_request_line(line: bytes) -> None:
    """Raise `BadRequest` for an invalid request line."""
    _parse_request_line(line)


def _parse_request_line(line: bytes) -> tuple[str, bytes, str]:
    parts = line.split(b" ", 2)
    if len(parts) != 3 or not _METHOD.fullmatch(parts[0]):
        raise BadRequest
    version = parts[2]
    if version == b"HTTP/1.1":
        return parts[0].decode(), parts[1], "1.1"
    if not _VERSION.fullmatch(version):
        raise BadRequest
    return parts[0].decode(), parts[1], version[5:].decode()


def parse_target(method: str, target: bytes) -> tuple[str, bytes]:
    """Return the encoded path and the query of a target in any of its four forms.

    RFC 9112 section 3.2. Raises `BadRequest`.
    """
    if not target or _CONTROL.search(target):
        raise BadRequest
    path, _, query = target.partition(b"?")
    if not path.startswith(b"/") and target != b"*":
        path = _path_of_absolute(method, path)
    if _BAD_ESCAPE.search(path):
        raise BadRequest
    return path.decode("latin-1"), query


def _path_of_absolute(method: str, target: bytes) -> bytes:
    if method == "CONNECT":
        rest = b"//" + target
    elif scheme := _SCHEME.match(target):
        rest = target[scheme.end() :]
    else:
        raise BadRequest
    if rest.startswith(b"//"):
        _, slash, path = rest[2:].partition(b"/")
        return slash + path
    return rest if rest.startswith(b"/") else b""  # `scheme:opaque` has no path


def decode_path(raw_path: str) -> str:
    """Decode percent-escapes; what is not UTF-8 then is replaced."""
    if raw_path.isascii() and "%" not in raw_path:
        return raw_path
    return unquote_to_bytes(raw_path.encode("latin-1")).decode("utf-8", "replace")


def _parse_fields(fields: bytes) -> tuple[dict[bytes, bytes], dict[bytes, list[bytes]]]:
    if not fields:
        return {}, {}
    if fields[0] in b" \t":
        raise BadRequest
    fields += b"\r\n"
    found = _FIELD.findall(fields)
    if len(found) != fields.count(b"\n"):  # some line is not a field: it may be a folded continuation
        fields = _FOLD.sub(b" ", fields)
        found = _FIELD.findall(fields)
        if len(found) != fields.count(b"\n"):
            raise _fault_of(fields)
    headers = {name.lower(): value.rstrip(b" \t") for name, value in found}
    return (headers, {}) if len(headers) == len(found) else _sort_repeated(found)


def _sort_repeated(found: list[tuple[bytes, bytes]]) -> tuple[dict[bytes, bytes], dict[bytes, list[bytes]]]:
    headers: dict[bytes, bytes] = {}
    repeated: dict[bytes, list[bytes]] = {}
    for sent_name, sent_value in found:
        name, value = sent_name.lower(), sent_value.rstrip(b" \t")
        if name in headers:
            repeated.setdefault(name, [headers[name]]).append(value)
        else:
            headers[name] = value
    return headers, repeated


def _fault_of(fields: bytes) -> BadRequest:
    if len(_FIELD_WITH_SPACES.findall(fields)) != fields.count(b"\n"):
        return BadRequest()
    has_host = re.search(rb"^host:", fields, re.MULTILINE | re.IGNORECASE)
    return BadRequest(400, "invalid header name" if has_host else _HOST_MISSING)


def _body_length(headers: dict[bytes, bytes], repeated: dict[bytes, list[bytes]], *, modern: bool) -> int:
    declared = headers.get(b"content-length")
    if declared is not None:
        if any(value != declared for value in repeated.get(b"content-length", ())):
            raise BadRequest
        if not declared.isdigit() or len(declared) > 18:
            raise BadRequest
    coding = headers.get(b"transfer-encoding")
    if coding is not None and modern:
        # One encoding, and only this one: anything else is a way to smuggle requests past a proxy.
        if b"transfer-encoding" in repeated or coding.lower() != b"chunked":
            raise BadRequest(501)
        return CHUNKED
    return 0 if declared is None else int(declared)


def _check_host(
    method: str, headers: dict[bytes, bytes], repeated: dict[bytes, list[bytes]], *, required: bool
) -> None:
    host = headers.get(b"host")
    if b"host" in repeated:
        raise BadRequest
    if host is None:
        if required and method != "CONNECT":
            raise BadRequest(400, _HOST_MISSING)
    elif not _HOST.fullmatch(host):
        raise BadRequest(400, "malformed Host header")


def _keeps_alive(headers: dict[bytes, bytes], repeated: dict[bytes, list[bytes]], *, modern: bool) -> bool:
    value = headers.get(b"connection")
    if value is None or (value == b"keep-alive" and modern and not repeated):
        return modern
    lines = repeated.get(b"connection") or [value]
    options = {item.strip(b" \t") for line in lines for item in line.lower().split(b",")}
    return b"close" not in options and (modern or b"keep-alive" in options)


def _expects_continue(headers: dict[bytes, bytes], *, modern: bool) -> bool:
    expectation = headers.get(b"expect")
    if not expectation:
        return False
    if expectation.lower() != b"100-continue":
        raise BadRequest(417)
    return modern
