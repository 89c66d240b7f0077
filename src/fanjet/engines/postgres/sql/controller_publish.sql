-- Stores one message and notifies the readers. The publisher locks its shard's row until the transaction ends, so that
-- ids become visible in order and a reader that continues after the last id it has read misses no row.

CREATE OR REPLACE FUNCTION PREFIX_controller_publish(
    p_data BYTEA,
    p_node_id TEXT DEFAULT '',
    p_num_shards INTEGER DEFAULT NULL
) RETURNS BIGINT LANGUAGE plpgsql AS $$
DECLARE
    shards INTEGER := p_num_shards;
    shard INTEGER := 0;
    message_id BIGINT;
BEGIN
    IF shards IS NULL OR shards <= 0 THEN
        SELECT count(*) INTO shards FROM PREFIX_controller_shard_lock;
    END IF;
    IF shards > 1 THEN
        shard := CASE
            WHEN p_node_id = '' THEN txid_current() % shards
            ELSE abs(hashtext(p_node_id)::BIGINT) % shards
        END;
    END IF;
    PERFORM FROM PREFIX_controller_shard_lock AS l WHERE l.shard_id = shard FOR UPDATE;
    INSERT INTO PREFIX_controller_messages (shard_id, node_id, data)
        VALUES (shard, p_node_id, p_data)
        RETURNING id INTO message_id;
    PERFORM pg_notify('PREFIX_controller_notify', '');
    RETURN message_id;
END $$;
