"""Broker and controller on NATS (07 §15)."""

from .broker import NatsBroker
from .connection import NatsConnection
from .controller import NatsController

__all__ = ["NatsBroker", "NatsConnection", "NatsController"]
