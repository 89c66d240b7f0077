"""NATS as the broker, and its controller with it (07 §15)."""

from .broker import NatsBroker
from .connection import NatsConnection
from .controller import NatsController

__all__ = ["NatsBroker", "NatsConnection", "NatsController"]
