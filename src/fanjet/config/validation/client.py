"""Connection settings (04 §6.1, rules 4-7, 16, 21)."""

import re

from fanjet.config.tree.root import Config
from fanjet.config.validation.problem import Problems, within
from fanjet.config.validation.proxies import proxy_problems

_CLAIM = re.compile(r"[a-zA-Z_]+")


def user_id_claims(config: Config) -> Problems:
    """A custom user ID claim is one plain word."""
    tokens = (("token", config.client.token), ("subscription token", config.client.subscription_token))
    for kind, token in tokens:
        claim = token.user_id_claim
        if claim and not _CLAIM.fullmatch(claim):
            yield f"invalid {kind} custom user ID claim: {claim}, must match ^[a-zA-Z_]+$ regular expression"


def proxies(config: Config) -> Problems:
    """An enabled proxy of connection events is complete."""
    connect, refresh = config.client.proxy.connect, config.client.proxy.refresh
    if connect.enabled:
        yield from within("in client.proxy.connect", proxy_problems(connect))
    if refresh.enabled:
        yield from within("in client.proxy.refresh", proxy_problems(refresh))


def single_connection_without_namespace(config: Config) -> Problems:
    """Check that one connection per user has presence.

    The switch alone counts, even when the feature is off.
    """
    personal = config.client.subscribe_to_user_personal_channel
    named = personal.enabled and personal.personal_channel_namespace
    if personal.single_connection and not named and not config.channel.without_namespace.presence:
        yield "presence must be enabled on top level to maintain single connection"


def personal_channel_namespace(config: Config) -> Problems:
    """The namespace of personal channels exists."""
    personal = config.client.subscribe_to_user_personal_channel
    name = personal.personal_channel_namespace
    if personal.enabled and name and all(namespace.name != name for namespace in config.channel.namespaces):
        yield f"namespace for user personal channel not found: {name}"
