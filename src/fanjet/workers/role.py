"""The role of this process: supervisor, worker or engine.

Workers and the engine are started with the command line of the supervisor, so that they load the same program and read
the configuration again. An environment variable contains their role.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

VARIABLE: Final = "_FANJET_ROLE"


class ForwardingSpec(msgspec.Struct, frozen=True):
    """Settings of `datagram_forwarding.DatagramForwarder`."""

    folder: str
    number: int
    """The number of this process among all workers that were ever started."""
    key: bytes
    """The key that all workers share."""


class WorkerSpec(msgspec.Struct, frozen=True, tag="worker"):
    """A worker. `control` and `sockets` are file descriptors."""

    number: int
    """From 1."""
    control: int
    """Messages to and from the supervisor (`control_channel.ControlChannel`)."""
    sockets: int
    """Requests for sockets (`socket_requests.SupervisorSockets`)."""
    engine: str
    """Path of the memory engine's socket; empty: no engine in memory is used."""
    forwarding: ForwardingSpec


class EngineSpec(msgspec.Struct, frozen=True, tag="engine"):
    """The memory engine that all workers share. All fields are file descriptors."""

    listening: int
    """A bound Unix socket."""
    liveness: int
    """A pipe that is closed when the supervisor and all workers have exited."""
    control: int
    """Messages to and from the supervisor (`control_channel.ControlChannel`)."""


@dataclass(frozen=True, slots=True)
class WorkerRole:
    """This process is a worker."""

    number: int
    control: socket.socket
    sockets: socket.socket
    engine: str
    forwarding: ForwardingSpec


@dataclass(frozen=True, slots=True)
class EngineRole:
    """This process is the engine."""

    listening: socket.socket
    liveness: int
    control: socket.socket


Role: TypeAlias = WorkerRole | EngineRole | None


def environment_for(spec: WorkerSpec | EngineSpec, environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of a process that is started with this role."""
    return {**environment, VARIABLE: msgspec.json.encode(spec).decode()}


def take_role(environment: MutableMapping[str, str]) -> Role:
    """The role of this process.

    The variable is removed, so that children do not inherit it.
    """
    value = environment.pop(VARIABLE, "")
    if not value:
        return None
    spec = msgspec.json.decode(value, type=WorkerSpec | EngineSpec)
    if isinstance(spec, EngineSpec):
        os.set_inheritable(spec.liveness, False)
        return EngineRole(_socket(spec.listening), spec.liveness, _socket(spec.control))
    return WorkerRole(spec.number, _socket(spec.control), _socket(spec.sockets), spec.engine, spec.forwarding)


def role_in(environment: Mapping[str, str]) -> str:
    """The role that an environment contains: `worker`, `engine`, or empty."""
    value = environment.get(VARIABLE)
    if value is None:
        return ""
    spec = msgspec.json.decode(value, type=WorkerSpec | EngineSpec)
    return "engine" if isinstance(spec, EngineSpec) else "worker"


def _socket(descriptor: int) -> socket.socket:
    os.set_inheritable(descriptor, False)
    return socket.socket(fileno=descriptor)
