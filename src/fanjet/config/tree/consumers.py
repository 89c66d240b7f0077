"""Asynchronous consumers (04 §5.21)."""

from fanjet.config.tree.base import Duration, Int32, Section, option
from fanjet.config.tree.redis import RedisConnection
from fanjet.config.tree.tls import Tls


class HeaderPublicationDataMode(Section):
    """Kafka and NATS: the payload is publication data, the rest comes from headers."""

    enabled: bool = option(False, "message payload is publication data, not an API command")
    channels_header: str = option("centrifugo-channels", "name of the header with the comma-separated channels")
    idempotency_key_header: str = option("centrifugo-idempotency-key", "name of the header with the idempotency key")
    delta_header: str = option("centrifugo-delta", "name of the header with the delta flag")
    version_header: str = option("centrifugo-version", "name of the header with the version")
    version_epoch_header: str = option("centrifugo-version-epoch", "name of the header with the version epoch")
    tags_header_prefix: str = option("centrifugo-tag-", "prefix of the header names that carry publication tags")


class ValuePublicationDataMode(Section):
    """Redis: the payload is publication data, the rest comes from other fields."""

    enabled: bool = option(False, "message payload is publication data, not an API command")
    channels_value: str = option("centrifugo-channels", "name of the entry field with the comma-separated channels")
    idempotency_key_value: str = option(
        "centrifugo-idempotency-key", "name of the entry field with the idempotency key"
    )
    delta_value: str = option("centrifugo-delta", "name of the entry field with the delta flag")
    version_value: str = option("centrifugo-version", "name of the entry field with the version")
    version_epoch_value: str = option("centrifugo-version-epoch", "name of the entry field with the version epoch")
    tags_value_prefix: str = option("centrifugo-tag-", "prefix of the entry field names that carry publication tags")


class AttributePublicationDataMode(Section):
    """Google Pub/Sub and SQS: the payload is publication data, the rest comes from attributes."""

    enabled: bool = option(False, "message payload is publication data, not an API command")
    channels_attribute: str = option("centrifugo-channels", "name of the attribute with the comma-separated channels")
    idempotency_key_attribute: str = option(
        "centrifugo-idempotency-key", "name of the attribute with the idempotency key"
    )
    delta_attribute: str = option("centrifugo-delta", "name of the attribute with the delta flag")
    version_attribute: str = option("centrifugo-version", "name of the attribute with the version")
    version_epoch_attribute: str = option("centrifugo-version-epoch", "name of the attribute with the version epoch")
    tags_attribute_prefix: str = option("centrifugo-tag-", "prefix of the attribute names that carry publication tags")


class PropertyPublicationDataMode(Section):
    """Azure: the payload is publication data, the rest comes from properties."""

    enabled: bool = option(False, "message payload is publication data, not an API command")
    channels_property: str = option("centrifugo-channels", "name of the property with the comma-separated channels")
    idempotency_key_property: str = option(
        "centrifugo-idempotency-key", "name of the property with the idempotency key"
    )
    delta_property: str = option("centrifugo-delta", "name of the property with the delta flag")
    version_property: str = option("centrifugo-version", "name of the property with the version")
    version_epoch_property: str = option("centrifugo-version-epoch", "name of the property with the version epoch")
    tags_property_prefix: str = option("centrifugo-tag-", "prefix of the property names that carry publication tags")


class PostgresqlConsumer(Section):
    """An outbox table in PostgreSQL."""

    dsn: str = option("", "connection string; required")
    outbox_table_name: str = option("", "name of the outbox table; required")
    num_partitions: int = option(1, "partitions processed in parallel")
    partition_select_limit: int = option(100, "rows per select")
    partition_poll_interval: Duration = option(0.3, "polling period")
    partition_notification_channel: str = option("", "LISTEN channel for instant wake-up")
    partition_notification_dsn: str = option("", "separate direct DSN for LISTEN")
    tls: Tls = Tls()
    use_try_lock: bool = option(False, "pg_try_advisory_xact_lock instead of blocking lock")


class KafkaConsumer(Section):
    """Topics in Kafka."""

    brokers: tuple[str, ...] = option((), "seed host:port list; required")
    topics: tuple[str, ...] = option((), "topics to read; required")
    consumer_group: str = option("", "consumer group; required")
    max_poll_records: int = option(100, "records per poll")
    fetch_max_bytes: Int32 = option(0, "bytes per fetch; 0 → 50 MB")
    fetch_max_wait: Duration = option(0.5, "maximum fetch wait")
    fetch_read_uncommitted: bool = option(False, "read uncommitted records")
    partition_queue_max_size: int = option(1000, "queue length that pauses a partition; -1 = pause at every poll")
    dial_timeout: Duration = option(3.0, "TCP dial timeout")
    tls: Tls = Tls()
    sasl_mechanism: str = option("", "empty, plain, scram-sha-256, scram-sha-512, aws-msk-iam")
    sasl_user: str = option("", "SASL user")
    sasl_password: str = option("", "SASL password")
    assume_role_arn: str = option("", "STS role; only with aws-msk-iam; user/password then ignored")
    instance_id: str = option("", "static group membership ID")
    method_header: str = option("centrifugo-method", "header with the API method; payload is then the request object")
    publication_data_mode: HeaderPublicationDataMode = HeaderPublicationDataMode()


class NatsJetstreamConsumer(Section):
    """A stream in NATS JetStream."""

    url: str = option("nats://127.0.0.1:4222", "server URL; required")
    credentials_file: str = option("", "credentials file; wins over the rest")
    username: str = option("", "NATS user")
    password: str = option("", "NATS password")
    token: str = option("", "token, used when neither file nor user is set")
    stream_name: str = option("", "stream; required")
    use_existing_consumer: bool = option(
        False, "attach to an existing durable consumer; subjects, deliver_policy, max_ack_pending are then ignored"
    )
    subjects: tuple[str, ...] = option((), "subject filters")
    durable_consumer_name: str = option("", "durable name; required")
    deliver_policy: str = option("new", "where a new consumer starts: new or all")
    max_ack_pending: int = option(100, "unacknowledged limit")
    method_header: str = option("centrifugo-method", "header with the API method")
    publication_data_mode: HeaderPublicationDataMode = HeaderPublicationDataMode()
    tls: Tls = Tls()


class RedisStreamConsumer(RedisConnection):
    """Streams in Redis."""

    streams: tuple[str, ...] = option((), "stream keys; required")
    consumer_group: str = option("", "group; required")
    visibility_timeout: Duration = option(30.0, "idle time after which an unacknowledged entry is re-claimed")
    num_workers: int = option(1, "workers per stream")
    payload_value: str = option("payload", "entry field with the payload")
    method_value: str = option("method", "entry field with the API method")
    publication_data_mode: ValuePublicationDataMode = ValuePublicationDataMode()


class GooglePubSubConsumer(Section):
    """Subscriptions in Google Pub/Sub."""

    project_id: str = option("", "project; required")
    subscriptions: tuple[str, ...] = option((), "subscription IDs; required")
    max_outstanding_messages: int = option(100, "in-flight messages")
    max_outstanding_bytes: int = option(1000000, "in-flight bytes")
    auth_mechanism: str = option("", "empty/default (ADC) or service_account")
    credentials_file: str = option("", "service account JSON file")
    method_attribute: str = option("centrifugo-method", "attribute with the API method")
    publication_data_mode: AttributePublicationDataMode = AttributePublicationDataMode()


class AwsSqsConsumer(Section):
    """Queues in AWS SQS."""

    queues: tuple[str, ...] = option((), "queue URLs; required")
    sns_envelope: bool = option(False, "bodies are SNS envelopes")
    region: str = option("", "AWS region")
    max_number_of_messages: Int32 = option(10, "messages per receive")
    wait_time_time: Duration = option(20.0, "long-poll wait, whole seconds (the key really is spelt like this)")
    visibility_timeout: Duration = option(30.0, "visibility timeout of received messages, whole seconds")
    max_concurrency: int = option(1, "parallel messages of a batch")
    credentials_profile: str = option("", "shared profile")
    assume_role_arn: str = option("", "role to assume")
    method_attribute: str = option("centrifugo-method", "attribute with the API method")
    localstack_endpoint: str = option("", "LocalStack URL")
    publication_data_mode: AttributePublicationDataMode = AttributePublicationDataMode()


class AzureServiceBusConsumer(Section):
    """Queues in Azure Service Bus."""

    connection_string: str = option("", "required unless use_azure_identity")
    use_azure_identity: bool = option(False, "Entra ID credentials instead")
    fully_qualified_namespace: str = option("", "required with identity")
    tenant_id: str = option("", "required with identity")
    client_id: str = option("", "required with identity")
    client_secret: str = option("", "required with identity")
    queues: tuple[str, ...] = option((), "queues; required")
    use_sessions: bool = option(False, "session-aware receive")
    max_concurrent_calls: int = option(1, "parallel messages")
    max_receive_messages: int = option(1, "messages per receive")
    method_property: str = option("centrifugo-method", "property with the API method")
    publication_data_mode: PropertyPublicationDataMode = PropertyPublicationDataMode()


class Consumer(Section):
    """One consumer; only the object named by `type` is used."""

    name: str = option("", "unique, ^[a-zA-Z0-9_]{2,}$")
    enabled: bool = option(False, "run it; a disabled consumer is only checked for name and type")
    type: str = option(
        "", "postgresql, kafka, nats_jetstream, redis_stream, google_pub_sub, aws_sqs, azure_service_bus"
    )
    postgresql: PostgresqlConsumer = PostgresqlConsumer()
    kafka: KafkaConsumer = KafkaConsumer()
    nats_jetstream: NatsJetstreamConsumer = NatsJetstreamConsumer()
    redis_stream: RedisStreamConsumer = RedisStreamConsumer()
    google_pub_sub: GooglePubSubConsumer = GooglePubSubConsumer()
    aws_sqs: AwsSqsConsumer = AwsSqsConsumer()
    azure_service_bus: AzureServiceBusConsumer = AzureServiceBusConsumer()
