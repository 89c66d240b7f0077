"""Method `batch`: many commands in one request (05 §6.14)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from .encoding import encode_failure, encode_result
from .errors import ApiError, BadRequest, NotFound
from .methods import METHODS, execute
from .pacing import TimeSlice, run_all
from .requests import Command

if TYPE_CHECKING:
    from .node import Node
    from .requests import BatchRequest
    from .results import Result

_COMMANDS: Final = [(name, METHODS[name]) for name in Command.__struct_fields__]


class Reply(NamedTuple):
    """What became of one command: the result of the command named, or an error."""

    command: str = ""
    result: Result | None = None
    error: ApiError | None = None


async def run_batch(node: Node, request: BatchRequest) -> list[Reply]:
    """Run the commands one after another or side by side; one reply for each, in their order. Errors stop nothing."""
    if request.parallel:
        return await run_all(_reply(node, command) for command in request.commands)
    replies = []
    time_slice = TimeSlice()
    for command in request.commands:
        replies.append(await _reply(node, command))
        if time_slice.is_over():
            await time_slice.give_way()
    return replies


async def _reply(node: Node, command: Command | None) -> Reply:
    if command is None:
        return Reply(error=BadRequest())
    for name, method in _COMMANDS:
        request = getattr(command, name)
        if request is not None:
            try:
                return Reply(name, await execute(node, method, request))
            except ApiError as error:
                return Reply(error=error)
    return Reply(error=NotFound())


def encode_replies(replies: list[Reply]) -> bytes:
    """The body of the answer, which has no envelope. Raises `PayloadNotJSON`."""
    if not replies:
        return b"{}"
    return b'{"replies":[%s]}' % b",".join([_encode_reply(reply) for reply in replies])


def _encode_reply(reply: Reply) -> bytes:
    if reply.error is not None:
        return encode_failure(reply.error)
    assert reply.result is not None
    return b'{"%s":%s}' % (reply.command.encode(), encode_result(reply.result))
