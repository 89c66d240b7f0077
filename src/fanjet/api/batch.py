"""Method `batch`: many commands in one request (05 §6.14)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from .encoding import encode_mapping
from .errors import BadRequest, NotFound, as_api_error
from .methods import METHODS
from .pacing import TimeSlice, run_all
from .requests import Command
from .results import ErrorResult, Result

if TYPE_CHECKING:
    from .errors import ApiError
    from .node import Node
    from .requests import BatchRequest

_COMMANDS: Final = [(name, METHODS[name].run) for name in Command.__struct_fields__]

Reply: TypeAlias = dict[str, Result]
"""What became of one command, in its only item: the result by the command's name, or the error as `error`."""


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
        return _failure(BadRequest())
    for name, run in _COMMANDS:
        request = getattr(command, name)
        if request is not None:
            try:
                return {name: await run(node, request)}
            except Exception as error:
                return _failure(as_api_error(error, name))
    return _failure(NotFound())


def _failure(error: ApiError) -> Reply:
    return {"error": ErrorResult(error.code, error.message)}


def encode_replies(replies: list[Reply]) -> bytes:
    """The body of the answer, which has no envelope. Raises `PayloadNotJSON`."""
    return encode_mapping({"replies": replies} if replies else {})
