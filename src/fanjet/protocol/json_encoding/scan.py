"""Finds the end of a JSON value, strictly by RFC 8259, without recursion.

The input determines the nesting depth, so the scan uses a loop and a stack of one byte per level.
"""

import re
import sys
from typing import Final

import msgspec

MAX_DEPTH: Final = 10_000
"""Levels of objects and arrays in a document, including the outermost."""

# Before 3.11.5, `re` loses its position if a possessively repeated group fails half-way (cpython#106052). The patterns
# are correct without possessive repetition; it only saves memory on long runs.
_POSSESSIVE_END = b"+" if sys.version_info >= (3, 11, 5) else b""

_SPACE = rb"[ \t\n\r]*+"
_STRING = rb'"[^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*+)*' + _POSSESSIVE_END + rb'"'
_NUMBER = rb"-?+(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?" + _POSSESSIVE_END + rb"(?:[eE][+-]?+[0-9]++)?" + _POSSESSIVE_END
_SCALAR = rb"(?:" + _STRING + rb"|" + _NUMBER + rb"|true|false|null)"

match_string: Final = re.compile(_STRING).match
match_integer: Final = re.compile(rb"-?+(?:0|[1-9][0-9]*+)(?![.eE])").match
match_key: Final = re.compile(_SPACE + rb"(" + _STRING + rb")" + _SPACE + rb":" + _SPACE).match
"""Matches a key with its colon and surrounding space; group 1 is the string literal."""

_validate = msgspec.json.Decoder(msgspec.Raw).decode
_space = re.compile(_SPACE)
_scalar = re.compile(_SCALAR)
# One match skips a run of scalars, which would take one loop iteration each.
_elements = re.compile(rb"(?:" + _SPACE + _SCALAR + _SPACE + rb",)*" + _POSSESSIVE_END + _SPACE)
_members = re.compile(
    rb"(?:" + _SPACE + _STRING + _SPACE + rb":" + _SPACE + _SCALAR + _SPACE + rb",)*" + _POSSESSIVE_END + _SPACE
)

_OPEN_ARRAY, _CLOSE_ARRAY, _OPEN_OBJECT, _CLOSE_OBJECT, _COMMA = b"[]{},"


class MalformedJSON(ValueError):  # noqa: N818
    """The text cannot be decoded as JSON of the expected type.

    It is not JSON, not UTF-8, nested too deep, or a value has the wrong type for its field.
    """


def is_json(data: bytes) -> bool:
    """Return whether `data` is one valid JSON document in UTF-8.

    It may have at most `MAX_DEPTH` levels.
    """
    try:
        require_utf8(data)
        _validate(data)
    except MalformedJSON:
        return False
    except (msgspec.DecodeError, RecursionError):
        return _is_json_by_scan(data)  # lone surrogates and deep nesting are legal
    return True


def _is_json_by_scan(data: bytes) -> bool:
    try:
        return skip_space(data, skip_value(data, skip_space(data, 0))) == len(data)
    except MalformedJSON:
        return False


def require_utf8(data: bytes) -> None:
    """Raise `MalformedJSON` if the bytes are not UTF-8."""
    if not data.isascii():
        try:
            data.decode()
        except UnicodeDecodeError as error:
            raise MalformedJSON("not UTF-8") from error


def skip_space(data: bytes, at: int) -> int:
    """Return the offset after the white space at `at`."""
    found = _space.match(data, at)
    return found.end() if found else at


def skip_value(data: bytes, at: int, depth: int = 0) -> int:
    """Return the end of the value at `at`, nested in `depth` containers.

    Raises `MalformedJSON`.
    """
    open_containers = bytearray()
    while True:
        opener = data[at] if at < len(data) else 0
        if opener in (_OPEN_ARRAY, _OPEN_OBJECT):
            if depth + len(open_containers) >= MAX_DEPTH:
                raise MalformedJSON("nested too deep")
            open_containers.append(opener)
            at = skip_space(data, at + 1)
            if not data.startswith(b"]" if opener == _OPEN_ARRAY else b"}", at):
                at = _enter_next(data, at, opener)
                continue
        else:
            at = _skip_scalar(data, at)
        at = _close_containers(data, at, open_containers)
        if not open_containers:
            return at
        at = _enter_next(data, at + 1, open_containers[-1])


def _skip_scalar(data: bytes, at: int) -> int:
    found = _scalar.match(data, at)
    if not found:
        raise MalformedJSON(f"no value at byte {at}")
    return found.end()


def _enter_next(data: bytes, at: int, container: int) -> int:
    """Skip to the next value that is no scalar followed by a comma.

    Starts after an opener or a comma.
    """
    found = (_elements if container == _OPEN_ARRAY else _members).match(data, at)
    at = found.end() if found else at
    if container == _OPEN_ARRAY:
        return at
    key = match_key(data, at)
    if not key:
        raise MalformedJSON(f"no key at byte {at}")
    return key.end()


def _close_containers(data: bytes, at: int, open_containers: bytearray) -> int:
    """Close the containers that end after a value.

    Returns the offset of the comma, or the end of the last container.
    """
    while open_containers:
        at = skip_space(data, at)
        byte = data[at] if at < len(data) else 0
        if byte == _COMMA:
            return at
        if byte != (_CLOSE_ARRAY if open_containers[-1] == _OPEN_ARRAY else _CLOSE_OBJECT):
            raise MalformedJSON(f"no comma and no end at byte {at}")
        open_containers.pop()
        at += 1
    return at
