"""Names of keys and PUB/SUB channels, byte for byte (07 §5)."""

from collections.abc import Sequence

from .sharding import place


class ChannelNames:
    """What belongs to channels. In a cluster all names of a channel share a hash tag."""

    def __init__(self, prefix: str, *, tagged: bool) -> None:
        opening, self._end = ("{", "}") if tagged else ("", "")
        self._messages = f"{prefix}.client.{opening}"
        self._stream = f"{prefix}.stream.{opening}"
        self._stream_meta = f"{prefix}.stream.meta.{opening}"
        self._list = f"{prefix}.list.{opening}"
        self._list_meta = f"{prefix}.list.meta.{opening}"
        self._result = f"{prefix}.result.{opening}"
        self._presence = f"{prefix}.presence.data.{opening}"
        self._presence_expiry = f"{prefix}.presence.expire.{opening}"
        self._users = f"{prefix}.presence.user.clients.{opening}"
        self._users_expiry = f"{prefix}.presence.user.expire.{opening}"

    def messages(self, channel: str) -> str:
        """PUB/SUB channel of publications, joins and leaves."""
        return self._messages + channel + self._end

    def stream(self, channel: str) -> str:
        """STREAM of publications."""
        return self._stream + channel + self._end

    def stream_meta(self, channel: str) -> str:
        """HASH of epoch, top offset and version beside the stream."""
        return self._stream_meta + channel + self._end

    def list(self, channel: str) -> str:
        """LIST of publications, newest first."""
        return self._list + channel + self._end

    def list_meta(self, channel: str) -> str:
        """HASH of epoch and top offset beside the list."""
        return self._list_meta + channel + self._end

    def result(self, channel: str, key: str) -> str:
        """HASH of where a publication with an idempotency key went."""
        return f"{self._result}{channel}{self._end}.{key}"

    def presence(self, channel: str) -> tuple[str, str, str, str]:
        """HASH of infos by client, ZSET of their expiry, HASH of connection counts by user, ZSET of their expiry."""
        rest = channel + self._end
        return self._presence + rest, self._presence_expiry + rest, self._users + rest, self._users_expiry + rest


class PartitionedNames(ChannelNames):
    """Names in a cluster with sharded PUB/SUB: what belongs to the channels of one partition shares its hash tag.
    Presence has the names that it has in every cluster.
    """

    def __init__(self, prefix: str, tags: Sequence[str]) -> None:
        super().__init__(prefix, tagged=True)
        self._tags = tags
        self._prefix = prefix

    def messages(self, channel: str) -> str:
        """See `ChannelNames.messages`."""
        return self._named("client", channel)

    def stream(self, channel: str) -> str:
        """See `ChannelNames.stream`."""
        return self._named("stream", channel)

    def stream_meta(self, channel: str) -> str:
        """See `ChannelNames.stream_meta`."""
        return self._named("stream.meta", channel)

    def list(self, channel: str) -> str:
        """See `ChannelNames.list`."""
        return self._named("list", channel)

    def list_meta(self, channel: str) -> str:
        """See `ChannelNames.list_meta`."""
        return self._named("list.meta", channel)

    def result(self, channel: str, key: str) -> str:
        """See `ChannelNames.result`."""
        return f"{self._named('result', channel)}.{key}"

    def _named(self, what: str, channel: str) -> str:
        return f"{self._prefix}.{what}.{{{self._tags[place(channel, len(self._tags))]}}}.{channel}"


class MuteNames(ChannelNames):
    """Names where something else than Redis carries the messages: scripts publish nothing under an empty name."""

    def messages(self, channel: str) -> str:
        """Empty."""
        return ""


class NodeNames:
    """PUB/SUB channels of nodes, which carry no tags (07 §5.2)."""

    def __init__(self, prefix: str, uid: str) -> None:
        self._prefix = prefix
        self.service = f"{prefix}.shard.0"
        self.control = f"{prefix}.control"
        self.own = self.node(uid)
        self.probe = f"{self.own}.probe"

    def service_of(self, tag: str) -> str:
        """What a connection hears that is for one partition."""
        return f"{self.service}.{{{tag}}}"

    def probe_of(self, tag: str) -> str:
        """Probes of such a connection."""
        return f"{self.probe}.{{{tag}}}"

    def node(self, uid: str) -> str:
        """Control messages for one node."""
        return f"{self._prefix}.node.{uid}"


def capability_check(prefix: str) -> str:
    """A stream that is read at start, to see whether there are streams at all (07 §6.5)."""
    return f"{prefix}.__.check.stream"


def sharded_publish_check(prefix: str) -> str:
    """What is published to at start, to see whether there is sharded PUB/SUB (07 §6.5)."""
    return f"{prefix}.__check.spublish"
