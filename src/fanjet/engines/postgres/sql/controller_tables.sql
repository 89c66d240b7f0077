-- The outbox of control messages (07 §18.2). PREFIX_ stands for the configured prefix.

CREATE TABLE IF NOT EXISTS PREFIX_controller_messages (
    id BIGSERIAL,
    shard_id SMALLINT NOT NULL DEFAULT 0,
    node_id TEXT NOT NULL DEFAULT '',
    data BYTEA NOT NULL,
    created_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
    PRIMARY KEY (id, created_at)
) PARTITION BY RANGE (created_at);

CREATE INDEX IF NOT EXISTS PREFIX_controller_messages_shard_id_idx ON PREFIX_controller_messages (shard_id, id);

CREATE TABLE IF NOT EXISTS PREFIX_controller_shard_lock (shard_id SMALLINT PRIMARY KEY);

CREATE TABLE IF NOT EXISTS PREFIX_controller_schema_version (
    id INTEGER PRIMARY KEY,
    schema_version INTEGER NOT NULL
);
