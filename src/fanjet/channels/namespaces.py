"""Resolves a channel to its namespace and options (03 §1)."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import re2
from msgspec import Struct

from fanjet.config.plain_section import plain
from fanjet.config.tree.channel import Channel, ChannelOptions
from fanjet.protocol.codes import ERROR_BAD_REQUEST, ERROR_NOT_AVAILABLE, ERROR_UNKNOWN_CHANNEL, Error, ReplyError

from .expressions import Expressions, expressions_of
from .patterns import PREFIX, PatternTable
from .subscription import Source, SubscriptionOptions, from_namespace, is_stream

CACHE_SIZE: Final = 10_000
_NO_VARIABLES: Final[Mapping[str, str]] = {}


class Resolved(Struct, frozen=True, gc=False):
    """What follows from a channel's name.

    The options have their effective `history_meta_ttl` and `publication_data_format`.

    `users` are those listed in the name, None unless the channel is user-limited (03 §1.5). A private channel requires
    a subscription token. `refusal`: the error for every client command on this channel; unsupported types answer 108.
    `granted`: by source, the options of subscriptions that depend on the namespace alone, shared by all of them.
    `variables`: those of the namespace's pattern.

    `open_to_users`, `open_to_anonymous`: the options of a client that subscribes without token and options, where only
    whether it has a user matters; None where more has to be checked.
    """

    channel: str
    namespace: str
    rest: str
    options: ChannelOptions
    expressions: Expressions
    granted: Sequence[SubscriptionOptions]
    name_is_valid: bool
    is_stream: bool
    refusal: Error | None
    is_private: bool
    users: tuple[str, ...] | None
    variables: Mapping[str, str]
    open_to_users: SubscriptionOptions | None
    open_to_anonymous: SubscriptionOptions | None

    @property
    def is_user_limited(self) -> bool:
        """Whether the name lists the permitted users."""
        return self.users is not None

    def admits(self, user: str) -> bool:
        """Whether a user-limited channel lists `user`.

        An empty item does not list anonymous connections (03 §15).
        """
        return self.users is not None and bool(user) and user in self.users


class _Namespace(Struct, frozen=True):
    """What the channels of one namespace share."""

    name: str
    options: ChannelOptions
    expressions: Expressions
    is_stream: bool
    refusal: Error | None
    granted: Sequence[SubscriptionOptions]
    open_to_users: SubscriptionOptions | None
    open_to_anonymous: SubscriptionOptions | None
    regex: Any  # of re2, which has no types

    @classmethod
    def from_config(cls, name: str, configured: ChannelOptions, config: Channel) -> "_Namespace":
        options = _effective(configured, config)
        regex = re2.compile(options.channel_regex) if options.channel_regex else None
        granted = tuple(from_namespace(options, source) for source in Source)
        expressions = expressions_of(options)
        stream = is_stream(options)
        refusal = None if stream else ERROR_NOT_AVAILABLE
        proxied = options.subscribe_proxy_enabled or options.subscribe_stream_proxy_enabled
        is_open = options.allow_subscribe_for_client and not proxied and expressions.subscribe is None
        to_users = granted[Source.CLIENT_ALLOWED] if is_open else None
        to_anonymous = to_users if options.allow_subscribe_for_anonymous else None
        return cls(name, options, expressions, stream, refusal, granted, to_users, to_anonymous, regex)

    def admits_name(self, channel: str, rest: str) -> bool:
        """Whether the name is valid.

        A regular expression (searched for, not matched) replaces the ASCII rule (03 §1.4).
        """
        if self.regex is None:
            return channel.isascii()
        return self.regex.search(rest) is not None


class Namespaces:
    """The configured namespaces.

    A reload creates a new object, so cached results are never stale. `generation` identifies the object for callers
    that cache results elsewhere.
    """

    def __init__(self, config: Channel) -> None:
        self.generation = object()
        self._config = config
        self._namespaces = {"": _Namespace.from_config("", config.without_namespace, config)}
        patterns = []
        for namespace in config.namespaces:
            made = _Namespace.from_config(namespace.name, namespace, config)
            if config.patterns and namespace.pattern:
                patterns.append((namespace.pattern, made))
            else:
                self._namespaces.setdefault(namespace.name, made)
        self._patterns = PatternTable(patterns) if config.patterns else None
        self._cache: dict[str, Resolved] = {}

    def resolve(self, channel: str) -> Resolved:
        """Resolve a channel. Raises error 102 when its namespace does not exist."""
        resolved = self._cache.get(channel)
        if resolved is None:
            resolved = self._resolve(channel)
            if len(self._cache) >= CACHE_SIZE:
                self._cache.clear()
            self._cache[channel] = resolved
        return resolved

    def name_of(self, channel: str) -> str:
        """The name of the channel's namespace; empty without one, or if it does not exist."""
        try:
            return self.resolve(channel).namespace
        except ReplyError:
            return ""

    def _resolve(self, channel: str) -> Resolved:
        namespace, rest, variables = self._find(channel)
        name_is_valid = namespace.admits_name(channel, rest)
        refusal = namespace.refusal if name_is_valid else ERROR_BAD_REQUEST
        prefix = self._config.private_prefix
        is_private = bool(prefix) and channel.startswith(prefix)
        users = self._users(channel) if namespace.options.allow_user_limited_channels else None
        is_open = refusal is None and not is_private and users is None
        return Resolved(
            channel,
            namespace.name,
            rest,
            namespace.options,
            namespace.expressions,
            namespace.granted,
            name_is_valid,
            namespace.is_stream,
            refusal,
            is_private,
            users,
            variables,
            namespace.open_to_users if is_open else None,
            namespace.open_to_anonymous if is_open else None,
        )

    def _find(self, channel: str) -> tuple[_Namespace, str, Mapping[str, str]]:
        """The channel's namespace, rest and variables.

        By pattern only where patterns are on and the channel starts like one.
        """
        if self._patterns is not None and channel.startswith(PREFIX):
            found = self._patterns.find(channel)
            if found is None:
                raise ReplyError(ERROR_UNKNOWN_CHANNEL)
            namespace, variables = found
            return namespace, channel, variables
        config = self._config
        boundary = config.namespace_boundary
        name, rest = "", channel  # without namespace the rest is the whole channel, private prefix included
        if boundary and boundary in channel:
            bare = channel.removeprefix(config.private_prefix)
            if boundary in bare:
                name, _, rest = bare.partition(boundary)
        known = self._namespaces.get(name)
        if known is None:
            raise ReplyError(ERROR_UNKNOWN_CHANNEL)
        return known, rest, _NO_VARIABLES

    def _users(self, channel: str) -> tuple[str, ...] | None:
        """The users listed after the last boundary; no trimming, empty items are kept."""
        boundary = self._config.user_boundary
        if not boundary or boundary not in channel:
            return None
        users = channel.rpartition(boundary)[2]
        separator = self._config.user_separator
        return tuple(users.split(separator)) if separator else (users,)

    def personal_channel(self, user: str, namespace: str) -> str:
        """A user's personal channel (03 §5.5)."""
        name = self._config.user_boundary + user
        return namespace + self._config.namespace_boundary + name if namespace else name


def _effective(options: ChannelOptions, config: Channel) -> ChannelOptions:
    """Set the two options that are inherited from the level of `channel` (03 §1.3)."""
    inherited = {
        "history_meta_ttl": options.history_meta_ttl or config.history_meta_ttl,
        "publication_data_format": options.publication_data_format or config.publication_data_format,
    }
    return plain(options.model_copy(update=inherited))
