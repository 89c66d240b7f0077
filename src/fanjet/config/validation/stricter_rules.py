"""Rules for values that the reference accepts but that cannot work.

Problems name the key, the value and the reason (04 §6.6).
"""

import re
from collections.abc import Iterator

from fanjet.config.duration import format_duration
from fanjet.config.tree.channel import ChannelOptions
from fanjet.config.tree.root import Config
from fanjet.config.validation.map_options import DEFAULT_STREAM_TTL, is_map, keeps_stream
from fanjet.config.validation.problem import Problems

RESERVED_MAP_NAMESPACES = ("meta", "order", "expire")
"""Names whose channels would collide with other keys of a map in Redis."""

RESOURCE_DETECTORS = ("gcp", "aws")

_TABLE_PREFIX = re.compile(r"[a-z_][a-z0-9_]{0,29}")
_FILE_MODE = re.compile(r"0[0-7]{3}")
_METRICS_NAMESPACE = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_DAY = 86400.0


def map_meta_ttl(config: Config) -> Problems:
    """The meta data of a map outlives its entries."""
    for place, options in _all_options(config):
        own = options.map
        if own.mode == "recoverable" and 0 < own.meta_ttl < own.key_ttl:
            meta, key = format_duration(own.meta_ttl), format_duration(own.key_ttl)
            yield f"{place}: map.meta_ttl ({meta}) must be >= map.key_ttl ({key}) (metadata must outlive entries)"
        if own.mode == "persistent" and own.meta_ttl:
            meta = format_duration(own.meta_ttl)
            yield f'{place}: map.meta_ttl ({meta}) must not be set when map.mode is "persistent" (nothing expires)'


def reserved_map_namespaces(config: Config) -> Problems:
    """Some names are taken in the Redis map broker."""
    if config.map_broker.type != "redis":
        return
    for namespace in config.channel.namespaces:
        if is_map(namespace) and namespace.name in RESERVED_MAP_NAMESPACES:
            yield f"namespace {namespace.name}: name is reserved for namespaces of a map type with the Redis map broker"


def table_prefixes(config: Config) -> Problems:
    """A table prefix in use is a short lower-case identifier."""
    in_use = (
        ("broker", config.broker.enabled and config.broker.type == "postgres", config.broker.postgres),
        ("map_broker", config.map_broker.type == "postgres", config.map_broker.postgres),
        ("controller", config.controller.enabled and config.controller.type == "postgres", config.controller.postgres),
    )
    for section, used, postgres in in_use:
        if used and not _TABLE_PREFIX.fullmatch(postgres.table_prefix):
            reason = "must match ^[a-z_][a-z0-9_]*$ and have at most 30 characters"
            yield f'{section}.postgres.table_prefix: "{postgres.table_prefix}" {reason}'


def map_stream_retention(config: Config) -> Problems:
    """A change stream does not outlive the partitions it is kept in."""
    days = config.map_broker.postgres.partition_retention_days
    if config.map_broker.type != "postgres" or days <= 0:
        return
    for place, options in _all_options(config):
        stream_ttl = options.map.stream_ttl or DEFAULT_STREAM_TTL
        if is_map(options) and keeps_stream(options.map) and stream_ttl > days * _DAY:
            kept = f"map_broker.postgres.partition_retention_days ({days})"
            yield f"{place}: map.stream_ttl ({format_duration(stream_ttl)}) must not exceed {kept}"


def resource_detectors(config: Config) -> Problems:
    """A platform to look for is one that is known."""
    for name in config.opentelemetry.resource_detectors:
        if name not in RESOURCE_DETECTORS:
            yield f'opentelemetry.resource_detectors: "{name}" is none of {", ".join(RESOURCE_DETECTORS)}'


def own_keys(config: Config) -> Problems:
    """Fanjet's own keys have usable values."""
    own = config.fanjet
    if own.workers < 1:
        yield f"fanjet.workers: {own.workers} must be at least 1"
    autocert = config.http_server.tls_autocert
    if own.workers > 1 and autocert.enabled and not autocert.cache_dir:
        yield "http_server.tls_autocert.cache_dir: needed with several workers, which share certificates through it"
    for key, value in (("worker_timeout", own.worker_timeout), ("drain_time", own.drain_time)):
        if value < 0:
            yield f"fanjet.{key}: {format_duration(value)} must not be negative"
    if own.drain_time and own.drain_time >= config.shutdown.timeout:
        timeout = format_duration(config.shutdown.timeout)
        yield f"fanjet.drain_time: {format_duration(own.drain_time)} must be less than shutdown.timeout ({timeout})"
    if own.http_api_max_body_size < 0:
        yield f"fanjet.http_api_max_body_size: {own.http_api_max_body_size} must not be negative"
    if not own.acme_directory_url.startswith(("https://", "http://")):
        yield f'fanjet.acme_directory_url: "{own.acme_directory_url}" must be an address that begins with https://'
    if not _FILE_MODE.fullmatch(own.http_unix_socket_mode):
        yield f'fanjet.http_unix_socket_mode: "{own.http_unix_socket_mode}" must be octal, in quotes: "0660"'
    if not _METRICS_NAMESPACE.fullmatch(own.metrics_namespace):
        yield f'fanjet.metrics_namespace: "{own.metrics_namespace}" must match ^[a-zA-Z_:][a-zA-Z0-9_:]*$'


def _all_options(config: Config) -> Iterator[tuple[str, ChannelOptions]]:
    yield "in channel.without_namespace", config.channel.without_namespace
    for namespace in config.channel.namespaces:
        yield f"namespace {namespace.name}", namespace
