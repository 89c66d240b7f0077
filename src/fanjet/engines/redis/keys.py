"""Redis keys and PUB/SUB channel names, byte for byte (07 §5)."""

from collections.abc import Sequence

from .sharding import jump_hash


class ChannelKeys:
    """Keys and the PUB/SUB channel of each channel.

    In a cluster all of them share a hash tag.
    """

    def __init__(self, prefix: str, *, tagged: bool) -> None:
        start, self._end = ("{", "}") if tagged else ("", "")
        self._pubsub_channel = f"{prefix}.client.{start}"
        self._stream = f"{prefix}.stream.{start}"
        self._stream_meta = f"{prefix}.stream.meta.{start}"
        self._list = f"{prefix}.list.{start}"
        self._list_meta = f"{prefix}.list.meta.{start}"
        self._result = f"{prefix}.result.{start}"
        self._presence = f"{prefix}.presence.data.{start}"
        self._presence_expiry = f"{prefix}.presence.expire.{start}"
        self._users = f"{prefix}.presence.user.clients.{start}"
        self._users_expiry = f"{prefix}.presence.user.expire.{start}"

    def pubsub_channel(self, channel: str) -> str:
        """PUB/SUB channel of publications, joins and leaves."""
        return self._pubsub_channel + channel + self._end

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
        """HASH of the stream position of a publication with an idempotency key."""
        return f"{self._result}{channel}{self._end}.{key}"

    def presence(self, channel: str) -> tuple[str, str, str, str]:
        """The four keys of the presence of a channel.

        HASH of infos by client, ZSET of their expiry, HASH of connection counts by user, ZSET of their expiry.
        """
        rest = channel + self._end
        return self._presence + rest, self._presence_expiry + rest, self._users + rest, self._users_expiry + rest


class PartitionedKeys(ChannelKeys):
    """Keys in a cluster with sharded PUB/SUB.

    All keys of a partition share its hash tag. Presence keys are those of any cluster.
    """

    def __init__(self, prefix: str, tags: Sequence[str]) -> None:
        super().__init__(prefix, tagged=True)
        self._tags = tags
        self._prefix = prefix

    def pubsub_channel(self, channel: str) -> str:
        """See `ChannelKeys.pubsub_channel`."""
        return self._tagged("client", channel)

    def stream(self, channel: str) -> str:
        """See `ChannelKeys.stream`."""
        return self._tagged("stream", channel)

    def stream_meta(self, channel: str) -> str:
        """See `ChannelKeys.stream_meta`."""
        return self._tagged("stream.meta", channel)

    def list(self, channel: str) -> str:
        """See `ChannelKeys.list`."""
        return self._tagged("list", channel)

    def list_meta(self, channel: str) -> str:
        """See `ChannelKeys.list_meta`."""
        return self._tagged("list.meta", channel)

    def result(self, channel: str, key: str) -> str:
        """See `ChannelKeys.result`."""
        return f"{self._tagged('result', channel)}.{key}"

    def _tagged(self, kind: str, channel: str) -> str:
        return f"{self._prefix}.{kind}.{{{self._tags[jump_hash(channel, len(self._tags))]}}}.{channel}"


class StorageOnlyKeys(ChannelKeys):
    """Keys without PUB/SUB, where another broker delivers.

    Scripts do not publish to an empty name.
    """

    def pubsub_channel(self, channel: str) -> str:
        """Empty."""
        return ""


class NodeChannels:
    """PUB/SUB channels of nodes, which have no hash tags (07 §5.2)."""

    def __init__(self, prefix: str, uid: str) -> None:
        self._prefix = prefix
        self.service = f"{prefix}.shard.0"
        self.control = f"{prefix}.control"
        self.own = self.node(uid)
        self.probe = f"{self.own}.probe"

    def service_of(self, tag: str) -> str:
        """The service channel of one partition."""
        return f"{self.service}.{{{tag}}}"

    def probe_of(self, tag: str) -> str:
        """The probe channel of one partition."""
        return f"{self.probe}.{{{tag}}}"

    def node(self, uid: str) -> str:
        """The control channel of one node."""
        return f"{self._prefix}.node.{uid}"


def streams_check_key(prefix: str) -> str:
    """The key that is read at start to check for support of streams (07 §6.5)."""
    return f"{prefix}.__.check.stream"


def sharded_publish_check_channel(prefix: str) -> str:
    """The channel used to check for support of sharded PUB/SUB.

    It is published to at start (07 §6.5).
    """
    return f"{prefix}.__check.spublish"
