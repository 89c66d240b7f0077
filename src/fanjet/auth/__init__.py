"""Connection and subscription tokens (03 §6)."""

from .claims import ServerSubscription
from .connection_token import ConnectionToken, ConnectionVerifier
from .errors import TokenExpired, TokenInvalid
from .subscription_token import SubscriptionToken, SubscriptionVerifier

__all__ = [
    "ConnectionToken",
    "ConnectionVerifier",
    "ServerSubscription",
    "SubscriptionToken",
    "SubscriptionVerifier",
    "TokenExpired",
    "TokenInvalid",
]
