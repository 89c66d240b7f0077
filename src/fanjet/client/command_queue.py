"""Runs a connection's commands in order, synchronously until one has to wait.

See 01 §4 and DESIGN rules 3 and 9.
"""

from __future__ import annotations

import asyncio
from collections import deque
from functools import partial
from operator import length_hint
from time import perf_counter
from typing import TYPE_CHECKING

from msgspec import Struct

from fanjet.engines.interfaces import EngineUnavailable
from fanjet.net.aio import start
from fanjet.protocol.codec import MalformedFrame
from fanjet.protocol.codes import (
    DISCONNECT_BAD_REQUEST,
    DISCONNECT_CONNECTION_CLOSED,
    ERROR_INTERNAL,
    ERROR_NOT_AVAILABLE,
    Disconnected,
    ReplyError,
)
from fanjet.telemetry.logging import get_logger
from fanjet.telemetry.rate_limited_log import RateLimitedLog

from .commands.dispatch import CONNECT, PONG, UNKNOWN, Operation, select
from .commands.subscribe_prefetch import MAX_COMMANDS, MAX_FRAME_BYTES, prefetch, prefetch_frame, waits_for_broker
from .context import log_failure
from .state import State

if TYPE_CHECKING:
    from fanjet.protocol.messages import Command

    from .commands.subscribe_prefetch import Commands
    from .session_interface import SessionInterface

log = get_logger(__name__)
failures = RateLimitedLog(log, 20)
"""Error replies. Rate-limited, since a few lines per second are enough."""

NO_FRAME = -1
"""Size of a command that did not arrive in a frame."""
COMMANDS_PER_SLICE = 100
"""Commands run before other connections get their turn: one read can contain thousands, in one frame or in many."""


class CommandQueue(Struct, eq=False, gc=False):
    """The reading half of a session.

    One command runs at a time, or up to `client.concurrency`; an exclusive command (connect, unsubscribe) runs alone.
    While no further command may start, the rest of the frame and later frames are queued in order. The first queued
    frame pauses reading from the transport, since most clients wait for replies before they send more. Exception:
    frames with subscribes behind a subscribe that waits for the broker are read on, to prefetch their channels
    together.
    """

    _session: SessionInterface
    _commands: Commands | None = None
    _waiting_for: Command | None = None
    _frames: deque[bytes | Commands] | None = None
    _prefetch_left: int = 0
    _input_paused: bool = False
    _tasks: set[asyncio.Task[None]] | None = None
    _slice_left: int = COMMANDS_PER_SLICE
    _running: int = 0
    _exclusive: bool = False
    _waiting: bool = False
    _finishing: bool = False

    @property
    def idle(self) -> bool:
        """Whether no command runs or is queued."""
        return not self._running and not self._waiting

    def take(self, frame: bytes) -> None:
        """Run a frame's commands, or queue the frame behind earlier commands."""
        session = self._session
        if self._waiting:
            self._enqueue(frame)
        elif session.usable:
            session.cork()
            try:
                self._run(session.transport.wire.codec.commands(frame))
            except MalformedFrame:
                self._disconnect_malformed()
            finally:
                session.uncork()
        elif not session.closed:
            session.disconnect(DISCONNECT_BAD_REQUEST)

    def run_command(self, command: Command) -> None:
        """Run the first command when it did not arrive in a frame.

        It is not counted as received.
        """
        self._session.cork()
        try:
            self._run(iter(((command, NO_FRAME),)))
        finally:
            self._session.uncork()

    @property
    def has_pending(self) -> bool:
        """Whether received commands have not started yet."""
        return self._commands is not None or bool(self._frames)

    def finish(self) -> None:
        """The client sends nothing more: run what is queued, then close."""
        self._finishing = True
        self._close_if_done()

    def stop(self) -> None:
        """The connection is closed: start nothing more.

        Commands under way end by themselves and roll back.
        """
        self._commands = None
        self._frames = None

    def _enqueue(self, frame: bytes) -> None:
        """Queue a frame until its turn comes."""
        frames = self._frames
        if frames is None:
            frames = self._frames = deque()
            waiting_for = self._waiting_for
            self._prefetch_left = (
                MAX_COMMANDS if waiting_for is not None and waits_for_broker(self._session, waiting_for) else 0
            )
        if self._prefetch_left and len(frame) <= MAX_FRAME_BYTES:
            commands, left = prefetch_frame(self._session, frame, self._prefetch_left)
            frames.append(commands)
            self._prefetch_left = min(left, self._prefetch_left - 1)  # frames may hold no commands
        else:
            frames.append(frame)
            self._prefetch_left = 0
        if not (self._prefetch_left or self._input_paused):
            self._input_paused = True
            self._pause_input()

    def _run_queued(self, frame: bytes | Commands) -> None:
        session = self._session
        if session.usable:
            try:
                self._run(session.transport.wire.codec.commands(frame) if isinstance(frame, bytes) else frame)
            except MalformedFrame:
                self._disconnect_malformed()
        elif not session.closed:
            session.disconnect(DISCONNECT_BAD_REQUEST)

    def _run(self, commands: Commands) -> None:
        """Run commands, each given with its size in bytes. Raises `MalformedFrame`."""
        session = self._session
        for command, size in commands:
            may_start_next = self._start_command(command, size)
            if not session.usable:
                break
            if not may_start_next:
                # Most frames hold one command, and their iterators report that none is left.
                if not length_hint(commands, 1):
                    self._wait(None, command)
                elif waits_for_broker(session, command):
                    self._wait(prefetch(session, commands)[0], command)
                else:
                    self._wait(commands, command)
                break
            self._slice_left -= 1
            if not self._slice_left:
                self._yield_to_loop(commands)
                break

    def _disconnect_malformed(self) -> None:
        session = self._session
        session.flush()  # the replies to what came before, which not every disconnect does
        session.disconnect(session.transport.wire.malformed)

    def _wait(self, commands: Commands | None, waiting_for: Command | None = None) -> None:
        self._waiting = True
        self._commands = commands
        self._waiting_for = waiting_for

    def _yield_to_loop(self, commands: Commands) -> None:
        """Continue in the next turn of the event loop.

        Counted over all reads, since they cannot be assigned to turns: a client that sends rarely yields once in a
        hundred commands for nothing.
        """
        self._slice_left = COMMANDS_PER_SLICE
        self._wait(commands)
        asyncio.get_running_loop().call_soon(self._resume)

    def _resume(self) -> None:
        """Continue with queued commands if they may start."""
        session = self._session
        if not self._waiting or not self._may_start() or session.closed:
            return
        self._waiting = False
        self._waiting_for = None
        commands, self._commands = self._commands, None
        session.cork()
        try:
            if commands is not None and session.usable:  # else the connect failed: what came with it counts for nothing
                self._run_queued(commands)
            if self._frames is not None and not self._waiting:
                self._resume_frames(self._frames)
        finally:
            session.uncork()
        if self._waiting or session.closed:
            return
        if self._finishing:
            self._close_if_done()
        elif self._input_paused:
            self._input_paused = False
            self._resume_input()

    def _resume_frames(self, frames: deque[bytes | Commands]) -> None:
        if not self._session.usable:
            frames.clear()
        while frames and not self._waiting:
            self._run_queued(frames.popleft())
        if not frames:
            self._frames = None

    def _close_if_done(self) -> None:
        if self.idle:
            self._session.write_everything()  # for a client that still reads
            self._session.disconnect(DISCONNECT_CONNECTION_CLOSED)

    def _pause_input(self) -> None:
        """Commands are queued: stop reading."""
        self._session.transport.pause_reading()

    def _resume_input(self) -> None:
        """No command is queued any more: read again."""
        self._session.transport.resume_reading()

    def _may_start(self) -> bool:
        return not self._exclusive and self._running < self._session.context.settings.concurrency

    def _start_command(self, command: Command, size: int) -> bool:
        """Run a command until it completes or waits.

        False when the next one may not start.
        """
        session = self._session
        if not session.authenticated and command.connect is None:
            session.disconnect(DISCONNECT_BAD_REQUEST)
            return False
        operation, request = select(command)
        channel = request.channel if operation.on_channel else ""
        name = session.last_command = operation.name
        metrics = session.metrics
        traffic = metrics.traffic_in(channel) if metrics.by_namespace else metrics.traffic
        counted = size != NO_FRAME
        if counted:
            flow = traffic.received[name]
            flow.count += 1
            flow.size += size
        timed = counted and operation.timed
        started = perf_counter()
        if command.ping is not None and operation not in (PONG, CONNECT, UNKNOWN):
            RunningCommand(session, command.id, operation, channel, timed, started).end(ReplyError(ERROR_NOT_AVAILABLE))
            return True
        try:
            work = operation.handler(session, command.id, request)
            suspended = None if work is None else start(work)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            RunningCommand(session, command.id, operation, channel, timed, started).end(error)
            return operation.timed
        if suspended is None:  # most end here, and need no object
            if timed:
                if operation.exclusive:  # a connect decides what the connection is counted as
                    traffic = session.metrics.traffic_in(channel)
                traffic.durations[name].observe(perf_counter() - started)
            return True
        running = RunningCommand(session, command.id, operation, channel, timed, started)
        self._running += 1
        self._exclusive = operation.exclusive
        task = suspended.go_on(partial(self._on_done, running))
        if task is not None:
            if self._tasks is None:
                self._tasks = set()
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return self._may_start()

    def _on_done(self, running: RunningCommand, _result: None, error: BaseException | None) -> None:
        self._running -= 1
        if running.operation.exclusive:
            self._exclusive = False
        running.end(error)
        if self._waiting:
            self._resume()
        self._session.uncork_later()
        if self._finishing:
            self._close_if_done()


class RunningCommand(Struct, eq=False, gc=False):
    """A command under way, since `_started`."""

    _session: SessionInterface
    _id: int
    operation: Operation
    _channel: str
    _timed: bool
    _started: float

    def end(self, error: BaseException | None) -> None:
        """Reply to an error it raised, and observe its duration."""
        if error is not None:
            self._handle_error(error)
        if self._timed:
            timing = self._session.metrics.traffic_in(self._channel).durations[self.operation.name]
            timing.observe(perf_counter() - self._started)

    def _handle_error(self, error: BaseException) -> None:
        """Map an exception to an error reply or a disconnect (01 §4.2)."""
        session = self._session
        if isinstance(error, ReplyError):
            failures.info(
                "client command error",
                client=session.client_id,
                user=session.user,
                command=self.operation.name,
                channel=self._channel,
                code=error.error.code,
                error=error.error.message,
            )
            session.reply_error(self._id, error.error, self.operation.name, self._channel)
        elif isinstance(error, Disconnected):
            session.disconnect(error.disconnect)
        elif not isinstance(error, asyncio.CancelledError):
            if isinstance(error, EngineUnavailable):
                log.error("command failed in the engine", client=session.client_id, user=session.user, error=error)
            else:
                log_failure("command failed", error, client=session.client_id, user=session.user)
            if session.state is State.CONNECTED:
                session.reply_error(self._id, ERROR_INTERNAL, self.operation.name, self._channel)
            else:
                session.refuse(self._id, ERROR_INTERNAL)
