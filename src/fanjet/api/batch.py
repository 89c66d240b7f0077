"""Method `batch`: many commands in one request (05 §6.14)."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Final, TypeAlias

from fanjet.net.time_slicing import TimeSlice, run_all, run_in_order

from .encoding import encode_mapping
from .errors import BadRequest, NotFound
from .methods import METHODS
from .requests import Command
from .results import ErrorResult, Result

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .calls import Calls
    from .errors import ApiError
    from .requests import BatchRequest

_BATCH_METHODS: Final = [METHODS[name] for name in Command.__struct_fields__]

Reply: TypeAlias = dict[str, Result]
"""The outcome of one command as a single item: its result under the command's name, or `error`."""


async def run_batch(calls: Calls, request: BatchRequest) -> list[Reply]:
    """Run commands sequentially or concurrently.

    Returns one reply per command, in order.

    A command that fails does not stop the others.
    """
    if not calls.node.keeps_order:
        run = _run_concurrently if request.parallel else _run_sequentially
        return await run(calls, request.commands)
    if request.parallel and not all(map(_is_publish, request.commands)):
        return await _run_concurrently(calls, request.commands)
    replies: list[Reply] = []
    for publishes, commands in groupby(request.commands, _is_publish):
        run = _run_pipelined if publishes else _run_sequentially
        replies += await run(calls, commands)
    return replies


async def _run_concurrently(calls: Calls, commands: Iterable[Command | None]) -> list[Reply]:
    return await run_all(_reply(calls, command) for command in commands)


async def _run_sequentially(calls: Calls, commands: Iterable[Command | None]) -> list[Reply]:
    replies = []
    time_slice = TimeSlice()
    for command in commands:
        replies.append(await _reply(calls, command))
        if time_slice.is_over():
            await time_slice.yield_to_loop()
    return replies


async def _run_pipelined(calls: Calls, commands: Iterable[Command | None]) -> list[Reply]:
    return await run_in_order(_reply(calls, command) for command in commands)


def _is_publish(command: Command | None) -> bool:
    """Whether the command is a publish, which needs no wait to keep its order."""
    return command is not None and command.publish is not None


async def _reply(calls: Calls, command: Command | None) -> Reply:
    if command is None:
        return _failure(calls.as_error(BadRequest(), "unknown"))
    for method in _BATCH_METHODS:
        name = method.name
        request = getattr(command, name)
        if request is not None:
            try:
                return {name: await calls.run(method, request)}
            except Exception as error:
                return _failure(calls.as_error(error, name))
    return _failure(calls.as_error(NotFound(), "unknown"))


def _failure(error: ApiError) -> Reply:
    return {"error": ErrorResult(error.code, error.message)}


def encode_replies(replies: list[Reply]) -> bytes:
    """Encode the response body, which has no envelope. Raises `PayloadNotJSON`."""
    return encode_mapping({"replies": replies} if replies else {})
