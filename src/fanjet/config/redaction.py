"""Secret values, and the text that is shown instead of them."""

REDACTED = "<redacted>"

_SECRET_KEYS = {
    "address",
    "api_key",
    "cluster_address",
    "connection_string",
    "credentials_value",
    "dsn",
    "endpoint",
    "hmac_previous_secret_key",
    "hmac_secret_key",
    "key",
    "key_pem",
    "notify_dsn",
    "partition_notification_dsn",
    "sentinel_address",
    "static_headers",
    "static_metadata",
    "token",
    "url",
}
"""Last segments of keys with a secret value; URLs and connection strings may carry passwords."""

_SECRET_LISTS = {"namespaces", "proxies", "consumers", "providers"}
"""Lists given as one JSON text, in which secrets cannot be distinguished."""


def is_secret(path: tuple[str, ...]) -> bool:
    """Whether the value of the key at `path` must not be shown."""
    name = path[-1]
    return name in _SECRET_KEYS or name in _SECRET_LISTS or "password" in name or "secret" in name
