"""All validation rules, in the order of the contract (04 §6.1).

The rules that only Fanjet has come last (04 §6.6).
"""

from itertools import chain

from fanjet.config.errors import ConfigError
from fanjet.config.tree.root import Config
from fanjet.config.validation import (
    admin,
    brokers,
    client,
    consumers,
    endpoints,
    namespaces,
    patterns,
    proxies,
    rpc,
    stricter_rules,
    tokens,
    transforms,
)
from fanjet.config.validation.problem import Problems, Rule

RULES: tuple[Rule, ...] = (
    endpoints.h2c,
    brokers.broker_type,
    client.user_id_claims,
    client.proxies,
    namespaces.common_channel_settings,
    transforms.unidirectional_disconnects,
    proxies.named_proxies,
    namespaces.without_namespace,
    rpc.without_namespace,
    client.single_connection_without_namespace,
    namespaces.each_namespace,
    client.personal_channel_namespace,
    namespaces.presence_prefixes,
    rpc.each_namespace,
    consumers.each_consumer,
    transforms.unidirectional_responses,
    brokers.map_broker_type,
    rpc.default_proxy,
    stricter_rules.map_meta_ttl,
    stricter_rules.reserved_map_namespaces,
    stricter_rules.table_prefixes,
    stricter_rules.map_stream_retention,
    endpoints.handler_prefixes,
    endpoints.distinct_paths,
    stricter_rules.resource_detectors,
    stricter_rules.own_keys,
    tokens.claim_mappings,
    tokens.jwks_providers,
    patterns.channel_patterns,
    patterns.personal_namespace,
    brokers.named_brokers,
    brokers.named_presence_managers,
    admin.oidc,
)


def problems(config: Config) -> Problems:
    """Yield all problems, in the contract's order."""
    return chain.from_iterable(rule(config) for rule in RULES)


def validate(config: Config) -> None:
    """Raise ConfigError for the first problem."""
    for problem in problems(config):
        raise ConfigError(problem)
