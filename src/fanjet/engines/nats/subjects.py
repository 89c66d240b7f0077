"""NATS subjects of channels and nodes (07 §15.3 to §15.5)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping


_SPACE: Final = re.compile(r"[ \t\r\n]")
_SHORT: Final = {"\a": r"\a", "\b": r"\b", "\f": r"\f", "\v": r"\v", '"': r"\"", "\\": r"\\"}


def is_writable(subject: str) -> bool:
    """Whether the subject can be encoded in the protocol.

    The server may still reject it.
    """
    return bool(subject) and _SPACE.search(subject) is None


def is_subject(subject: str) -> bool:
    """Whether the server accepts the subject: no token is empty."""
    return is_writable(subject) and all(subject.split("."))


def quoted(subject: str) -> str:
    """The subject as quoted in errors of the server, by the rules of Go."""
    if subject.isprintable() and '"' not in subject and "\\" not in subject:
        return subject
    return "".join(map(_quoted, subject))


def _quoted(character: str) -> str:
    if character in _SHORT:
        return _SHORT[character]
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x80 else f"\\u{code:0{4 if code < 0x10000 else 8}x}"


class NodeSubjects:
    """Subjects of nodes (07 §14.2)."""

    def __init__(self, prefix: str, uid: str) -> None:
        self._prefix = prefix
        self.control = f"{prefix}.control"
        self.own = self.node(uid)

    def node(self, uid: str) -> str:
        """The subject of one node."""
        return f"{self._prefix}.node.{uid}"


class Subjects(Protocol):
    """A mapping between channels and subjects."""

    def subject(self, channel: str) -> str:
        """The subject of a channel."""

    def channel(self, subject: str) -> str:
        """The channel of a subject.

        Subscribers of a pattern get it with each publication.
        """


class PrefixedSubjects:
    """Subjects made of a prefix and the channel."""

    def __init__(self, prefix: str) -> None:
        self._prefix = f"{prefix}.client."

    def subject(self, channel: str) -> str:
        """See `Subjects.subject`."""
        return self._prefix + channel

    def channel(self, subject: str) -> str:
        """See `Subjects.channel`."""
        return subject.removeprefix(self._prefix)


class RawSubjects:
    """Subjects of external publishers, with parts of the channel replaced.

    The parts are replaced in one pass from left to right.
    """

    def __init__(self, prefix: str, replacements: Mapping[str, str]) -> None:
        self._prefix = prefix
        self._replacements = replacements
        self._pattern = re.compile("|".join(map(re.escape, replacements))) if replacements else None

    def subject(self, channel: str) -> str:
        """See `Subjects.subject`."""
        if self._pattern is not None:
            channel = self._pattern.sub(lambda match: self._replacements[match[0]], channel)
        return self._prefix + channel

    def channel(self, subject: str) -> str:
        """The subject without prefix; replacements are not reversed."""
        return subject.removeprefix(self._prefix)


def has_wildcard(channel: str) -> bool:
    """Whether NATS treats the channel as a pattern."""
    return "*" in channel or ">" in channel
