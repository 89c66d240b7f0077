"""Configurations that several test modules share, so that they share processes too."""

from typing import Any

HISTORY = {"history_size": 100, "history_ttl": "300s", "force_recovery": True}

OPEN: dict[str, Any] = {
    "channel": {
        "namespaces": [
            {
                "name": "room",
                **HISTORY,
                "presence": True,
                "join_leave": True,
                "force_push_join_leave": True,
                "allow_subscribe_for_client": True,
                "allow_publish_for_subscriber": True,
                "allow_presence_for_subscriber": True,
                "allow_history_for_subscriber": True,
            },
            {"name": "short", **HISTORY, "history_size": 2, "allow_subscribe_for_client": True},
            {
                "name": "delta",
                **HISTORY,
                "allowed_delta_types": ["fossil"],
                "delta_publish": True,
                "allow_subscribe_for_client": True,
            },
            {"name": "secret", **HISTORY},
        ]
    },
}
