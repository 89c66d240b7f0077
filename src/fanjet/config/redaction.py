"""Which values are secret, and what is shown instead of them."""

import re

REDACTED = "<redacted>"

_SECRET_KEYS = {
    "address",
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

_SECRET_LISTS = {"namespaces", "proxies", "consumers"}
"""Lists given as one JSON text, in which secrets cannot be told apart."""

_URL_PASSWORD = re.compile(r"(://[^/@:\s]*):[^/@\s]*@")


def is_secret(path: tuple[str, ...]) -> bool:
    """Whether the value of the key at `path` must not be shown."""
    name = path[-1]
    return name in _SECRET_KEYS or name in _SECRET_LISTS or "password" in name or "secret" in name


def redact(path: tuple[str, ...], text: str) -> str:
    """Return `text` as it may be shown for the key at `path`."""
    return REDACTED if is_secret(path) and text else text


def redact_url(url: str) -> str:
    """Return the URL with its password replaced."""
    return _URL_PASSWORD.sub(r"\1:xxxxx@", url)
