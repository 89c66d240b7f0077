"""Permission checks for clients (03 §4, §5.6). Pure: no lookups, no logging.

The steps that call a backend (proxies) are in the commands, between these functions.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from fanjet.config.tree.channel import ChannelOptions
from fanjet.protocol.codes import ERROR_PERMISSION_DENIED, Error

from . import capabilities
from .expressions import Expression
from .namespaces import Resolved
from .principal import Principal
from .subscription import Source, SubscriptionOptions

# The rules below only grant, so their order is irrelevant: the cheap ones come first.


def may_publish(
    resolved: Resolved, principal: Principal, *, subscribed: bool, insecure: bool, allowed: Sequence[str] = ()
) -> bool:
    """Whether a client may publish (03 §4.3 steps 5 to 9).

    `allowed`: capabilities of its active subscription.
    """
    return (
        insecure
        or may_publish_by_options(resolved.options, principal.user, subscribed=subscribed)
        or _is_capable(resolved, principal, capabilities.PUBLISH, allowed)
        or _expression_grants(resolved.expressions.publish, resolved, principal, subscribed=subscribed)
    )


def may_publish_by_options(options: ChannelOptions, user: str, *, subscribed: bool) -> bool:
    """Whether the namespace's options alone let a client publish."""
    return _may(
        options.allow_publish_for_client,
        options.allow_publish_for_subscriber and subscribed,
        options.allow_publish_for_anonymous,
        user,
    )


def may_read_presence(
    resolved: Resolved, principal: Principal, *, subscribed: bool, insecure: bool, allowed: Sequence[str] = ()
) -> bool:
    """Whether a client may read presence (03 §4.4 steps 5 to 9)."""
    return (
        _reads_presence(resolved, principal, subscribed, insecure)
        or _is_capable(resolved, principal, capabilities.PRESENCE, allowed)
        or _expression_grants(resolved.expressions.presence, resolved, principal, subscribed=subscribed)
    )


def may_read_history(
    resolved: Resolved, principal: Principal, *, subscribed: bool, insecure: bool, allowed: Sequence[str] = ()
) -> bool:
    """Whether a client may read the stream (03 §4.5)."""
    return (
        _reads_history(resolved, principal, subscribed, insecure)
        or _is_capable(resolved, principal, capabilities.HISTORY, allowed)
        or _expression_grants(resolved.expressions.history, resolved, principal, subscribed=subscribed)
    )


def may_subscribe(resolved: Resolved, principal: Principal, *, insecure: bool) -> Source | None:
    """Return the source that permits a subscription without token, or None.

    See 03 §4.1 step 12, without proxies.
    """
    if resolved.users is not None and resolved.admits(principal.user):
        return Source.USER_LIMITED
    if principal.capabilities and _is_capable(resolved, principal, capabilities.SUBSCRIBE):
        return Source.CONNECTION_CAPABILITY
    expression = resolved.expressions.subscribe
    if expression is not None and _expression_grants(expression, resolved, principal, subscribed=False):
        return Source.EXPRESSION
    return _by_options(resolved, principal.user, insecure=insecure)


def _by_options(resolved: Resolved, user: str, *, insecure: bool) -> Source | None:
    options = resolved.options
    if resolved.users is None and _may(
        options.allow_subscribe_for_client, False, options.allow_subscribe_for_anonymous, user
    ):
        return Source.CLIENT_ALLOWED
    return Source.CLIENT_INSECURE if insecure else None


def _reads_presence(resolved: Resolved, principal: Principal, subscribed: bool, insecure: bool) -> bool:
    options = resolved.options
    return insecure or _may(
        options.allow_presence_for_client,
        options.allow_presence_for_subscriber and subscribed,
        options.allow_presence_for_anonymous,
        principal.user,
    )


def _reads_history(resolved: Resolved, principal: Principal, subscribed: bool, insecure: bool) -> bool:
    options = resolved.options
    return insecure or _may(
        options.allow_history_for_client,
        options.allow_history_for_subscriber and subscribed,
        options.allow_history_for_anonymous,
        principal.user,
    )


def _is_capable(resolved: Resolved, principal: Principal, operation: str, allowed: Sequence[str] = ()) -> bool:
    """Whether the connection or its subscription has the capability (03 §14.1)."""
    if operation in allowed:
        return True
    return bool(principal.capabilities) and capabilities.grants(principal.capabilities, operation, resolved.channel)


def _expression_grants(
    expression: Expression | None, resolved: Resolved, principal: Principal, *, subscribed: bool
) -> bool:
    return expression is not None and expression.grants(
        principal, resolved.channel, resolved.variables, subscribed=subscribed
    )


def _may(for_client: bool, for_subscriber: bool, for_anonymous: bool, user: str) -> bool:
    """Whether the permission's three switches allow the user.

    The switch for anonymous connections extends the other two; alone it grants nothing.
    """
    return (for_client or for_subscriber) and (bool(user) or for_anonymous)


def refuse_subscribe(resolved: Resolved, *, stream_wanted: bool, has_token: bool) -> Error | None:
    """Return the error for a channel that no client can subscribe to this way.

    See 03 §4.1 steps 8 to 10.
    """
    refusal = resolved.refusal
    if refusal is None and (not stream_wanted or (resolved.is_private and not has_token)):
        return ERROR_PERMISSION_DENIED
    return refusal


def with_requested_options(
    granted: SubscriptionOptions,
    resolved: Resolved,
    principal: Principal,
    *,
    insecure: bool,
    positioned: bool,
    recoverable: bool,
    join_leave: bool,
) -> SubscriptionOptions:
    """Add the options that the client requests and is allowed to have.

    Others are ignored silently (03 §4.7).

    Only for subscriptions that no proxy granted. Expressions do not apply.
    """
    options, allowed = resolved.options, granted.allow
    reads_history = _reads_history(resolved, principal, True, insecure) or _is_capable(
        resolved, principal, capabilities.HISTORY, allowed
    )
    reads_presence = _reads_presence(resolved, principal, True, insecure) or _is_capable(
        resolved, principal, capabilities.PRESENCE, allowed
    )
    return replace(
        granted,
        positioning=granted.positioning or (positioned and (options.allow_positioning or reads_history)),
        recovery=granted.recovery or (recoverable and (options.allow_recovery or reads_history)),
        push_join_leave=granted.push_join_leave or (join_leave and options.join_leave and reads_presence),
    )


def may_be_subscribed_at_connect(resolved: Resolved, user: str, *, insecure: bool) -> bool:
    """Whether a channel requested in `connect` is subscribed on the server side.

    It is added to the server-side subscriptions (03 §5.6).

    Not where a backend decides (03 §15 item 9). Capabilities and expressions do not apply.
    """
    options = resolved.options
    uses_backend = options.subscribe_proxy_enabled or options.subscribe_stream_proxy_enabled
    if resolved.is_private or uses_backend or not resolved.name_is_valid:
        return False
    return resolved.admits(user) or _by_options(resolved, user, insecure=insecure) is not None
