"""PostgreSQL objects of the brokers and the controller (04 §5.5, §5.7, §5.8)."""

from fanjet.config.tree.base import Duration, Section, option
from fanjet.config.tree.tls import Tls


class PostgresOutbox(Section):
    """How publications are read from the outbox table."""

    poll_interval: Duration = option(0.1, "idle polling period")
    batch_size: int = option(1000, "rows per batch")


class PostgresBroker(Section):
    """PostgreSQL as a broker."""

    dsn: str = option("", "PostgreSQL connection string")
    tls: Tls = Tls()
    pool_size: int = option(16, "maximum pool connections")
    num_shards: int = option(8, "number of delivery shards")
    cleanup_interval: Duration = option(60.0, "period of the cleanup/partition workers")
    idempotent_result_ttl: Duration = option(300.0, "default lifetime of idempotency results")
    binary_data: bool = option(False, "BYTEA instead of JSONB payload columns")
    stream_retention: Duration = option(86400.0, "minimum lifetime of stream meta when nothing else sets one")
    use_notify: bool = option(False, "LISTEN/NOTIFY wake-up instead of polling only")
    notify_dsn: str = option("", "separate direct DSN for LISTEN (needed behind a transaction-pooling PgBouncer)")
    table_prefix: str = option("cf", "prefix of all tables and functions; trailing _ is normalised")
    skip_schema_init: bool = option(False, "do not create/migrate the schema at start")
    outbox: PostgresOutbox = PostgresOutbox()
    partition_lookahead_days: int = option(2, "daily partitions created ahead (must stay > 0)")
    partition_retention_days: int = option(7, "age at which a whole partition is dropped; never with a negative value")


class PostgresMapBroker(PostgresBroker):
    """PostgreSQL as a map broker."""

    ttl_check_interval: Duration = option(1.0, "period of the expired-key check")


class PostgresController(Section):
    """PostgreSQL as a controller."""

    dsn: str = option("", "PostgreSQL connection string")
    tls: Tls = Tls()
    pool_size: int = option(8, "maximum pool connections")
    num_shards: int = option(1, "shards of serialised publishing")
    table_prefix: str = option("cf", "prefix of all tables and functions; trailing _ is normalised")
    poll_interval: Duration = option(0.05, "idle polling period")
    use_notify: bool = option(
        False, "LISTEN/NOTIFY wake-up. No default tag: effective default is false although the reference describes true"
    )
    notify_dsn: str = option("", "separate direct DSN for LISTEN (needed behind a transaction-pooling PgBouncer)")
    partition_retention_days: int = option(1, "age at which a whole partition is dropped")
    partition_lookahead_days: int = option(2, "daily partitions created ahead (must stay > 0)")
    partition_cleanup_interval: Duration = option(60.0, "period of the partition worker")
    batch_size: int = option(1000, "rows per poll")
    skip_schema_init: bool = option(False, "do not create/migrate the schema at start")
