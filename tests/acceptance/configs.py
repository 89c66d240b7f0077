"""Configurations that the modules share, so that they share processes too."""

from typing import Any

ANYONE = {"allow_subscribe_for_client": True, "allow_subscribe_for_anonymous": True}
STREAM = {"history_size": 10, "history_ttl": "300s", **ANYONE}
RECOVERABLE = {**STREAM, "force_recovery": True}
ALL_MAY = {
    f"allow_{what}_for_{whom}": True
    for what in ("subscribe", "publish", "presence", "history")
    for whom in ("client", "anonymous")
}

NAMESPACES: list[dict[str, Any]] = [
    {"name": "closed"},
    {"name": "clients", "allow_subscribe_for_client": True},
    {"name": "rec", **RECOVERABLE},
    {"name": "wish", **STREAM, "allow_recovery": True},
    {"name": "positions", **STREAM, "allow_positioning": True},
    {"name": "reader", **STREAM, "allow_history_for_subscriber": True, "allow_history_for_anonymous": True},
    {"name": "plain", **STREAM},
    {"name": "long", **RECOVERABLE, "history_size": 1000, "allow_history_for_client": True},
    {"name": "cache", **RECOVERABLE, "force_recovery_mode": "cache", "history_size": 5},
    {
        "name": "latest",
        **RECOVERABLE,
        "force_recovery_mode": "cache",
        "auto_cache_recover": True,
        "history_size": 1,
    },
    {"name": "delta", **RECOVERABLE, "allowed_delta_types": ["fossil"], "delta_publish": True},
    {"name": "based", **ANYONE, "allowed_delta_types": ["fossil"], "keep_latest_publication": True},
    {"name": "tags", **RECOVERABLE, "allow_tags_filter": True, "allowed_delta_types": ["fossil"]},
    {"name": "joins", **ANYONE, "join_leave": True, "force_push_join_leave": True, "presence": True},
    {"name": "asks", **ANYONE, "join_leave": True, "presence": True, "allow_presence_for_subscriber": True},
    {"name": "denied", **ANYONE, "join_leave": True, "presence": True},
    {"name": "all", **ALL_MAY, "presence": True, "history_size": 10, "history_ttl": "300s"},
    {
        "name": "compact",
        **RECOVERABLE,
        "join_leave": True,
        "force_push_join_leave": True,
        "allow_channel_compaction": True,
    },
    {"name": "dm", "allow_user_limited_channels": True, "allow_subscribe_for_client": True},
    {"name": "num", **ANYONE, "channel_regex": "^[0-9]+$", "allow_publish_for_client": True},
    {"name": "json", **ALL_MAY, "publication_data_format": "json"},
    {"name": "object", **ALL_MAY, "publication_data_format": "json_object"},
    {"name": "binary", **ALL_MAY, "publication_data_format": "binary"},
    {"name": "map", "subscription_type": "map", "map": {"mode": "recoverable", "key_ttl": "60s"}},
]

OPEN: dict[str, Any] = {
    "client": {"allow_anonymous_connect_without_token": True},
    "channel": {"without_namespace": {**ANYONE, **ALL_MAY}, "namespaces": NAMESPACES},
}
"""Anonymous connections are welcome; each namespace shows one option. Intervals are the defaults."""

QUICK: dict[str, Any] = {
    "client": {
        "allow_anonymous_connect_without_token": True,
        "ping_interval": "1s",
        "pong_timeout": "0.4s",
        "stale_close_delay": "0.5s",
        "presence_update_interval": "0.4s",
        "expired_close_delay": "1s",
        "expired_sub_close_delay": "1s",
        "channel_position_check_delay": "2.2s",
    },
    "channel": {
        "namespaces": [
            {"name": "closed", "history_size": 10, "history_ttl": "300s"},
            {"name": "brief", **RECOVERABLE, "history_ttl": "1s", "history_meta_ttl": "1s"},
        ]
    },
}
"""What takes its time by default happens within a second or two."""
