"""Legacy envelope: a body with a stream of commands, a reply per line (05 §2.8)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from fanjet.net.time_slicing import TimeSlice
from fanjet.protocol.json_encoding import lenient_decoder
from fanjet.protocol.json_encoding.document_decoder import DocumentDecoder
from fanjet.protocol.json_encoding.scan import MalformedJSON, require_utf8, skip_space

from .encoding import encode_error, encode_result
from .errors import ApiError, BadRequest, NotFound
from .methods import METHODS
from .requests import LegacyCommand

if TYPE_CHECKING:
    from collections.abc import Iterator

    from msgspec import Raw

    from .calls import Calls
    from .results import Result

_NUMBERS: Final = {
    "publish": 0,
    "broadcast": 1,
    "unsubscribe": 2,
    "disconnect": 3,
    "presence": 4,
    "presence_stats": 5,
    "history": 6,
    "history_remove": 7,
    "channels": 8,
    "info": 9,
    "rpc": 10,
    "subscribe": 11,
    "refresh": 12,
    "connections": 14,
    "update_user_status": 15,
    "get_user_status": 16,
    "delete_user_status": 17,
    "block_user": 18,
    "unblock_user": 19,
    "revoke_token": 20,
    "invalidate_user_tokens": 21,
    "device_register": 22,
    "device_update": 23,
    "device_remove": 24,
    "device_list": 25,
    "device_topic_list": 26,
    "device_topic_update": 27,
    "user_topic_list": 28,
    "user_topic_update": 29,
    "send_push_notification": 30,
    "update_push_status": 31,
    "cancel_push": 32,
    "map_publish": 33,
    "map_remove": 34,
    "map_read_state": 35,
    "map_read_stream": 36,
    "map_stats": 37,
    "map_clear": 38,
    "shared_poll_publish": 39,
}
_NAMES: Final = {number: name for name, number in _NUMBERS.items()}
_DECODERS: Final = {name: DocumentDecoder(method.request_type) for name, method in METHODS.items()}

_integer = re.compile(rb"-?[0-9]{1,19}").fullmatch


async def run_legacy(calls: Calls, body: bytes) -> bytes:
    """Run the commands of a body sequentially. Returns the replies, one per line.

    Raises `MalformedJSON` at the first command that cannot be decoded, and `PayloadNotJSON`: earlier commands have been
    executed, and their replies are lost.
    """
    replies = []
    time_slice = TimeSlice()
    for command in _commands(body):
        name = _method_name(bytes(command.method))
        try:
            reply = _success(command.id, await _execute(calls, name, command.params))
        except ApiError as error:
            reply = _failure(command.id, error)
        replies.append(reply.replace(b"\n", b""))  # payloads may contain line breaks
        if time_slice.is_over():
            await time_slice.yield_to_loop()
    return b"\n".join(replies)


_decode_command = DocumentDecoder(LegacyCommand).decode


def _commands(body: bytes) -> Iterator[LegacyCommand]:
    """Decode the commands.

    Usually there is one per line; several may share a line, and one may span lines.
    """
    require_utf8(body)
    at = skip_space(body, 0)
    line_end = -1
    while at < len(body):
        if at > line_end:
            line_end = _end_of_line(body, at)
            whole = _try_decode_line(body[at:line_end])
            if whole is not None:
                at = skip_space(body, line_end)
                yield whole
                continue
        command, at = lenient_decoder.decode_first(body, at, LegacyCommand)
        yield command


def _end_of_line(body: bytes, at: int) -> int:
    end = body.find(b"\n", at)
    return len(body) if end < 0 else end


def _try_decode_line(line: bytes) -> LegacyCommand | None:
    """Decode the line if it holds exactly one command, else return None."""
    try:
        return _decode_command(line)
    except MalformedJSON:
        return None


def _method_name(literal: bytes) -> str:
    """Return the name of a method given by number or name; empty if unknown.

    Raises `MalformedJSON`.
    """
    if _integer(literal):
        return _NAMES.get(int(literal), "")
    name = literal[1:-1].decode().lower()
    if literal[:1] != b'"' or name not in _NUMBERS:
        raise MalformedJSON("unknown method")
    return name


async def _execute(calls: Calls, name: str, params: Raw) -> Result:
    if name not in METHODS:
        raise NotFound
    text = bytes(params)
    if name == "info" or text == b"null":
        text = b"{}"
    try:
        request = _DECODERS[name].decode(text)
    except MalformedJSON as error:
        raise BadRequest from error
    return await calls.execute(METHODS[name], request)


def _success(command_id: int, result: Result) -> bytes:
    return b'{%s"result":%s}' % (_id_member(command_id), encode_result(result))


def _failure(command_id: int, error: ApiError) -> bytes:
    return b'{%s"error":%s}' % (_id_member(command_id), encode_error(error))


def _id_member(command_id: int) -> bytes:
    return b'"id":%d,' % command_id if command_id else b""
