"""Listening to what one session says and is told. It costs the others nothing: a session that is watched has wire
formats of its own, and what it subscribes to is encoded once more for it alone.
"""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any, Protocol, cast

from msgspec.structs import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fanjet.protocol.codec import Codec
    from fanjet.protocol.messages import Command
    from fanjet.protocol.wire import WireFormat

    from .session import Session


class Observer(Protocol):
    """Who listens."""

    def on_command(self, session: Session, command: Command) -> None:
        """The client has sent a command, an empty one as a pong. Called before it runs."""

    def on_message(self, session: Session, message: bytes) -> None:
        """A message is on its way to the client, in its encoding and without frame. Pings are not told."""


class Watching:
    """Who listens to which sessions."""

    def __init__(self) -> None:
        self._watches: dict[Session, _Watch] = {}

    def add(self, session: Session, observer: Observer) -> None:
        """Tell the observer what the session says and is told from now on."""
        watch = self._watches.get(session)
        if watch is None:
            watch = self._watches[session] = _Watch(session)
        watch.observers.append(observer)

    def remove(self, session: Session, observer: Observer) -> None:
        """Tell it no more."""
        watch = self._watches.get(session)
        if watch is None or observer not in watch.observers:
            return
        watch.observers.remove(observer)
        if not watch.observers:
            del self._watches[session]
            watch.stop()


class _Watch:
    """The wire formats of one watched session: that of its replies also hears what comes in."""

    def __init__(self, session: Session) -> None:
        self.observers: list[Observer] = []
        self._session = session
        self._before = session.transport.wire
        frame = self._before.frame
        self._outward = _with_frame(self._before, lambda message: frame(self._note(message)))
        self._hearing = _Hearing(self._before.codec, self._hear)
        both = _with_frame(self._before, self._outward.frame)
        both.codec = cast("Codec", self._hearing)
        session.transport.wire = both
        self._deliver_by(self._outward)

    def stop(self) -> None:
        """Put everything back, and let the session go: no collector looks at what lives long (DESIGN rule 10)."""
        self._session.transport.wire = self._before
        self._deliver_by(self._before)
        self._hearing.told = _nobody  # channels may remember the codec
        del self._session, self._outward, self._hearing

    def _deliver_by(self, wire: WireFormat) -> None:
        session = self._session
        for subscription in session.subscriptions.values():
            session.context.node.hub.change(subscription, replace(subscription.delivery, wire=wire))

    def _note(self, message: bytes) -> bytes:
        for observer in self.observers:
            observer.on_message(self._session, message)
        return message

    def _hear(self, command: Command) -> None:
        for observer in self.observers:
            observer.on_command(self._session, command)


class _Hearing:
    """A codec, and what it decodes is told."""

    def __init__(self, codec: Codec, told: Callable[[Command], None]) -> None:
        self._codec = codec
        self.told = told

    def __getattr__(self, name: str) -> Any:
        return getattr(self._codec, name)

    def commands(self, frame: bytes) -> Iterator[tuple[Command, int]]:
        """See `Codec`."""
        return self._tell(self._codec.commands(frame))

    def _tell(self, commands: Iterator[tuple[Command, int]]) -> Iterator[tuple[Command, int]]:
        for command, size in commands:
            self.told(command)
            yield command, size


def _nobody(command: Command) -> None:
    """Who listens when nobody does any more."""


def _with_frame(wire: WireFormat, frame: Callable[[bytes], bytes]) -> WireFormat:
    made = copy(wire)
    made.frame = frame
    return made
