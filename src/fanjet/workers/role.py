"""What a process that was started by another one of this program is meant to be.

Workers and the engine are started by the very command line that the operator gave, so that they load the same program
and read the configuration anew. One variable tells them what they are.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

VARIABLE: Final = "_FANJET_PLACE"


class PostPlace(msgspec.Struct, frozen=True):
    """How workers hand on what came to the wrong one (`post.Post`)."""

    folder: str
    number: int
    """Of this process among all workers that were ever started."""
    key: bytes
    """Common to all."""


class WorkerPlace(msgspec.Struct, frozen=True, tag="worker"):
    """One of several workers. `line` and `keeper` are file descriptors."""

    number: int
    """From 1."""
    line: int
    """Messages to and from the supervisor (`line.Line`)."""
    keeper: int
    """Questions for sockets (`kept.KeptAddresses`)."""
    engine: str
    """Path of the socket of the process that keeps what would be in memory; empty: there is none."""
    post: PostPlace


class EnginePlace(msgspec.Struct, frozen=True, tag="engine"):
    """The process that keeps in memory what all workers share. File descriptors."""

    listening: int
    """A bound Unix socket."""
    life: int
    """A pipe that ends when nobody is left to serve."""
    line: int
    """Messages to and from the supervisor (`line.Line`)."""


@dataclass(frozen=True, slots=True)
class Worker:
    """This process is a worker."""

    number: int
    line: socket.socket
    keeper: socket.socket
    engine: str
    post: PostPlace


@dataclass(frozen=True, slots=True)
class Engine:
    """This process is the engine."""

    listening: socket.socket
    life: int
    line: socket.socket


Place: TypeAlias = Worker | Engine | None


def environment_for(place: WorkerPlace | EnginePlace, environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of a process to be."""
    return {**environment, VARIABLE: msgspec.json.encode(place).decode()}


def take_place(environment: MutableMapping[str, str]) -> Place:
    """What this process is; the variable goes, so that children do not take themselves for it."""
    told = environment.pop(VARIABLE, "")
    if not told:
        return None
    place = msgspec.json.decode(told, type=WorkerPlace | EnginePlace)
    if isinstance(place, EnginePlace):
        os.set_inheritable(place.life, False)
        return Engine(_socket(place.listening), place.life, _socket(place.line))
    return Worker(place.number, _socket(place.line), _socket(place.keeper), place.engine, place.post)


def role_in(environment: Mapping[str, str]) -> str:
    """What a process with this environment was started as: `worker`, `engine`, or empty."""
    told = environment.get(VARIABLE)
    if told is None:
        return ""
    place = msgspec.json.decode(told, type=WorkerPlace | EnginePlace)
    return "engine" if isinstance(place, EnginePlace) else "worker"


def _socket(descriptor: int) -> socket.socket:
    os.set_inheritable(descriptor, False)
    return socket.socket(fileno=descriptor)
