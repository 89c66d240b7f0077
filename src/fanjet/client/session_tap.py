"""Taps one session's commands and messages, for live traces.

Other sessions pay nothing: a tapped session has wire formats of its own, and publications are encoded once more for it.
"""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any, Protocol, cast

from msgspec.structs import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fanjet.events.unknown_replies import UnknownReply
    from fanjet.protocol.codec import Codec
    from fanjet.protocol.messages import Command
    from fanjet.protocol.wire import WireFormat

    from .session import Session


class Observer(Protocol):
    """Receives a tapped session's commands and messages."""

    def on_command(self, session: Session, command: Command) -> None:
        """The client has sent a command, an empty one for a pong. Called before it runs."""

    def on_message(self, session: Session, message: bytes) -> None:
        """Called when a message is about to be sent to the client.

        The message is in the client's encoding, without framing. Pings are not reported.
        """

    def on_unknown_reply(self, session: Session, reply: UnknownReply) -> None:
        """A backend has answered an event of the client with none of the known keys."""


class SessionTaps:
    """Observers of tapped sessions."""

    def __init__(self) -> None:
        self._taps: dict[Session, _Tap] = {}

    def add(self, session: Session, observer: Observer) -> None:
        """Report the session's commands and messages to the observer from now on."""
        tap = self._taps.get(session)
        if tap is None:
            tap = self._taps[session] = _Tap(session)
        tap.observers.append(observer)

    def remove(self, session: Session, observer: Observer) -> None:
        """Stop reporting to the observer."""
        tap = self._taps.get(session)
        if tap is None or observer not in tap.observers:
            return
        tap.observers.remove(observer)
        if not tap.observers:
            del self._taps[session]
            tap.stop()

    def on_unknown_reply(self, reply: UnknownReply) -> None:
        """Report a backend's reply without known keys to the observers of its client."""
        for session, tap in self._taps.items():
            if session.client_id == reply.client:
                for observer in tap.observers:
                    observer.on_unknown_reply(session, reply)


class _Tap:
    """The wire formats of one tapped session.

    The codec for replies also reports decoded commands.
    """

    def __init__(self, session: Session) -> None:
        self.observers: list[Observer] = []
        self._session = session
        self._original = session.transport.wire
        frame = self._original.frame
        self._outgoing = _with_frame(self._original, lambda message: frame(self._on_message(message)))
        self._codec = _TappedCodec(self._original.codec, self._on_command)
        both = _with_frame(self._original, self._outgoing.frame)
        both.codec = cast("Codec", self._codec)
        session.transport.wire = both
        self._deliver_with(self._outgoing)

    def stop(self) -> None:
        """Restore the wire formats and release the session.

        Long-lived objects are not garbage collected (DESIGN rule 10).
        """
        self._session.transport.wire = self._original
        self._deliver_with(self._original)
        self._codec.on_decoded = _ignore  # channels may remember the codec
        del self._session, self._outgoing, self._codec

    def _deliver_with(self, wire: WireFormat) -> None:
        session = self._session
        for subscription in session.subscriptions.values():
            session.context.node.hub.change(subscription, replace(subscription.delivery, wire=wire))

    def _on_message(self, message: bytes) -> bytes:
        for observer in self.observers:
            observer.on_message(self._session, message)
        return message

    def _on_command(self, command: Command) -> None:
        for observer in self.observers:
            observer.on_command(self._session, command)


class _TappedCodec:
    """A codec that reports decoded commands."""

    def __init__(self, codec: Codec, on_decoded: Callable[[Command], None]) -> None:
        self._codec = codec
        self.on_decoded = on_decoded

    def __getattr__(self, name: str) -> Any:
        return getattr(self._codec, name)

    def commands(self, frame: bytes) -> Iterator[tuple[Command, int]]:
        """See `Codec`."""
        return self._observed(self._codec.commands(frame))

    def _observed(self, commands: Iterator[tuple[Command, int]]) -> Iterator[tuple[Command, int]]:
        for command, size in commands:
            self.on_decoded(command)
            yield command, size


def _ignore(command: Command) -> None:
    """Replaces the callback of a stopped tap."""


def _with_frame(wire: WireFormat, frame: Callable[[bytes], bytes]) -> WireFormat:
    made = copy(wire)
    made.frame = frame
    return made
