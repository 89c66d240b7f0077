"""A metrics page as Prometheus' own parser reads it, and the contract's list (10 B.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

if TYPE_CHECKING:
    from tests.support.server import Server

CLIENT = ("client_name", "channel_namespace")
CONNECTION = ("transport", "accept_protocol", "client_name", "client_version")
METHOD = ("method", "channel_namespace")
MESSAGES = ("type", "channel_namespace")
TRAFFIC = ("transport", "frame_type", "channel_namespace")
API = ("protocol", "method")
PROXY = ("protocol", "type", "name")
BUFFERED = ("broker_name", "channel_type", "pub_sub_processor")

CONTRACT: dict[str, tuple[str, tuple[str, ...]]] = {
    "node_messages_sent_count": ("counter", MESSAGES),
    "node_messages_received_count": ("counter", MESSAGES),
    "node_action_count": ("counter", ("action", "channel_namespace")),
    "node_num_clients": ("gauge", ()),
    "node_num_users": ("gauge", ()),
    "node_num_subscriptions": ("gauge", ()),
    "node_num_channels": ("gauge", ()),
    "node_num_nodes": ("gauge", ()),
    "node_build": ("gauge", ("version",)),
    "node_survey_duration_seconds": ("summary", ("op",)),
    "node_survey_duration_seconds_histogram": ("histogram", ("op",)),
    "node_pub_sub_lag_seconds": ("histogram", ("channel_namespace",)),
    "node_broadcast_duration_seconds": ("histogram", MESSAGES),
    "node_tags_filter_dropped_publications": ("counter", ("channel_namespace",)),
    "node_client_connection_limit": ("counter", ()),
    "client_command_duration_seconds": ("summary", METHOD),
    "client_command_duration_seconds_histogram": ("histogram", METHOD),
    "client_num_reply_errors": ("counter", ("method", "code", "channel_namespace")),
    "client_num_server_unsubscribes": ("counter", ("code", "channel_namespace")),
    "client_num_server_disconnects": ("counter", ("code",)),
    "client_recover": ("counter", ("recovered", "channel_namespace", "has_recovered_publications")),
    "client_recovered_publications": ("histogram", ("channel_namespace",)),
    "client_ping_pong_duration_seconds": ("histogram", ("transport",)),
    "client_connections_accepted": ("counter", CONNECTION),
    "client_connections_inflight": ("gauge", CONNECTION),
    "client_subscriptions_accepted": ("counter", CLIENT),
    "client_subscriptions_inflight": ("gauge", CLIENT),
    "transport_messages_sent": ("counter", TRAFFIC),
    "transport_messages_sent_size": ("counter", TRAFFIC),
    "transport_messages_received": ("counter", TRAFFIC),
    "transport_messages_received_size": ("counter", TRAFFIC),
    "transport_outgoing_close_count": ("counter", ("transport", "code")),
    "api_command_duration_seconds": ("summary", API),
    "api_command_duration_seconds_histogram": ("histogram", API),
    "api_command_errors_total": ("counter", (*API, "error")),
    "api_rpc_duration_seconds": ("summary", API),
    "api_rpc_duration_seconds_histogram": ("histogram", API),
    "proxy_duration_seconds": ("summary", PROXY),
    "proxy_duration_seconds_histogram": ("histogram", PROXY),
    "proxy_errors": ("counter", PROXY),
    "proxy_unknown_replies": ("counter", PROXY),
    "proxy_inflight_requests": ("gauge", PROXY),
    "broker_publish_suppressed_count": ("counter", ("reason", "channel_namespace")),
    "broker_redis_pub_sub_errors": ("counter", ("broker_name", "error")),
    "broker_redis_pub_sub_dropped_messages": ("counter", ("broker_name", "channel_type")),
    "broker_redis_pub_sub_buffered_messages": ("gauge", BUFFERED),
    "map_broker_redis_pub_sub_errors": ("counter", ("broker_name", "error")),
    "map_broker_redis_pub_sub_dropped_messages": ("counter", ("broker_name", "channel_type")),
    "map_broker_redis_pub_sub_buffered_messages": ("gauge", BUFFERED),
}
"""Type and labels of what the server has, by its name without the namespace."""


class Page:
    """Numbers by name and labels."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.types: dict[str, str] = {}
        self.numbers: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}
        for line in text.splitlines():
            if line.startswith("# TYPE "):
                _, _, name, kind = line.split()
                self.types[name] = kind
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                self.numbers[self._as_written(sample.name), tuple(sorted(sample.labels.items()))] = sample.value

    def _as_written(self, name: str) -> str:
        """The parser gives all counters names that end in `_total`."""
        return name if name in self.types else name.removesuffix("_total")

    def value(self, name: str, **labels: str) -> float | None:
        """One number, None when there is none. Labels that are not named do not matter; what they part is added up."""
        found = [
            number
            for (each, pairs), number in self.numbers.items()
            if each == f"centrifugo_{name}" and labels.items() <= dict(pairs).items()
        ]
        return sum(found) if found else None

    def names(self) -> set[str]:
        """All names of samples."""
        return {name for name, _ in self.numbers}


async def scrape(server: Server, path: str = "/metrics") -> Page:
    """Read the page."""
    async with aiohttp.ClientSession() as session, session.get(f"{server.url}{path}") as response:
        assert response.status == 200
        assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        return Page(await response.text())
