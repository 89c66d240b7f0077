"""Consumers (04 §6.1, rules 25-28, and §6.4)."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from fanjet.config.tree.consumers import (
    AwsSqsConsumer,
    AzureServiceBusConsumer,
    Consumer,
    GooglePubSubConsumer,
    KafkaConsumer,
    NatsJetstreamConsumer,
    PostgresqlConsumer,
    RedisStreamConsumer,
)
from fanjet.config.tree.root import Config
from fanjet.config.validation.problem import Problems, repeated, within

_NAME = re.compile(r"[a-zA-Z0-9_]{2,}")
_NAME_PATTERN = "^[a-zA-Z0-9_]{2,}$"


def each_consumer(config: Config) -> Problems:
    """Name and type of every consumer, and the settings of the enabled ones."""
    for consumer, again in zip(config.consumers, repeated(each.name for each in config.consumers), strict=True):
        name = consumer.name
        if not _NAME.fullmatch(name):
            yield f"invalid consumer name: {name}, must match {_NAME_PATTERN} regular expression"
        if again:
            yield f"invalid consumer name: {name}, must be unique"
        if consumer.type not in _RULES:
            yield f"unknown consumer type: {consumer.type}"
        if consumer.enabled:
            yield from within(f"in consumer {name} ({consumer.type})", _settings(consumer))


def _settings(consumer: Consumer) -> Problems:
    rules = _RULES.get(consumer.type)
    settings = getattr(consumer, consumer.type, None)
    yield from rules(settings) if rules else ()


def _missing(*required: tuple[object, str]) -> Iterator[str]:
    return (text for value, text in required if not value)


def _postgresql(settings: PostgresqlConsumer) -> Problems:
    yield from _missing(
        (settings.dsn, "no Postgres DSN provided"),
        (settings.outbox_table_name, "no Postgres outbox table name provided"),
    )


def _kafka(settings: KafkaConsumer) -> Problems:
    yield from _missing(
        (settings.brokers, "no Kafka brokers provided"),
        (settings.topics, "no Kafka topics provided"),
        (settings.consumer_group, "no Kafka consumer group provided"),
    )
    if settings.assume_role_arn and settings.sasl_mechanism != "aws-msk-iam":
        yield "assume_role_arn requires sasl_mechanism aws-msk-iam"


def _nats_jetstream(settings: NatsJetstreamConsumer) -> Problems:
    yield from _missing(
        (settings.url, "url is required"),
        (settings.stream_name, "stream_name is required"),
        (settings.durable_consumer_name, "durable_consumer_name is required for consumer"),
    )
    if not settings.use_existing_consumer and settings.deliver_policy not in ("new", "all"):
        yield "deliver_policy must be either 'new' or 'all'"


def _redis_stream(settings: RedisStreamConsumer) -> Problems:
    yield from _missing(
        (settings.address, "redis address is required"),
        (settings.streams, "streams can't be empty"),
        (settings.consumer_group, "consumer_group is required"),
    )


def _google_pub_sub(settings: GooglePubSubConsumer) -> Problems:
    yield from _missing(
        (settings.project_id, "project_id is required"),
        (settings.subscriptions, "at least one subscription ID is required"),
    )


def _aws_sqs(settings: AwsSqsConsumer) -> Problems:
    yield from _missing((settings.queues, "at least one queue url is required"))


def _azure_service_bus(settings: AzureServiceBusConsumer) -> Problems:
    identity = (settings.fully_qualified_namespace, settings.tenant_id, settings.client_id, settings.client_secret)
    if settings.use_azure_identity and not all(identity):
        names = "fully_qualified_namespace, tenant_id, client_id and client_secret"
        yield f"when using Azure Identity, {names} are required"
    if not settings.use_azure_identity and not settings.connection_string:
        yield "connection_string is required when not using Azure Identity"
    yield from _missing((settings.queues, "at least one queue path is required"))


_RULES: Mapping[str, Callable[[Any], Problems]] = {
    "postgresql": _postgresql,
    "kafka": _kafka,
    "nats_jetstream": _nats_jetstream,
    "redis_stream": _redis_stream,
    "google_pub_sub": _google_pub_sub,
    "aws_sqs": _aws_sqs,
    "azure_service_bus": _azure_service_bus,
}
